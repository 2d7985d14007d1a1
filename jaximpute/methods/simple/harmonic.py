"""Membranes and thin plates through the observed entries: Laplace's equation and its square."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaximpute._errors import OptionError
from jaximpute.methods.simple._grid import axes_of, learn_moments, restored, standardised
from jaximpute.methods.simple._static import static_method
from jaximpute.types import Method, Observed, Scalar


def harmonic(
    *, axes: str = "yx", periodic: str = "", tol: Scalar = 1e-4, most: int = 1000
) -> Method:
    r"""Laplace's equation in the holes, with what is observed as their boundary.

    A missing entry is the mean of its neighbours, which makes the surface with the least
    :math:`\sum_{i \sim j} (x_i - x_j)^2`. Beyond the edges of the array nothing pulls. A frame (or,
    with time among the axes, a field) of a channel in which nothing is observed gets the channel's
    mean.

    Args:
        axes: which axes have neighbours, letters of `tyx`: `yx` fills each frame alone, `tyx` uses
            the frames before and after as well, one frame being as far as one cell.
        periodic: axes that close on themselves, such as `x` for all longitudes.
        tol: relative residual at which conjugate gradients stop, in (0, 1).
        most: iterations, at most.

    Returns:
        An inductive method for images and fields.

    Raises:
        OptionError: an option out of range.
        DataError: later, for data that is neither images nor fields.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> x = np.array([[0.0, np.nan, 2.0], [0.0, np.nan, 2.0]]).reshape(1, 2, 3, 1)
        >>> data, method = ji.observe(x), ji.methods.harmonic()
        >>> state = ji.fit(method, jax.random.key(0), data, 0)
        >>> ji.complete(method, jax.random.key(1), state, data)[0, :, 1, 0].round(3).tolist()
        [1.0, 1.0]
    """
    along, closed = _check(axes, periodic, tol, most)

    def solve(x, mask):
        return _solve(lambda u: _laplace(u, along, closed), x, mask, jnp.zeros_like(x), tol, most)

    return _surface(solve, along)


def biharmonic(
    *, axes: str = "yx", periodic: str = "", tol: Scalar = 1e-4, most: int = 1000
) -> Method:
    r"""The thin plate through what is observed: least bending, :math:`\sum_i (L x)_i^2`.

    :math:`L` is the Laplacian of the grid, so that in the holes :math:`L^2 x = 0`. Unlike a
    membrane (`harmonic`) it carries slopes on across a hole, and may overshoot in a large one.

    Args:
        axes, periodic, tol: see `harmonic`.
        most: iterations, at most. A hole `w` cells wide takes about `w`² of them, in which single
            precision settles its finer structure first; the start is the membrane.

    Returns:
        An inductive method for images and fields.

    Raises:
        OptionError: an option out of range.
        DataError: later, for data that is neither images nor fields.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> x = np.arange(36.0).reshape(1, 6, 6, 1)
        >>> x[0, 3, 3] = np.nan
        >>> data, method = ji.observe(x), ji.methods.biharmonic()
        >>> state = ji.fit(method, jax.random.key(0), data, 0)
        >>> round(float(ji.complete(method, jax.random.key(1), state, data)[0, 3, 3, 0]), 3)
        21.0

    Source: Damelin and Hoang, "On surface completion and image inpainting by biharmonic functions"
    (2018), here with natural edges.
    """
    along, closed = _check(axes, periodic, tol, most)

    def laplace(u):
        return _laplace(u, along, closed)

    def solve(x, mask):
        membrane = _solve(laplace, x, mask, jnp.zeros_like(x), tol, most)
        return _solve(lambda u: laplace(laplace(u)), x, mask, membrane, tol, most)

    return _surface(solve, along)


def _surface(solve: Callable, along: tuple[int, ...]) -> Method:
    """A method from `solve(x, mask)` on `(t, y, x)`, which is applied to each slice `along`."""
    apart = [axis for axis in range(3) if axis not in along]

    def estimate(key, state, data: Observed) -> jax.Array:
        del key
        mean, scale = state
        x, mask = standardised(data, mean, scale)
        order = [0, 1, *(2 + axis for axis in (*apart, *along))]
        shape = [1 if axis in apart else x.shape[2 + axis] for axis in range(3)]

        # each slice is solved apart, and ends its iterations for itself
        def flatten(a):
            return a.transpose(order).reshape(-1, *shape)

        filled = jax.vmap(solve)(flatten(x), flatten(mask))
        moved = filled.reshape([x.shape[axis] for axis in order])
        straight = [order.index(axis) for axis in range(5)]
        return restored(moved.transpose(straight), mean, scale, data)

    return static_method(learn_moments, estimate=estimate)


def _solve(operator, x, mask, start, tol, most):
    """The `x` with `operator(x) = 0` where it is missing, by conjugate gradients."""
    known = jnp.where(mask, x, 0)

    def inside(u):
        return jnp.where(mask, 0, operator(jnp.where(mask, 0, u)))

    right = jnp.where(mask, 0, -operator(known))
    # a slice without anything observed has the right side 0, and stays at its start
    solved, _ = jax.scipy.sparse.linalg.cg(
        inside, right, jnp.where(mask, 0, start), tol=tol, maxiter=most
    )
    return jnp.where(mask, x, solved)


def _laplace(u, along: tuple[int, ...], closed: tuple[int, ...]):
    """Minus the Laplacian of a grid: sum over neighbours of the difference to them."""
    total = jnp.zeros_like(u)
    for axis in along:
        if axis in closed:
            total += 2 * u - jnp.roll(u, 1, axis) - jnp.roll(u, -1, axis)
        else:
            step = jnp.diff(u, axis=axis)
            edge = [(0, 0)] * u.ndim
            edge[axis] = (1, 1)
            total -= jnp.diff(jnp.pad(step, edge), axis=axis)
    return total


def _check(axes, periodic, tol, most) -> tuple[tuple[int, ...], tuple[int, ...]]:
    along, closed = axes_of(axes, "axes"), axes_of(periodic, "periodic")
    if not along:
        raise OptionError("axes is empty; expected letters of 'tyx', such as 'yx'")
    if not 0 < tol < 1 or most < 1:
        raise OptionError(f"tol is {tol} and most {most}; expected tol in (0, 1) and most >= 1")
    return along, closed
