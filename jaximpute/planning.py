"""`plan`: what a run will cost, before it is run."""

import time as clock
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaximpute import loop, registry
from jaximpute.automatic import choose
from jaximpute.data import frames
from jaximpute.data.frames import Container, Frame
from jaximpute.layout import lay_out
from jaximpute.parallel import AXIS, layouts, row_specs
from jaximpute.training import explained
from jaximpute.types import Observed

_DRAWS = 20  # behind one completion of a method that only draws, see `draws.estimate`


class Cost(NamedTuple):
    """What a run is expected to need.

    Attributes:
        method: its name.
        rows: of the data, as the method sees them.
        event: shape of one row.
        missing: cells to fill.
        parameters: numbers in the method's state that are not rows: networks, their moments and
            averages, or statistics of columns.
        state_mb: megabytes of that state, rows included.
        steps: of the outer loop, at most; a run may stop early.
        step_seconds: of one of them.
        seconds: of the whole, compilation included, at most.
        compile_seconds: of these, for tracing and compilation; almost none when programs are kept
            from an earlier run of the same shape.
        peak_mb: memory of the largest compiled program: arguments, results and temporaries.
        flops: of one step as the compiler counts them, loops once; None where it does not say.
    """

    method: str
    rows: int
    event: tuple[int, ...]
    missing: int
    parameters: int
    state_mb: float
    steps: int
    step_seconds: float
    seconds: float
    compile_seconds: float
    peak_mb: float
    flops: float | None


def plan(
    data: Container,
    method: str = "auto",
    *,
    time: Any = None,
    preset: str = "balanced",
    dims: Sequence[str] | None = None,
    **options: Any,
) -> Cost:
    """What `impute` would cost: one step is compiled and timed, and the rest is multiplication.

    The prediction is `compile + start + steps * step + completion`, each measured once on this
    machine, on this data.

    Args:
        data: see `impute`, as for all arguments.
        method: a name, or `auto`.
        time: the time axis.
        preset: of the method.
        dims: of xarray's objects.
        **options: of the method.

    Returns:
        The cost.

    Raises:
        DataError, TimeError, OptionError: see `impute`.
        OutOfMemoryError: not even one step fits; the message names the settings to lower.

    Example:
        >>> import numpy as np, jaximpute as ji
        >>> cost = ji.plan(np.array([[1.0, 4.0], [3.0, np.nan], [2.0, 7.0]]), "mean")
        >>> cost.rows, cost.event, cost.missing, cost.steps
        (3, (2,), 1, 0)
    """
    return measure(frames.read(data, time, dims), method, preset=preset, options=options)


def measure(
    frame: Frame,
    method: str = "auto",
    *,
    preset: str = "balanced",
    options: dict[str, Any] | None = None,
    draws: int = 0,
) -> Cost:
    """`plan` of a frame that is read.

    Args:
        frame: what `data.frames.read` returned.
        method: a name, or `auto`.
        preset: of the method.
        options: of the method.
        draws: random completions asked for.

    Returns:
        The cost.
    """
    name = choose(frame.kind, draws=draws > 0) if method == "auto" else method
    registry.check(name, kind=frame.kind, preset=preset, options=options)
    laid, missing = lay_out(frame), int((~frame.mask).sum())
    data = laid.data
    if data is None:
        return Cost(name, len(laid.matrix), (0,), missing, 0, 0.0, 0, 0.0, 0.0, 0.0, 0.0, None)
    built = registry.build(
        name, data, kind=frame.kind, preset=preset, times=laid.times, options=options
    )
    with explained(data, {"method": name}):
        return _measure(name, built, data, missing, draws)


def _measure(name: str, built: registry.Plan, data: Observed, missing: int, draws: int) -> Cost:
    method, key = built.method, jax.random.key(0)
    start = _timed(jax.jit(method.init), key, data)
    parts, steps, chunk = [(start, 1.0)], built.steps, max(1, min(built.chunk, built.steps))
    state, step = start.result, None
    if steps:

        def advance(key, state, data):
            return loop.steps(method, key, state, data, 0, chunk)

        step = _timed(jax.jit(advance), key, state, data)
        parts.append((step, steps / chunk))
        state = step.result[0]
    drawing = method.tag == "draws" and method.fill is None
    many = draws or (_DRAWS if drawing else 1)
    completion = _timed(jax.jit(lambda k, s, d: loop._complete(method, k, s, d)), key, state, data)
    parts.append((completion, float(many)))
    specs = layouts(row_specs(method, data))
    leaves = jax.tree.leaves(state)
    fixed = sum(x.size for x, s in zip(leaves, specs, strict=True) if AXIS not in s)
    compiling = sum(part.compiling for part, _ in parts)
    return Cost(
        method=name,
        rows=int((np.asarray(data.weight) > 0).sum()),
        event=data.values.shape[1:],
        missing=missing,
        parameters=int(fixed),
        state_mb=sum(x.nbytes for x in leaves) / 1e6,
        steps=steps,
        step_seconds=0.0 if step is None else step.running / chunk,
        seconds=compiling + sum(part.running * times for part, times in parts),
        compile_seconds=compiling,
        peak_mb=max(part.peak for part, _ in parts),
        flops=None if step is None else step.flops,
    )


class _Part(NamedTuple):
    result: Any
    compiling: float
    running: float
    peak: float
    flops: float | None


def _timed(program: Callable[..., Any], *arguments: Any) -> _Part:
    """Compile a jitted function, run it once, and say what both took."""
    begun = clock.perf_counter()
    compiled = program.lower(*arguments).compile()  # type: ignore[attr-defined]
    ready = clock.perf_counter()
    result = jax.block_until_ready(compiled(*arguments))
    ended = clock.perf_counter()
    memory, cost = compiled.memory_analysis(), compiled.cost_analysis()
    used = (
        memory.argument_size_in_bytes
        + memory.output_size_in_bytes
        + memory.temp_size_in_bytes
        - memory.alias_size_in_bytes
        if memory is not None
        else jnp.nan
    )
    flops = (cost or {}).get("flops")
    return _Part(result, ready - begun, ended - ready, used / 1e6, flops)
