"""Many random completions of the same rows."""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaximpute import registry
from jaximpute._errors import OptionError
from jaximpute.engine.loop import complete
from jaximpute.masking import clamp
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
        method: one whose tag is `draws`.
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
        this method gives a point estimate, not random draws
    """
    if method.tag == "draws" and method.sample is None:
        raise OptionError(
            "this method drew one completion of the rows it was given and kept nothing to draw "
            "others from; build it with keep=True, or fit it again with another key"
        )
    if method.tag != "draws":
        raise OptionError(no_draws(method.tag))
    keys = jax.random.split(key, n)
    if rows is None:
        return _draw_many(method, keys, state, data, batch)
    return _draw_each(method, keys, state, data, batch, jnp.asarray(rows))


def no_draws(tag: str, kind: Kind | None = None) -> str:
    """Why a method does not draw, and which methods do, of all or for one kind of data."""
    drawing = [name for name in registry.names(kind) if registry.entry(name).tag == "draws"]
    return (
        f"this method gives a {tag} estimate, not random draws; methods that draw: "
        f"{', '.join(drawing)}"
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


def middle(draws: np.ndarray, categories: Sequence[int] | None = None) -> np.ndarray:
    """The median of draws, entry by entry; of levels the share of draws that hold each.

    No level of a category need be in half of the draws: medians of its indicators would all be 0.

    Args:
        draws: `(n, ..., columns)`.
        categories: the category that each column is of, see `registry.build`.

    Returns:
        `(..., columns)`, in which the most frequent level has the largest indicator.

    Example:
        >>> draws = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        >>> middle(draws, (0, 0, 0)).tolist()
        [0.5, 0.25, 0.25]
    """
    found = np.median(draws, axis=0)
    if categories is None:
        return found
    number = np.maximum(categories, -1)  # directions are numbers here
    sizes = np.bincount(number + 1)
    several = (number >= 0) & (sizes[number + 1] > 1)
    # a column with two values: between them there is none
    two = (number >= 0) & ~several
    found[..., several] = draws[..., several].mean(axis=0)
    if two.any():
        found[..., two] = np.quantile(draws[..., two], 0.5, axis=0, method="inverted_cdf")
    return found


def estimate(
    method: Method,
    key: PRNGKey,
    state: State,
    data: Observed,
    n: int = 20,
    categories: Sequence[int] | None = None,
) -> Float[Array, "n *event"]:
    """The one completion to report: a method's own, or the per-entry median of its draws.

    A method that draws and has a `fill` has made one random completion of these rows, and that is
    its answer: a median of draws would no longer look like data. Ask for the `mean` of a method's
    draws by the name of a method that gives it.

    Args:
        method: what was run.
        key: for random completions.
        state: what `fit` returned.
        data: the rows that were given to `fit`.
        n: number of draws, for methods that only draw.
        categories: the category that each column is of, see `middle`.

    Returns:
        Values with every entry filled; observed ones come back bit-identical.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> data = ji.observe(np.array([[1.0, 2.0], [3.0, np.nan]]))
        >>> method = ji.methods.mean()
        >>> state = ji.fit(method, jax.random.key(0), data, 0)
        >>> estimate(method, jax.random.key(1), state, data).tolist()
        [[1.0, 2.0], [3.0, 2.0]]
    """
    if method.tag != "draws" or method.fill is not None:
        return complete(method, key, state, data)
    many = draw_many(method, key, state, data, n)
    return clamp(jnp.asarray(middle(np.asarray(many), categories)), data)
