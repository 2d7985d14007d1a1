"""Kriging in blocks: cells that lie together share the observed entries nearest to them."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaximpute.methods.simple import _covariance

NEIGHBOURS = 128
# of a block, in cells: with frames before and after, the nearest entries lie in a smaller circle
_SIDE, _SIDE_IN_TIME = 8, 4
ORDERS = 3  # of neighbours, see `Blocks.ordered`
_LOOKED_AT = 8192  # places around a block at most
_CHUNK = 256  # of these at a time


class Blocks:
    """Blocks of the frames of a field, and where neighbours of each are looked for."""

    def __init__(self, shape: tuple[int, ...], reach: int):
        self.shape, self.reach = shape, reach
        self.margin = tuple(min(reach, size - 1) for size in shape)
        self.table = _covariance.lags(shape, reach)
        sides = [np.arange(-m, m + 1) for m in self.margin]
        offsets = np.stack(np.meshgrid(*sides, indexing="ij"), -1).reshape(-1, 3)
        # of places that vary as much, the nearer first
        self.offsets = offsets[np.argsort((offsets**2).sum(1), kind="stable")]
        wide = [size + 2 * m for size, m in zip(shape, self.margin, strict=True)]
        self.strides = np.array([wide[1] * wide[2], wide[2], 1])
        most = _SIDE if shape[0] == 1 else _SIDE_IN_TIME
        self.side = tuple(
            min(most, size, 2 * m + 1) for size, m in zip(shape[1:], self.margin[1:], strict=True)
        )
        corners = [
            np.minimum(np.arange(0, size, side), size - side)
            for size, side in zip(shape[1:], self.side, strict=True)
        ]
        self.corners = np.stack(
            np.meshgrid(np.arange(shape[0]), *corners, indexing="ij"), -1
        ).reshape(-1, 3)
        inside = np.stack(np.meshgrid(*map(np.arange, self.side), indexing="ij"), -1).reshape(-1, 2)
        self.inside = np.concatenate([np.zeros((len(inside), 1), int), inside], axis=1)
        self.middle = np.array([0, *(side // 2 for side in self.side)])

    def padded(self, row: jax.Array) -> jax.Array:
        """A row, flat, with a margin of zeros, so that offsets need no bounds."""
        return jnp.pad(row, [(m, m) for m in self.margin]).ravel()

    def ordered(self, cov: Float[Array, "lags"], order: Int[Array, ""]) -> jax.Array:
        """The offsets in which neighbours are looked for.

        Order 0 has those of the largest covariance first, 1 those of the own frame before all
        others, and 2 takes own frame and others in turn.
        """
        at = self.table.zero + jnp.asarray(self.offsets @ self.table.strides)
        found = jnp.asarray(self.offsets)[jnp.argsort(-cov[at], stable=True)]
        own = found[:, 0] == 0
        turn = jnp.where(own, jnp.cumsum(own), jnp.cumsum(~own))
        keys = jnp.stack([jnp.zeros_like(turn), (~own).astype(turn.dtype), turn])
        return found[jnp.argsort(keys[order], stable=True)[:_LOOKED_AT]]

    def cells(self) -> np.ndarray:
        """The flat places of the cells of each block, `(blocks, cells)`."""
        at = self.corners[:, None] + self.inside[None]
        return np.ravel_multi_index(tuple(np.moveaxis(at, -1, 0)), self.shape)

    def krige(self, cov, nugget, offsets, seen, values, block):
        """Means and variances of the cells of one block."""
        corner = jnp.asarray(self.corners)[block]
        place = (corner + self.middle + jnp.asarray(self.margin)) @ jnp.asarray(self.strides)
        steps, count = offsets @ jnp.asarray(self.strides), min(NEIGHBOURS, len(offsets))
        lag, step, there = nearest(steps, offsets, count, _CHUNK, seen, place)
        strides = jnp.asarray(self.table.strides)
        own = jnp.asarray((self.inside - self.middle) @ self.table.strides)
        far = lag @ strides
        among = cov[self.table.zero + far[:, None] - far[None]]
        across = jnp.where(there[:, None], cov[self.table.zero + own[None] - far[:, None]], 0)
        eye = jnp.eye(len(lag), dtype=values.dtype)
        both = there[:, None] & there[None]
        root = jnp.linalg.cholesky(jnp.where(both, among + nugget * eye, eye))
        x = jnp.where(there, values[place + step], 0)
        half = jax.scipy.linalg.solve_triangular(
            root, jnp.concatenate([across, x[:, None]], axis=1), lower=True
        )
        mean = jnp.matmul(half[:, :-1].T, half[:, -1], precision="highest")
        return mean, cov[self.table.zero] - (half[:, :-1] ** 2).sum(0)

    def complete(self, cov, nugget, offsets, x, mask, wanted):
        """Means and variances of the wanted cells of a row, and 0 elsewhere."""
        seen, values = self.padded(mask), self.padded(jnp.where(mask, x, 0))
        cells = jnp.asarray(self.cells())
        asked = wanted.ravel()[cells].any(1)
        order = jnp.argsort(~asked, stable=True)

        def one(i, out):
            block = order[i]
            found = self.krige(cov, nugget, offsets, seen, values, block)
            return out.at[:, cells[block]].set(jnp.stack(found))

        found = jax.lax.fori_loop(0, asked.sum(), one, jnp.zeros((2, x.size), x.dtype))
        return found.reshape(2, *x.shape)


def nearest(
    steps: Int[Array, "offsets"],
    offsets: Int[Array, "offsets axes"],
    neighbours: int,
    chunk: int,
    seen: Bool[Array, "places"],
    place: Int[Array, ""] | int,
) -> tuple[Int[Array, "k axes"], Int[Array, "k"], Bool[Array, "k"]]:
    """The first offsets from a place at which something is seen.

    Args:
        steps: the offsets in the flat array.
        offsets: in cells along each axis, the nearest first.
        neighbours: how many to find, at most.
        chunk: offsets that are looked at together, until there are enough.
        seen: which places of the flat array are observed.
        place: among these.

    Returns:
        The offsets in cells and in steps, and which of them there are.
    """
    chunk = min(chunk, len(steps))
    wanted = jnp.arange(1, neighbours + 1)

    def look(now):
        begin, count, chosen = now
        # the last chunk reaches back over what has been looked at
        first = jnp.minimum(begin, len(steps) - chunk)
        at = jax.lax.dynamic_slice_in_dim(steps, first, chunk)
        fresh = seen[place + at] & (first + jnp.arange(chunk) >= begin)
        rank = count + jnp.cumsum(fresh)
        found = first + jnp.searchsorted(rank, wanted)
        chosen = jnp.where((wanted > count) & (wanted <= rank[-1]), found, chosen)
        return begin + chunk, rank[-1], chosen

    def more(now):
        begin, count, _ = now
        return (begin < len(steps)) & (count < neighbours)

    start = (0, 0, jnp.zeros(neighbours, jnp.int32))
    _, count, chosen = jax.lax.while_loop(more, look, start)
    return offsets[chosen], steps[chosen], wanted <= count
