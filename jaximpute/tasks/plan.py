"""`plan`: what a run will cost, before it is run to its end."""

import time as clock
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaximpute import registry
from jaximpute._errors import OutOfMemoryError
from jaximpute.data import codec as coding
from jaximpute.data import frames, possible, series
from jaximpute.data.frames import Container, Frame
from jaximpute.data.layout import lay_out, take_back
from jaximpute.engine import fingerprint, loop
from jaximpute.engine import memory as memory_of
from jaximpute.engine.draws import _draw_many
from jaximpute.engine.onhost import learns_on_host
from jaximpute.engine.parallel import AXIS, layouts, row_specs
from jaximpute.engine.precision import precision
from jaximpute.engine.runs import keys
from jaximpute.engine.threads import one_thread
from jaximpute.engine.warmup import WarmUp
from jaximpute.tasks import report
from jaximpute.tasks.advice import cheaper, explained
from jaximpute.tasks.choose import resolve
from jaximpute.types import Observed, State

_QUICK = 5.0  # seconds


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
        cpu_seconds: of the whole, of all threads; does not grow with what else the machine does.
        peak_mb: by how much the process grows, compiler included, above what it holds before. Where
            the system does not tell, and where that is more, `program_mb`.
        program_mb: memory of the largest compiled program: arguments, results and temporaries. What
            an accelerator has to hold.
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
    cpu_seconds: float
    peak_mb: float
    program_mb: float
    flops: float | None


