"""Scores of many completions on chosen entries: are the draws near the truth, and honest?"""

import chex
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaximpute._errors import OptionError
from jaximpute.masking import masked_mean

_CSDI_LEVELS = tuple(round(0.05 * i, 2) for i in range(1, 20))


def crps_from_draws(
    truth: Float[Array, "*shape"],
    draws: Float[Array, "m *shape"],
    where: Bool[Array, "*shape"],
    *,
    fair: bool = True,
) -> Float[Array, ""]:
    r"""Continuous ranked probability score of draws, averaged over the entries chosen.

    .. math:: \frac{1}{m} \sum_i |x_i - y| - \frac{1}{2c} \sum_{i, j} |x_i - x_j|

    with :math:`c = m (m - 1)` for the fair estimator, whose expectation is the score of the
    distribution drawn from, and :math:`c = m^2` for the score of the :math:`m` draws as they are.
    The double sum costs one sort: for ascending draws it is :math:`2 \sum_i (2i - m - 1) x_{(i)}`.

    Args:
        truth: the values that were hidden.
        draws: completions, along the first axis; at least two if `fair`.
        where: the entries scored.
        fair: correct for the number of draws. A fair score can be negative.

    Returns:
        A scalar in the units of `truth`; for a single draw, not fair, it is the absolute error.

    Raises:
        OptionError: too few draws.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> z = jax.random.normal(jax.random.key(0), (101, 1000))
        >>> score = crps_from_draws(z[0], z[1:], jnp.full(1000, True))
        >>> bool(abs(score - jnp.pi**-0.5) < 0.05)  # of N(0, 1) against itself
        True

    Source: Gneiting and Raftery, "Strictly proper scoring rules, prediction, and estimation"
    (2007), eq. (21); Ferro, "Fair scores for ensemble forecasts" (2014).
    """
    _check_shapes(truth, draws, where)
    m = draws.shape[0]
    if m < 1 + fair:
        raise OptionError(f"draws has {m} draws; expected at least {1 + fair} for fair={fair}")
    # relative to the truth, or a large common level would cancel badly in float32
    x = jnp.sort(draws - truth[None], axis=0)
    rank = jnp.arange(1 - m, m, 2, dtype=x.dtype)
    spread = jnp.tensordot(rank, x, axes=1, precision="highest") / (m * (m - 1 if fair else m) or 1)
    return masked_mean(jnp.abs(x).mean(axis=0) - spread, where)


def crps_csdi(
    truth: Float[Array, "*shape"], draws: Float[Array, "m *shape"], where: Bool[Array, "*shape"]
) -> Float[Array, ""]:
    r"""The normalised quantile loss that CSDI and its successors print as CRPS.

    .. math::
        \frac{1}{19} \sum_{q \in \{0.05, \dots, 0.95\}}
        \frac{2 \sum |(\hat x_q - x)(1[x \le \hat x_q] - q)|}{\sum |x|}

    It is divided by the mean level of the data, so it does not compare across normalisations and is
    not `crps_from_draws`, even up to that factor: the tails beyond 0.05 and 0.95 are left out.

    Args:
        truth: the values that were hidden, in original units to match published numbers.
        draws: completions, along the first axis (100 in CSDI).
        where: the entries scored.

    Returns:
        A scalar without units; NaN where all truths chosen are 0.

    Example:
        >>> import jax.numpy as jnp
        >>> truth = jnp.array([1.0, 3.0])
        >>> score = crps_csdi(truth, jnp.broadcast_to(truth + 1, (3, 2)), jnp.array([True, True]))
        >>> round(float(score), 4)
        0.5

    Source: Tashiro et al., "CSDI: conditional score-based diffusion models for probabilistic time
    series imputation" (2021), appendix D.
    """
    _check_shapes(truth, draws, where)
    levels = jnp.asarray(_CSDI_LEVELS, truth.dtype)
    estimates = jnp.quantile(draws, levels, axis=0)
    level = levels.reshape(-1, *(1,) * truth.ndim)
    gap = estimates - truth[None]
    pinball = 2 * jnp.abs(gap * ((gap >= 0) - level)).mean(axis=0)
    size = jnp.sum(jnp.where(where, jnp.abs(truth), 0))
    return jnp.sum(jnp.where(where, pinball, 0)) / size


def coverage(
    truth: Float[Array, "*shape"],
    draws: Float[Array, "m *shape"],
    where: Bool[Array, "*shape"],
    *,
    level: float = 0.9,
) -> Float[Array, ""]:
    r"""Share of chosen truths inside the central interval of the draws.

    The interval runs between the :math:`(1 \mp \mathrm{level}) / 2` quantiles of the draws,
    linearly interpolated. Calibrated draws cover `level`, less a bias of order :math:`1/m`.

    Args:
        truth: the values that were hidden.
        draws: completions, along the first axis.
        where: the entries scored.
        level: nominal coverage, in (0, 1).

    Returns:
        A scalar in 0..1; 0 if no entry is chosen.

    Raises:
        OptionError: `level` out of range.

    Example:
        >>> import jax.numpy as jnp
        >>> draws = jnp.broadcast_to(jnp.linspace(0, 1, 101)[:, None], (101, 2))
        >>> float(coverage(jnp.array([0.5, 2.0]), draws, jnp.array([True, True])))
        0.5
    """
    if not 0 < level < 1:
        raise OptionError(f"level is {level}; expected a share strictly between 0 and 1")
    _check_shapes(truth, draws, where)
    ends = jnp.asarray([(1 - level) / 2, (1 + level) / 2], draws.dtype)
    low, high = jnp.quantile(draws, ends, axis=0)
    return masked_mean(((low <= truth) & (truth <= high)).astype(truth.dtype), where)


def _check_shapes(truth: Array, draws: Array, where: Array) -> None:
    chex.assert_equal_shape([truth, where])
    chex.assert_shape(draws, (None, *truth.shape))
