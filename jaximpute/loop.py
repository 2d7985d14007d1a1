"""Running a method: a pure scan of steps, its jitted form, and one host loop around it.

The pure part composes with `jit` and `vmap`; everything that talks to the world happens in hooks
between chunks.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaximpute._errors import OptionError
from jaximpute.types import Hook, Info, Method, Observed, PRNGKey, State

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
        >>> method = ji.baselines.mean()
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

    Args:
        method: what to run.
        key: split once into a key for `init` and one for the run.
        data: the rows.
        n: total number of steps, counted from 0.
        chunk: steps per compiled call. A remainder costs one more compilation.
        draw: see `steps`.
        hooks: `(t, state, info) -> bool`; True stops. A hook that keeps the state must copy it, for
            its buffers are reused by the next chunk.
        state: resume from this state, which is copied, instead of calling `init`.
        start: number of steps that `state` has behind it.

    Returns:
        The last state.

    Raises:
        OptionError: `n` or `chunk` out of range.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> data = ji.observe(np.array([[1.0, 2.0], [3.0, np.nan]]))
        >>> method = ji.baselines.mean()
        >>> state = ji.fit(method, jax.random.key(0), data, 0)
        >>> ji.complete(method, jax.random.key(1), state, data).tolist()
        [[1.0, 2.0], [3.0, 2.0]]
    """
    if n < 0 or chunk < 1:
        raise OptionError(f"n is {n} and chunk {chunk}; expected n >= 0 and chunk >= 1")
    key_init, key_run = jax.random.split(key)
    state = jax.jit(method.init)(key_init, data) if state is None else state
    # `run` donates: without a copy it would consume buffers that the caller still holds
    state = jax.tree.map(jnp.copy, state)
    t = start
    while t < n:
        length = min(chunk, n - t)
        state, info = run(method, key_run, state, data, t, length, draw)
        t += length
        stops = [hook(t, state, info) for hook in hooks]  # every hook is called
        if any(stops):
            break
    return state


def complete(
    method: Method, key: PRNGKey, state: State, data: Observed
) -> Float[Array, "n *event"]:
    """The completed rows: `fill` where the method has it, else `sample`.

    Args:
        method: what was run.
        key: for `sample`; unused by `fill`.
        state: what `fit` returned.
        data: the rows that were given to `fit`.

    Returns:
        Values with every entry filled; observed ones come back bit-identical.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> data = ji.observe(np.array([[1.0, 2.0], [3.0, np.nan]]))
        >>> method = ji.baselines.median()
        >>> state = ji.fit(method, jax.random.key(0), data, 0)
        >>> ji.complete(method, jax.random.key(1), state, data).tolist()
        [[1.0, 2.0], [3.0, 2.0]]
    """
    return _complete(method, key, state, data)


@jax.jit(static_argnames="method")
def _complete(method, key, state, data):
    if method.fill is not None:
        return method.fill(state, data)
    return method.sample(key, state, data)
