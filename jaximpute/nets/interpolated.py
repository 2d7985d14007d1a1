"""A network that corrects a smooth surface through its context, coarse to fine."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaximpute._errors import OptionError, check_chosen, check_positive
from jaximpute.maths import processes
from jaximpute.types import Net, Process

SURFACES = ("harmonic", "biharmonic")
AXES = "tyx"
# of a step of the heavy ball down the bending of a plate: its length, and what it keeps of the last
_LENGTH, _KEPT = 0.4, 0.6


def interpolated(
    net: Net | None,
    *,
    surface: str = "harmonic",
    axes: str = "yx",
    sweeps: int = 8,
    process: Process | None = None,
) -> Net:
    r"""A network that is shown a surface through its context, and answers with what that lacks.

    .. math:: x_\theta(t, x_t, c) = \alpha_t\, S_c(x_t) + \mathrm{net}(t, S_c(x_t), c)

    where :math:`S_c` keeps the context :math:`c` and fills the rest from it; see `fill`. It is a
    function of the context alone, so that nothing leaks and what is learned in the end is the same.
    But a network whose last layer begins with zeros begins as the interpolation, and not as 0;
    :math:`\alpha_t` is what is right for noisy values of unit variance. What a network cannot
    represent it cannot take back either: in wide holes, where the surface says little, one of few
    units without locality learns more slowly with it.

    Args:
        net: any network on arrays `(n, ..., channels)` whose first condition is the context; None
            for the surface alone.
        surface: `harmonic`, which never leaves the range of the context, or `biharmonic`, which
            carries slopes on and is nearer where holes are small.
        axes: which axes have neighbours, letters of `tyx`; see `methods.harmonic`.
        sweeps: relaxations at each resolution, at least 1.
        process: how noise enters; `processes.vp()` if None.

    Returns:
        The network; its parameters are those of `net`, none without it.

    Raises:
        OptionError: no such surface or axes, or fewer than one sweep.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> x = jnp.array([0.0, 9.0, 2.0, 9.0, 4.0]).reshape(1, 1, 5, 1)
        >>> context = jnp.array([1.0, 0.0, 1.0, 0.0, 1.0]).reshape(x.shape)
        >>> interpolated(None).apply({}, x, jnp.zeros(1), (context,)).ravel().round(2).tolist()
        [0.0, 1.0, 2.0, 3.0, 4.0]

    Source: ours.
    """
    check_chosen(surface=(surface, SURFACES))
    check_positive(sweeps=sweeps)
    if not axes or not set(axes) <= set(AXES):
        raise OptionError(f"axes is '{axes}'; expected letters of '{AXES}'")
    process = processes.vp() if process is None else process

    def filled(x, context):
        # frames, rows and columns come before the channels, and some data have no frames
        along = [x.ndim - 1 + AXES.index(a) - len(AXES) for a in axes]
        return fill(x, context > 0, [a for a in along if a > 0], surface == "biharmonic", sweeps)

    def init(key, x, t, cond):
        return {} if net is None else net.init(key, filled(x, cond[0]), t, cond)

    def apply(params, x, t, cond, key=None):
        alpha = process.marginal(jnp.broadcast_to(t, x.shape[:1]))[0]
        alpha = alpha.reshape(-1, *(1,) * (x.ndim - 1)).astype(x.dtype)
        through = filled(x, cond[0])
        answer = alpha * through
        return answer if net is None else answer + net.apply(params, through, t, cond, key)

    return Net(init, apply)


def fill(
    x: Float[Array, "n *event"],
    mask: Bool[Array, "n *event"],
    axes: Sequence[int],
    plate: bool = False,
    sweeps: int = 8,
) -> Float[Array, "n *event"]:
    """A membrane or a thin plate through what is observed, nearly.

    The mean of what is observed in two cells along each axis stands for both, until one is left;
    then each resolution begins with the next coarser one between its observed cells, and relaxes.
    A fixed number of sweeps serves holes of any size, unlike the solvers of
    `methods.harmonic`; a plate that has not settled overshoots less in large ones.

    Args:
        x: values; what they hold outside `mask` is not looked at.
        mask: True = observed. Where nothing is observed along all of `axes`, the answer is 0.
        axes: which axes have neighbours.
        plate: whether it resists bending, and not stretching.
        sweeps: relaxations at each resolution.
    """
    x, axes = jnp.where(mask, x, 0), [a for a in axes if x.shape[a] > 1]
    if not axes:
        return x
    total, number = x, mask.astype(x.dtype)
    for a in axes:
        total, number = _pairs(total, a), _pairs(number, a)
    guess = fill(total / jnp.maximum(number, 1), number > 0, axes, plate, sweeps)
    for a in axes:
        guess = _twice(guess, a, x.shape[a])
    guess = jnp.where(mask, x, guess)

    def relax(i, now):
        del i
        y, speed = now
        if not plate:
            return jnp.where(mask, x, y + _bend(y, axes)), speed
        speed = _KEPT * speed - _LENGTH * _bend(_bend(y, axes), axes)
        return jnp.where(mask, x, y + speed), speed

    return jax.lax.fori_loop(0, sweeps, relax, (guess, jnp.zeros_like(x)))[0]


def _bend(y: jax.Array, axes: Sequence[int]) -> jax.Array:
    """How far the mean of its neighbours is from each entry; beyond the edges nothing pulls."""
    total = jnp.zeros_like(y)
    for a in axes:
        edges = [(int(b == a), int(b == a)) for b in range(y.ndim)]
        total += jnp.diff(jnp.pad(jnp.diff(y, axis=a), edges), axis=a)
    return total / (2 * len(axes))


def _pairs(x: jax.Array, axis: int) -> jax.Array:
    """Sums of two neighbours along an axis; the last may be alone."""
    pad = [(0, x.shape[axis] % 2 if a == axis else 0) for a in range(x.ndim)]
    first, second = (jax.lax.slice_in_dim(jnp.pad(x, pad), i, None, 2, axis) for i in (0, 1))
    return first + second


def _twice(x: jax.Array, axis: int, side: int) -> jax.Array:
    """Two entries for each along an axis, on the lines between them; the first `side` of them."""
    last = x.shape[axis] - 1
    before = jnp.concatenate([_part(x, 0, 1, axis), _part(x, 0, last, axis)], axis)
    after = jnp.concatenate([_part(x, 1, last + 1, axis), _part(x, last, last + 1, axis)], axis)
    both = jnp.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], axis + 1)
    shape = (*x.shape[:axis], 2 * (last + 1), *x.shape[axis + 1 :])
    return _part(both.reshape(shape), 0, side, axis)


def _part(x: jax.Array, start: int, stop: int, axis: int) -> jax.Array:
    return jax.lax.slice_in_dim(x, start, stop, axis=axis)
