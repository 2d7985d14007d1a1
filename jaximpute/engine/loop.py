"""Running a method: a pure scan of steps, its jitted form, and one host loop around it.

The pure part composes with `jit` and `vmap`; everything that talks to the world happens in hooks
between chunks.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaximpute._errors import DivergenceError, OptionError
from jaximpute.engine.onhost import learns_on_host
from jaximpute.engine.warmup import WarmUp
from jaximpute.masking import check
from jaximpute.maths.averages import median_of
from jaximpute.types import Hook, Info, Method, Observed, PRNGKey, State

_ADVICE = (
    "Lower its learning rate, clip its gradients, or take fewer steps; the last good state is the "
    "`state` of this error"
)
Draw = Callable[[PRNGKey, Observed], Observed]


def steps(
    method: Method,
    key: PRNGKey,
    state: State,
    data: Observed,
    start: Int[Array, ""] | int,
    length: int,
    draw: Draw | None = None,
) -> tuple[State, Info]:
    """`length` steps of a method in one scan; pure.

    Step `t` uses `fold_in(key, t)`, so a run cut into chunks, or resumed from a saved state, equals
    the run in one piece.

    Args:
        method: what to run.
        key: the run's key, the same for every chunk.
        state: where to start.
        data: the rows.
        start: number of steps already done.
        length: number of steps to do now; 1 compiles without a scan.
        draw: `(key, data) -> data`, a random batch for each step; the whole data if None.

    Returns:
        The state after the steps, and the infos stacked along a leading axis.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> data = ji.observe(np.array([[1.0, 2.0], [3.0, np.nan]]))
        >>> method = ji.methods.mean()
        >>> state = method.init(jax.random.key(0), data)
        >>> state, info = ji.steps(method, jax.random.key(1), state, data, 0, 3)
        >>> info.loss.shape
        (3,)
    """

    def one(state, t):
        k = jax.random.fold_in(key, t)
        if draw is None:
            return method.step(k, state, data)
        k_draw, k_step = jax.random.split(k)
        return method.step(k_step, state, draw(k_draw, data))

    if length == 1:
        # convolutions inside a while loop are an order of magnitude slower on CPU
        state, info = one(state, jnp.asarray(start))
        return state, jax.tree.map(lambda leaf: leaf[None], info)
    return jax.lax.scan(one, state, start + jnp.arange(length))


run = jax.jit(steps, static_argnames=("method", "length", "draw"), donate_argnames="state")
run.__doc__ = "`steps`, jitted, with the state donated. Build a method once: it is a cache key."


def fit(
    method: Method,
    key: PRNGKey,
    data: Observed,
    n: int,
    *,
    chunk: int = 10,
    draw: Draw | None = None,
    hooks: Sequence[Hook] = (),
    state: State | None = None,
    start: int = 0,
) -> State:
    """Run a method for up to `n` steps, calling hooks between chunks.

    After `init` and after every chunk, losses and state are looked at; the state before the chunk
    is kept until then.

    Args:
        method: what to run.
        key: split once into a key for `init` and one for the run.
        data: the rows.
        n: total number of steps, counted from 0.
        chunk: steps per compiled call. A remainder costs one more compilation.
        draw: see `steps`.
        hooks: `(t, state, info) -> bool`; True stops. The steps of a warm-up come to them one by
            one, with `t` rising to 0.
        state: resume from this state instead of calling `init`.
        start: number of steps that `state` has behind it.

    Returns:
        The last state.

    Raises:
        OptionError: `n` or `chunk` out of range.
        DivergenceError: a loss that is not finite, or a part of the state that no longer is; the
            error holds the last good state. No hook sees what is not finite.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> data = ji.observe(np.array([[1.0, 2.0], [3.0, np.nan]]))
        >>> method = ji.methods.mean()
        >>> state = ji.fit(method, jax.random.key(0), data, 0)
        >>> ji.complete(method, jax.random.key(1), state, data).tolist()
        [[1.0, 2.0], [3.0, 2.0]]
    """
    if n < 0 or chunk < 1:
        raise OptionError(f"n is {n} and chunk {chunk}; expected n >= 0 and chunk >= 1")
    check(data)
    key_init, key_run = jax.random.split(key)
    stopped = False
    if state is None and isinstance(method.init, WarmUp):
        warm = method.init
        key_first, key_warm = jax.random.split(key_init)
        state, sound = _begin(warm.method, key_first, data)
        state, stopped = _drive(
            warm.method, key_warm, state, sound, data, (0, warm.steps), 1, None, hooks,
            " of its warm-up", -warm.steps,
        )  # fmt: skip
        state, sound = _looked_at(warm.finish, state)
    elif state is None:
        state, sound = _begin(method, key_init, data)
    else:
        state, sound = _looked_at(None, state)
    if stopped:
        return state
    return _drive(method, key_run, state, sound, data, (start, n), chunk, draw, hooks)[0]


def _begin(method, key, data):
    """The first state, and which of its leaves are finite."""
    if learns_on_host(method.init):
        state, lost, sound = _initialise(_given, method.init(key, data), data)
    else:
        state, lost, sound = _initialise(method.init, key, data)
    if lost:
        raise _diverged("before its first step, in `init`")
    return state, sound


# what looks at a state is compiled with what makes it: leaf by leaf it would be many programs
@jax.jit(static_argnames="init")
def _initialise(init, key, data):
    state = init(key, data)
    # infinities may be meant, as for the best error so far
    lost = jnp.asarray([jnp.isnan(leaf).any() for leaf in _floats(state)], bool).any()
    return state, lost, _finite(state)


def _given(state, data):
    """The `init` of what was learned on the host: a program that only looks at it."""
    del data
    return state


@jax.jit(static_argnames="finish")
def _looked_at(finish, state):
    state = state if finish is None else finish(state)
    return state, _finite(state)


def _drive(method, key, state, sound, data, span, chunk, draw, hooks, part="", shift=0):
    """Chunks of steps from one number to another, checked; the state, and whether a hook stopped.

    Hooks are told `shift` more than the number of steps done; errors name the `part` of the run.
    """
    t, n = span
    while t < n:
        length = min(chunk, n - t)
        after, info, now = _advance(method, key, state, data, t, length, draw)
        _check(part, state, t, n, np.asarray(info.loss), np.asarray(now), sound, shift)
        state, sound, t = after, np.asarray(now), t + length
        stops = [hook(t + shift, state, info) for hook in hooks]  # every hook is called
        if any(stops):
            return state, True
    return state, False


@jax.jit(static_argnames=("method", "length", "draw"))
def _advance(method, key, state, data, start, length, draw):
    # not donated: the state before is the one to go back to
    state, info = steps(method, key, state, data, start, length, draw)
    return state, info, _finite(state)


def _floats(state):
    leaves = (jnp.asarray(leaf) for leaf in jax.tree.leaves(state))
    return [leaf for leaf in leaves if jnp.issubdtype(leaf.dtype, jnp.inexact)]


def _finite(state):
    """Which leaves are finite throughout."""
    return jnp.asarray([jnp.isfinite(leaf).all() for leaf in _floats(state)], bool)


def _check(part, state, t, n, losses, now, sound, shift):
    wrong = np.flatnonzero(~np.isfinite(losses))
    lost = bool((np.asarray(sound) & ~now).any())
    if not wrong.size and not lost:
        return
    bad = t + 1 + (int(wrong[0]) if wrong.size else len(losses) - 1)
    what = f"its loss is {losses[wrong[0]]}" if wrong.size else "its state is not finite"
    raise _diverged(f"in step {bad} of {n}{part}: {what}", state, t + shift)


def _diverged(where, state=None, step=0):
    what = f"diverged {where}"
    return DivergenceError(f"the method {what}. {_ADVICE}", state, step, what)


def complete(
    method: Method, key: PRNGKey, state: State, data: Observed
) -> Float[Array, "n *event"]:
    """The completed rows: `fill` where the method has it, else its `estimate`.

    That of a method that only draws is the median of `averages.DRAWS` draws.

    Args:
        method: what was run.
        key: for `estimate`; unused by `fill`.
        state: what `fit` returned.
        data: the rows that were given to `fit`.

    Returns:
        Values with every entry filled; observed ones come back bit-identical.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> data = ji.observe(np.array([[1.0, 2.0], [3.0, np.nan]]))
        >>> method = ji.methods.median()
        >>> state = ji.fit(method, jax.random.key(0), data, 0)
        >>> ji.complete(method, jax.random.key(1), state, data).tolist()
        [[1.0, 2.0], [3.0, 2.0]]
    """
    return _complete(method, key, state, check(data))


@jax.jit(static_argnames="method")
def _complete(method, key, state, data):
    if method.fill is not None:
        return method.fill(state, data)
    estimate = method.estimate or median_of(method.sample)
    return estimate(key, state, data)
