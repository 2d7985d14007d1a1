"""Where entries of a field lie, for networks that are told."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaximpute.types import View
from jaximpute.views import every


def coordinates(
    shape: tuple[int, ...], view: Callable[[tuple[int, ...]], View]
) -> Float[Array, "tiles *where"]:
    """Time, y and x of each entry of a field, from -1 to 1, as a view cuts it.

    Row `i` of a view of many fields lies where row `i % tiles` of this does.

    Args:
        shape: of the fields, `(n, time, y, x, channels)` or `(n, y, x, channels)`.
        view: `shape -> View`.

    Returns:
        `(tiles, time, y, x, 3)`, or `(tiles, y, x, 3)` with a time of 0.

    Example:
        >>> from jaximpute.views import identity
        >>> coordinates((5, 2, 3, 4, 1), identity)[0, 0, :, 0].tolist()
        [[-1.0, -1.0, -1.0], [-1.0, 0.0, -1.0], [-1.0, 1.0, -1.0]]
    """
    sides = shape[1:-1]
    along = [jnp.linspace(-1.0, 1.0, side) if side > 1 else jnp.zeros(1) for side in sides]
    grid = jnp.stack(jnp.meshgrid(*along, indexing="ij"), axis=-1)
    grid = jnp.pad(grid, ((0, 0),) * len(sides) + ((3 - len(sides), 0),))[None]
    return every(view(grid.shape), grid)


def located(
    shape: tuple[int, ...], view: Callable[[tuple[int, ...]], View], places: bool
) -> Float[Array, "tiles *where"] | None:
    """`coordinates` for a network that is told places, and None for one that is not."""
    return coordinates(shape, view) if places else None


def given(
    context: Bool[Array, "n *event"], dtype: jnp.dtype, places: Float[Array, "n *where"] | None
) -> tuple[jax.Array, ...]:
    """The conditions of a network: the context as numbers, and maybe where it lies."""
    return (context.astype(dtype),) if places is None else (context.astype(dtype), places)
