"""Many random completions of the same rows."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaximpute import registry
from jaximpute._errors import OptionError
from jaximpute.masking import check
from jaximpute.types import Kind, Method, Observed, PRNGKey, State


def draw_many(
    method: Method,
    key: PRNGKey,
    state: State,
    data: Observed,
    n: int,
    *,
    batch: int = 1,
    rows: Int[Array | np.ndarray, "rows"] | None = None,
) -> Float[Array, "draws n *event"]:
    """`n` random completions, `batch` of them at a time.

    The rows are completed together, and padding at their end or the number of devices changes
    nothing. With `rows`, each is completed by itself, with a key folded from its number, and gets
    the same draws in any order, any batch and on any mesh.

    Args:
        method: one with `sample`.
        key: draw `i` uses the i-th of `n` keys split from it.
        state: what `fit` returned.
        data: the rows to complete.
        n: number of draws, at least 1.
        batch: draws computed together; memory grows with it.
        rows: a number for each row, its own wherever it appears.

    Returns:
        The draws, stacked.

    Raises:
        OptionError: the method does not draw: repeating a point estimate is no sample.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> data = ji.observe(np.array([[1.0, np.nan], [2.0, 3.0]]))
        >>> try:
        ...     ji.draw_many(ji.methods.mean(), jax.random.key(0), None, data, 5)
        ... except ji.OptionError as error:
        ...     print(str(error).split(";")[0])
        this method gives one estimate, not random draws
    """
    if method.sample is None:
        raise OptionError(no_draws())
    check(data)
    keys = jax.random.split(key, n)
    if rows is None:
        return _draw_many(method, keys, state, data, batch)
    return _draw_each(method, keys, state, data, batch, jnp.asarray(rows))


def no_draws(kind: Kind | None = None) -> str:
    """That a method does not draw, and which methods do, of all or for one kind of data."""
    drawing = [name for name in registry.names(kind) if registry.entry(name).draws]
    return (
        f"this method gives one estimate, not random draws; methods that draw: {', '.join(drawing)}"
    )


@partial(jax.jit, static_argnames=("method", "batch"))
def _draw_many(method, keys, state, data, batch):
    return jax.lax.map(lambda key: method.sample(key, state, data), keys, batch_size=batch)


@partial(jax.jit, static_argnames=("method", "batch"))
def _draw_each(method, keys, state, data, batch, rows):
    def one(key, row):
        return method.sample(key, state, jax.tree.map(lambda leaf: leaf[None], row))[0]

    def draw(key):
        return jax.vmap(one)(jax.vmap(jax.random.fold_in, (None, 0))(key, rows), data)

    return jax.lax.map(draw, keys, batch_size=batch)