def plan(
    data: Container,
    method: str = "auto",
    *,
    time: Any = None,
    group: Any = None,
    preset: str = "balanced",
    dims: Sequence[str] | None = None,
    bounds: Any = None,
    circular: Any = None,
    **options: Any,
) -> Cost:
    r"""What `impute` would cost: the run is made with one chunk of its steps, and multiplied.

    With :math:`m` chunks of steps and :math:`d` draws, all measured on this machine and this data,

    .. math:: T = T_\mathrm{all\ around} + m\, T_\mathrm{chunk} + d\, T_\mathrm{completion}

    where the first part holds loading, coding, compilation and decoding. Memory is what the
    process grew by meanwhile, and what more draws take.

    Args:
        data: see `impute`, as for all arguments.
        method: a name, or `auto`.
        time: the time axis.
        group: what tells series apart.
        preset: of the method.
        dims: of xarray's objects.
        bounds: of what cells may get.
        circular: columns of directions.
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
    frame = frames.read(data, time, dims, group)
    frame = frame._replace(columns=possible.tell(frame.columns, bounds, circular))
    return measure(frame, method, preset=preset, options=options)


def measure(
    frame: Frame,
    method: str = "auto",
    *,
    preset: str = "balanced",
    options: Mapping[str, Any] | None = None,
    draws: int = 0,
    most: float | None = None,
    last: int = 0,
) -> Cost:
    """`plan` of a frame that is read.

    Args:
        frame: what `data.frames.read` returned.
        method: a name, or `auto`.
        preset: of the method.
        options: of the method.
        draws: random completions asked for.
        most: megabytes that the run may take; None for no limit.
        last: steps at the end of a series that alone are completed; 0 = all.

    Returns:
        The cost.

    Raises:
        OutOfMemoryError: it would take more; a program that would is not run.
    """
    begun, grown = _now(), memory_of.watch()
    name = resolve(method, frame.kind, draws=draws > 0)
    registry.check(name, kind=frame.kind, preset=preset, options=options)
    exact = registry.entry(name).exact
    with precision(bool(exact)):
        laid = lay_out(frame, exact)
    missing = int((~frame.mask).sum())
    data = laid.data
    if data is None or not np.isnan(laid.matrix).any():
        return Cost(name, len(laid.matrix), (0,), missing, 0, 0.0, 0, *(0.0,) * 6, None)
    built = registry.build(
        name,
        data,
        kind=frame.kind,
        preset=preset,
        times=laid.times,
        categories=laid.categories,
        options=options,
        answer="draw" if draws else "estimate",
    )
    with (
        explained(name, data.values.shape, preset, options),
        one_thread(),
        precision(bool(exact)),
    ):
        trial = try_out(built, data, draws, Limit(name, most), last=last)
    # what a run does besides, for the time it takes
    values = coding.decode(laid.codec, take_back(laid, trial.completed), frame.values)
    report.describe(frame, laid.codec, laid.axis, values)
    fingerprint.digest([frame.values])
    fingerprint.digest([values])
    parts, many = trial.parts, trial.parts[-1].times
    spent = _now() - begun - trial.aside + sum(part.more for part in parts)
    program, more = max(part.peak for part in parts), 2 * (many - 1) * data.values.nbytes / 1e6
    peak = grown() + more
    step = trial.step
    Limit(name, most).check(program if np.isnan(peak) else max(program, peak))
    return Cost(
        method=name,
        rows=int((np.asarray(data.weight) > 0).sum()),
        event=data.values.shape[1:],
        missing=missing,
        parameters=trial.parameters,
        state_mb=trial.state_mb,
        steps=built.steps,
        step_seconds=0.0 if step is None else float(step.running[0]) / trial.chunk,
        seconds=float(spent[0]),
        compile_seconds=float(sum(part.programs * part.compiling[0] for part in parts)),
        cpu_seconds=float(spent[1]),
        peak_mb=program if np.isnan(peak) else max(program, peak),
        program_mb=program,
        flops=None if step is None else step.flops,
    )


class Limit(NamedTuple):
    """Megabytes that a method may take, None for no limit; and those of arrays around it."""

    method: str
    most: float | None
    besides: float = 0.0

    def check(self, needed: float) -> None:
        """Refuse what needs more."""
        needed += self.besides
        if self.most is not None and needed > self.most:
            raise OutOfMemoryError(
                f"'{self.method}' needs about {needed:.4g} MB here, and may take {self.most:.4g} MB"
                f" (--max-memory). {cheaper(self.method)}"
            )


_FREE = Limit("", None)


class _Part(NamedTuple):
    """A compiled program, run once; how often a run runs it, and compiles one like it."""

    result: Any
    compiling: np.ndarray
    running: np.ndarray
    peak: float
    flops: float | None
    times: float = 1.0
    programs: int = 1

    @property
    def more(self) -> np.ndarray:
        return (self.times - 1) * self.running + (self.programs - 1) * self.compiling


class _Trial(NamedTuple):
    """A run of one chunk, and `aside`, the seconds that only planning takes."""

    completed: np.ndarray
    parts: list[_Part]
    step: _Part | None
    chunk: int
    parameters: int
    state_mb: float
    aside: np.ndarray


def try_out(
    built: registry.Plan,
    data: Observed,
    draws: int,
    limit: Limit = _FREE,
    look: Callable[[State], None] | None = None,
    last: int = 0,
) -> _Trial:
    """What `engine.runs.completions` does, by the same programs, with one chunk of steps.

    Args:
        built: what is run.
        data: the rows.
        draws: random completions.
        limit: of memory.
        look: looks at what completes, given the state, in place of completing.
        last: see `measure`.
    """
    method, steps = built.method, built.steps
    key = keys(0).fit
    parts: list[_Part] = []
    aside = np.zeros(2)

    def run(program: Any, static: dict[str, Any], often: Any = (1.0, 1), **arguments: Any) -> Any:
        nonlocal aside
        part, again = _timed(program, static, arguments, limit)
        aside = aside + again
        parts.append(part._replace(result=None, times=often[0], programs=often[1]))
        return part.result

    def chunk_of(method: Any, state: Any, total: int, length: int) -> Any:
        static = {"method": method, "length": length, "draw": None}
        often = (total / length, 1 + (total % length > 0))  # a remainder is a program of its own
        return run(loop._advance, static, often, key=key, state=state, data=data, start=0)[0]

    if isinstance(method.init, WarmUp):
        warm = method.init
        state = run(loop._initialise, {"init": warm.method.init}, key=key, data=data)[0]
        if warm.steps:
            state = chunk_of(warm.method, state, warm.steps, 1)
        state = run(loop._looked_at, {"finish": warm.finish}, state=state)[0]
    elif learns_on_host(method.init):  # no program, and nothing to compile
        begun = _now()
        state = jax.block_until_ready(method.init(key, data))
        parts.append(_Part(None, np.zeros(2), _now() - begun, 0.0, None))
    else:
        state = run(loop._initialise, {"init": method.init}, key=key, data=data)[0]
    step, chunk = None, max(1, min(built.chunk, steps))
    if steps:
        state = chunk_of(method, state, steps, chunk)
        step = parts[-1]
    past, end = series.part(data, last) if last else (None, data)
    if look is not None:
        look(state)
        completed = np.asarray(end.values)
    elif draws:
        one, static = jax.random.split(key, 1), {"method": method, "batch": 1}
        completed = run(_draw_many, static, (float(draws), 1), keys=one, state=state, data=end)[0]
    else:
        completed = run(loop._complete, {"method": method}, key=key, state=state, data=end)
    begun = _now()
    specs = layouts(row_specs(method, data))
    leaves = jax.tree.leaves(state)
    fixed = sum(x.size for x, s in zip(leaves, specs, strict=True) if AXIS not in s)
    size = sum(x.nbytes for x in leaves) / 1e6
    aside = aside + (_now() - begun)
    completed = np.asarray(completed)
    if past is not None:
        completed = np.concatenate([past, completed], axis=1)
    return _Trial(completed, parts, step, chunk, int(fixed), size, aside)


def _now() -> np.ndarray:
    """Seconds by the clock, and of all threads of the process."""
    return np.array([clock.perf_counter(), clock.process_time()])


def _timed(
    program: Any, static: dict[str, Any], arguments: dict[str, Any], limit: Limit
) -> tuple[_Part, np.ndarray]:
    """Compile a jitted function and run it; and the seconds of runs that a run does not need.

    What is quick is run a second time: the first touches its memory first.
    """
    begun = _now()
    compiled = program.lower(**static, **arguments).compile()
    used, cost = megabytes(compiled), compiled.cost_analysis()
    limit.check(used)
    ready = _now()
    result = jax.block_until_ready(compiled(**arguments))
    ended = _now()
    running, again = ended - ready, np.zeros(2)
    if running[0] < _QUICK:
        jax.block_until_ready(compiled(**arguments))
        running = again = _now() - ended
    flops = (cost or {}).get("flops")
    return _Part(result, ready - begun, running, used, flops), again


def megabytes(compiled: Any) -> float:
    """Of a compiled program: arguments, results and temporaries; NaN where it is not told."""
    memory = compiled.memory_analysis()
    if memory is None:
        return float("nan")
    used = (
        memory.argument_size_in_bytes
        + memory.output_size_in_bytes
        + memory.temp_size_in_bytes
        - memory.alias_size_in_bytes
    )
    return float(used) / 1e6
