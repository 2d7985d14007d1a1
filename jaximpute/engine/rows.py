"""Rows completed each on its own: the same answer alone, later, or in another order."""

import zlib
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt32

from jaximpute.engine.draws import draw_many
from jaximpute.masking import from_nan
from jaximpute.types import Method, PRNGKey, State

MOST_ROWS = 256  # completed in one compiled call


def complete_rows(
    answer: Callable[..., jax.Array],
    key: PRNGKey,
    state: State,
    rows: np.ndarray,
    batch: int | None = None,
) -> np.ndarray:
    r"""Complete rows, each by itself.

    .. math:: \hat x_n = f(x_n^\mathrm{obs}; \theta, k_n)

    The key :math:`k_n` is the given one, folded with a check sum of the row's cells.

    Args:
        answer: the `estimate` or the `sample` of a method.
        key: of everything random.
        state: what `fit` returned.
        rows: `(n, *event)` floats, NaN where missing.
        batch: rows in each compiled call, short ones padded with zeros: with one shape only, a
            row's answer cannot depend on how many there are. By default batches of 256, and the
            last one padded to a power of two only.

    Returns:
        `(n, *event)` completed.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> x = np.array([[1.0, 2.0], [3.0, np.nan]], np.float32)
        >>> method = ji.methods.mean()
        >>> state = method.init(jax.random.key(0), ji.observe(x))
        >>> complete_rows(method.estimate, jax.random.key(1), state, x).tolist()
        [[1.0, 2.0], [3.0, 2.0]]
    """
    done = [np.empty_like(rows[:0])]
    most = MOST_ROWS if batch is None else batch
    for start in range(0, len(rows), most):
        some = rows[start : start + most]
        size = 2 ** int(np.ceil(np.log2(len(some)))) if batch is None else batch
        padding = np.zeros((size - len(some), *rows.shape[1:]), rows.dtype)
        padded = np.concatenate([some, padding])
        codes = np.array([zlib.crc32(row.tobytes()) for row in padded], np.uint32)
        done.append(np.asarray(_answer_each(answer, key, codes, state, padded))[: len(some)])
    return np.concatenate(done)


def draw_rows(
    method: Method,
    key: PRNGKey,
    state: State,
    rows: np.ndarray,
    numbers: np.ndarray,
    n: int,
    batch: int,
) -> np.ndarray:
    """Several random completions of rows, each by itself; see `draws.draw_many`.

    Args:
        method: one with `sample`.
        key: of everything random.
        state: what `fit` returned.
        rows: `(rows, *event)` floats, NaN where missing.
        numbers: of the rows, from which their keys are folded.
        n: number of draws.
        batch: rows in each compiled call; short ones are padded.

    Returns:
        `(n, rows, *event)` completed.

    Raises:
        OptionError: the method does not draw.
    """
    done = [np.empty((n, 0, *rows.shape[1:]), rows.dtype)]
    # JAX's integers have four bytes; rows 2^31 apart may share their random numbers
    codes = (numbers % 2**31).astype(np.int32)
    for start in range(0, len(rows), batch):
        some, code = rows[start : start + batch], codes[start : start + batch]
        short = batch - len(some)
        data = from_nan(jnp.asarray(np.pad(some, [(0, short), *[(0, 0)] * (rows.ndim - 1)])))
        again = jax.random.clone(key)  # the same for all rows, whose numbers are folded in
        drawn = draw_many(method, again, state, data, n, rows=np.pad(code, (0, short)))
        done.append(np.asarray(drawn)[:, : len(some)])
    return np.concatenate(done, axis=1)


@jax.jit(static_argnames="answer")
def _answer_each(
    answer: Callable[..., jax.Array],
    key: PRNGKey,
    codes: UInt32[Array, "n"],
    state: State,
    rows: Float[Array, "n *event"],
) -> Float[Array, "n *event"]:
    def one(key, row):
        return answer(key, state, from_nan(row[None]))[0]

    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, codes)
    if rows.shape[0] == 1:  # large ones come alone, and need no second batch axis
        return one(keys[0], rows[0])[None]
    return jax.vmap(one)(keys, rows)
