"""Have chains forgotten where they began?"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaximpute._errors import OptionError


def r_hat(chains: Float[Array, "m n *shape"]) -> Float[Array, "*shape"]:
    r"""Potential scale reduction of several chains: rank-normalised, split, and folded.

    Each chain is cut in two, and all values are replaced by their normal scores
    :math:`z = \Phi^{-1}((r - 3/8) / (S + 1/4))`, with ranks :math:`r` among all :math:`S`. With
    the variance :math:`W` within the halves, of :math:`n` values each, and :math:`B / n` between
    their means,

    .. math:: \hat R = \sqrt{\frac{n - 1}{n} + \frac{B}{n W}}.

    The same of :math:`|x - \mathrm{median}(x)|` sees chains that differ in width alone; the larger
    of the two is returned.

    Args:
        chains: m >= 1 chains of n >= 4 values each; of an odd number the middle one is left out.
        Further axes are taken one by one.

    Returns:
        About 1 for chains of one distribution; above 1.01 with long chains, or 1.1 with short ones,
        they have not mixed. NaN where all values are the same.

    Raises:
        OptionError: too few values.

    Example:
        >>> import jax
        >>> mixed = jax.random.normal(jax.random.key(0), (4, 200))
        >>> apart = mixed + jnp.arange(4.0)[:, None]
        >>> bool(r_hat(mixed) < 1.02), bool(r_hat(apart) > 1.5)
        (True, True)

    Source: Vehtari, Gelman, Simpson, Carpenter and Buerkner, "Rank-normalization, folding, and
    localization: an improved R-hat for assessing convergence of MCMC", Bayesian Analysis 16 (2021),
    section 4.
    """
    m, n = chains.shape[:2]
    if m < 1 or n < 4:
        raise OptionError(f"{m} chains of {n} values; expected at least one, of at least 4")
    half = n // 2
    halves = jnp.concatenate([chains[:, :half], chains[:, n - half :]])
    middle = jnp.median(halves, axis=(0, 1), keepdims=True)
    return jnp.maximum(_split(halves), _split(jnp.abs(halves - middle)))


def _split(halves: Float[Array, "m n *shape"]) -> Float[Array, "*shape"]:
    m, n = halves.shape[:2]
    flat = halves.reshape(m * n, *halves.shape[2:])
    ranks = jax.scipy.stats.rankdata(flat, axis=0)
    z = jax.scipy.stats.norm.ppf((ranks - 0.375) / (m * n + 0.25)).reshape(halves.shape)
    within = z.var(axis=1, ddof=1).mean(axis=0)
    between = z.mean(axis=1).var(axis=0, ddof=1)  # B / n
    constant = (flat == flat[:1]).all(axis=0)
    return jnp.where(constant, jnp.nan, jnp.sqrt((n - 1) / n + between / within))
