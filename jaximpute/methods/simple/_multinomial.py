"""Multinomial logistic regression with a ridge whose precision is learned."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float

from jaximpute.methods.simple._ridge import eigh, exact

_SURE = 1e-2  # of a parameter's deviation: gradients that are left, in units of curvature
_LOOSEST = 1e-2  # penalty: slopes of ten per deviation are as good as certain already
_NEVER = -1e9  # logit of a level that does not occur


class Softmax(NamedTuple):
    """Logits of the levels, `x @ coef.T + intercept`."""

    coef: Float[Array, "k d"]
    intercept: Float[Array, "k"]


def logits(
    fitted: Softmax, x: Float[Array, "n d"], present: Bool[Array, "k"]
) -> Float[Array, "n k"]:
    """Logits of the levels in each row; a level that is not present has next to none."""
    found = exact(x, fitted.coef.T) + fitted.intercept[None]
    return jnp.where(present[None], found, _NEVER)


def fit(
    x: Float[Array, "n d"],
    hot: Float[Array, "n k"],
    weight: Float[Array, "n"],
    present: Bool[Array, "k"],
    start: Softmax,
    penalty: Float[Array, ""],
    *,
    iterations: int = 50,
) -> tuple[Softmax, Float[Array, ""]]:
    r"""Regress the level of each row on `x`, and learn the penalty for the next fit.

    With :math:`p_{ik} \propto \exp(b_k + B_k x_i)`, the :math:`K` levels that occur, and
    :math:`\bar x` the mean row, the greatest value is sought of

    .. math:: \sum_i w_i \log p_{i y_i} - \frac{\lambda}{2} \|B\|^2
        + \frac{1}{K} \sum_k \log p_k(\bar x).

    The last term is one more row, at the mean, that has a share of every level: intercepts stay
    finite where a level is separated from the others, as slopes do by the ridge. The penalty then
    follows MacKay's fixed point, with a slope of size one put in beforehand,

    .. math:: \lambda \leftarrow \frac{\gamma + 1}{\|B\|^2 + 1}, \qquad
        \gamma = \frac{K - 1}{K} \sum_{k, i} \frac{h_{ki}}{\lambda + h_{ki}},

    where :math:`h_{ki} = \frac{K}{K - 1} \sum_n w_n p_{nk} (1 - p_{nk}) z_{ni}^2` is the curvature
    along the principal direction :math:`z_i` of the inputs. For two levels and one input that is
    the curvature itself.

    Args:
        x: inputs. A column of zeros gets slope 0.
        hot: 1 for the level of a row; ignored where the weight is 0.
        weight: of the rows, 0 for those not to be used.
        present: the levels that occur, by some row with a weight.
        start: where to begin.
        penalty: :math:`\lambda`, positive.
        iterations: of L-BFGS at most; it stops where no parameter is off by more than a hundredth
            of its deviation.

    Returns:
        The fit, and the next penalty.

    Source: Begg and Gray (1984) for the model; MacKay, "The evidence framework applied to
    classification networks", Neural Computation 4 (1992); the row of all levels is the augmentation
    of White, Daniel and Royston, "Avoiding bias due to perfect prediction in multiple imputation of
    incomplete categorical variables", Comput. Stat. Data Anal. 54 (2010), in its smallest form.
    """
    used = weight > 0
    total = jnp.maximum(weight.sum(), jnp.finfo(x.dtype).tiny)
    centre = (weight[:, None] * x).sum(0) / total
    away = jnp.where(used[:, None], x - centre[None], 0)
    values, vectors = eigh(exact((weight[:, None] * away).T, away))
    levels = jnp.maximum(present.sum(), 2).astype(x.dtype)
    even = (levels - 1) / levels**2  # curvature of a logit where all levels are as likely
    # parameters in units of their deviations: all directions are then about as curved
    unit = jnp.sqrt(even * jnp.maximum(values, 0) + penalty)
    level_unit = jnp.sqrt(even * (weight.sum() + 1))
    z = exact(away, vectors) / unit[None]
    wanted = jnp.where(used[:, None] & present[None], hot, 0)

    def loss(params):
        slopes, level = params
        level = jnp.where(present, level / level_unit, _NEVER)
        found = jnp.where(present[None], exact(z, slopes.T), 0) + level[None]
        fits = weight * ((wanted * found).sum(1) - jax.nn.logsumexp(found, axis=1))
        extra = jnp.where(present, jax.nn.log_softmax(level), 0).sum() / levels
        return 0.5 * penalty * ((slopes / unit[None]) ** 2).sum() - fits.sum() - extra

    level = start.intercept + exact(start.coef, centre)
    begin = exact(start.coef, vectors) * unit[None], jnp.where(present, level, 0) * level_unit
    slopes, level = _minimise(loss, begin, iterations)
    coef = exact(slopes / unit[None], vectors.T)
    level = level / level_unit
    level = level - jnp.where(present, level, 0).sum() / levels
    found = jnp.where(present[None], exact(z, slopes.T) + level[None], _NEVER)
    p = jax.nn.softmax(found, axis=1)
    curved = exact((weight[:, None] * p * (1 - p)).T, z**2) * unit[None] ** 2
    curved = curved * levels / (levels - 1)
    gamma = (levels - 1) / levels * (curved / (penalty + curved)).sum()
    after = jnp.maximum((gamma + 1) / ((coef**2).sum() + 1), _LOOSEST)
    return Softmax(coef, level - exact(coef, centre)), after


def _minimise(loss, params, most: int):
    """L-BFGS, until the gradient is next to nothing."""
    solver = optax.lbfgs(memory_size=10)
    slope = optax.value_and_grad_from_state(loss)

    def far(carry):
        state = carry[1]
        count = optax.tree.get(state, "count")
        gradient = jnp.concatenate([g.ravel() for g in optax.tree.get(state, "grad")])
        return (count == 0) | ((count < most) & (jnp.abs(gradient).max() > _SURE))

    def move(carry):
        params, state = carry
        value, gradient = slope(params, state=state)
        change, state = solver.update(
            gradient, state, params, value=value, grad=gradient, value_fn=loss
        )
        return optax.apply_updates(params, change), state

    return jax.lax.while_loop(far, move, (params, solver.init(params)))[0]
