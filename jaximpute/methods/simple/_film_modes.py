"""Modes of films: what they say of films with holes, whatever correlation the rest has."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Shaped

from jaximpute.methods.simple import _chunks, _field_draws, _field_kriging, _modes
from jaximpute.methods.simple._blocks import Blocks
from jaximpute.methods.simple._field_kriging import Kriging
from jaximpute.methods.simple._modes import Modes
from jaximpute.types import PRNGKey


def flat(a: Shaped[Array, "n c t y x"], film: bool) -> Shaped[Array, "rows columns"]:
    """Whole films as rows, or each frame."""
    return _rows(a, film).reshape(len(a) if film else len(a) * a.shape[2], -1)


def unflat(rows: Float[Array, "rows columns"], like, film: bool) -> Float[Array, "n c t y x"]:
    """The inverse of `flat`."""
    n, c, t, *space = like.shape
    return rows.reshape(like.shape) if film else rows.reshape(n, t, c, *space).swapaxes(1, 2)


def of_films(modes: Modes, like: Float[Array, "n c t y x"]) -> bool:
    """Whether the modes are of whole films."""
    return len(modes.shape) == like[0].size


def mean(modes: Modes, like: Float[Array, "n c t y x"]) -> Float[Array, "n c t y x"]:
    """The mean, for each film."""
    film = of_films(modes, like)
    rows = len(like) if film else len(like) * like.shape[2]
    shape = (rows, len(modes.shape))
    return unflat(jnp.broadcast_to(modes.shape[None, :, 0], shape), like, film)


def explained(modes: Modes, x: Float[Array, "n c t y x"], mask) -> Float[Array, "n c t y x"]:
    """Mean and modes of films given what is observed, where the rest is white noise."""
    film = of_films(modes, x)
    return unflat(_modes.complete(modes, flat(x, film), flat(mask, film)), x, film)


def explained_beside(
    modes: Modes, kriging: Kriging, x: Float[Array, "n c t y x"], mask: Bool[Array, "n c t y x"]
) -> Float[Array, "n c t y x"]:
    r"""The same where the rest is a field with a covariance.

    .. math:: \hat z = \Bigl(I + \sum_b W_b^\top K_b^{-1} W_b\Bigr)^{-1}
        \sum_b W_b^\top K_b^{-1} (x_b - \mu_b)

    over chunks of what is observed (`_chunks`), between which the rest counts as independent. As
    white noise, neighbours would each count as news of the modes.
    """
    film = of_films(modes, x)
    rows, seen = _rows(x, film), _rows(mask, film)
    c, *grid = rows.shape[1:]
    shape = modes.shape.reshape(c, -1, modes.shape.shape[1])
    cut = _chunks.cutter(tuple(grid))
    eye = jnp.eye(shape.shape[2] - 1, dtype=x.dtype)

    def row(inputs):
        x, seen = inputs

        def channel(total, inputs):
            kriging, shape, x, seen = inputs
            number, piece = cut(seen)

            def add(i, total):
                cells, at, there = piece(i)
                known = jnp.where(there[:, None], shape[cells], 0)
                value = jnp.where(there, x.ravel()[cells], 0) - known[:, 0]
                cov = _chunks.matrix(kriging.model, kriging.rough, at, there)
                half = jax.scipy.linalg.solve_triangular(
                    jnp.linalg.cholesky(cov),
                    jnp.concatenate([known[:, 1:], value[:, None]], axis=1),
                    lower=True,
                )
                return total + jnp.matmul(half[:, :-1].T, half, precision="highest")

            return jax.lax.fori_loop(0, number, add, total), None

        start = jnp.zeros((len(eye), len(eye) + 1), x.dtype)
        total, _ = jax.lax.scan(channel, start, (kriging, shape, x, seen))
        root = jnp.linalg.cholesky(eye + total[:, :-1])
        z = jax.scipy.linalg.cho_solve((root, True), total[:, -1])
        return modes.shape[:, 0] + jnp.matmul(modes.shape[:, 1:], z, precision="highest")

    return unflat(jax.lax.map(row, (rows, seen)), x, film)


def covariance(
    modes: Modes, at: Int[Array, "chunks size 3"], channel: Int[Array, ""], like, film: bool
) -> Float[Array, "chunks size size"]:
    """What the modes add to the covariance of the entries of chunks, `(t, y, x)` in films."""
    c, t, *space = like.shape[1:]
    t = t if film else 1
    shape = modes.shape[:, 1:].reshape(c, t, *space, -1)[channel]
    there = shape[at[..., 0] if film else 0, at[..., 1], at[..., 2]]
    found = jnp.matmul(there, there.swapaxes(1, 2), precision="highest")
    same = at[:, :, None, 0] == at[:, None, :, 0]
    return found if film else jnp.where(same, found, 0)  # each frame has coefficients of its own


def completed(
    modes: Modes, kriging: Kriging, blocks: Blocks, x: Float[Array, "n c t y x"], mask, wanted
) -> Float[Array, "n c t y x"]:
    """Mean and modes, with the rest kriged where it is wanted."""
    trend = explained_beside(modes, kriging, x, mask)
    rest = jnp.where(mask, x - trend, 0)

    def channel(inputs):
        kriging, *film = inputs
        return _field_kriging.complete(kriging, blocks, *film)

    apart = (a.swapaxes(0, 1) for a in (rest, mask, wanted))
    return trend + jax.lax.map(channel, (kriging, *apart)).swapaxes(0, 1)


def drawn(
    key: PRNGKey, modes: Modes, kriging: Kriging, like: Float[Array, "n c t y x"]
) -> Float[Array, "n c t y x"]:
    """Films drawn from the model, without the mean."""
    k_modes, k_rest = jax.random.split(key)
    film = of_films(modes, like)
    n, c, t, *space = like.shape
    waves = unflat(_modes.drawn(k_modes, modes, n if film else n * t), like, film)

    def channel(inputs):
        number, kriging = inputs
        return _field_draws.field(jax.random.fold_in(k_rest, number), kriging, (n, t, *space))

    return waves + jax.lax.map(channel, (jnp.arange(c), kriging)).swapaxes(0, 1)


def _rows(a: Shaped[Array, "n c t y x"], film: bool) -> Shaped[Array, "rows c frames y x"]:
    """Films, or each frame as a film of one."""
    if film:
        return a
    n, c, t, *space = a.shape
    return a.swapaxes(1, 2).reshape(n * t, c, 1, *space)
