"""Entries that go missing one by one: completely at random, at random, not at random."""

from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaximpute._errors import DataError, OptionError
from jaximpute.maths import random
from jaximpute.missing._common import Missing, check_rate, rows, spare
from jaximpute.types import PRNGKey

Tail: TypeAlias = Literal["upper", "lower", "both"]


def mcar(p: float) -> Missing:
    r"""Missing completely at random: each entry is hidden with probability `p`, independently.

    Args:
        p: expected share of entries hidden, in (0, 1).

    Returns:
        `(key, x) -> mask`, True = observed, of the shape of `x`.

    Raises:
        OptionError: `p` out of range.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> mask = mcar(0.25)(jax.random.key(0), jnp.ones((1000, 4)))
        >>> bool(abs((~mask).mean() - 0.25) < 0.03)
        True

    Source: Rubin, "Inference and missing data" (1976).
    """
    check_rate(p)

    def simulate(key, x):
        k_hide, k_spare = jax.random.split(key)
        return spare(k_spare, random.bernoulli(k_hide, 1 - p, x.shape))

    return simulate


def mar(p: float, *, always: float = 0.3, slope: float = 1.0) -> Missing:
    r"""Missing at random: a logistic model on columns that are always observed.

    A random set :math:`A` of columns stays observed. With :math:`z` the standardised columns, a
    column :math:`d \notin A` of row :math:`i` is hidden with probability

    .. math::
        \mathrm{sigmoid}\Big(s\, \frac{u_{id}}{\mathrm{sd}(u_d)} + b_d\Big), \qquad
        u_{id} = \sum_{a \in A} z_{ia} w_{ad}, \quad w_{ad} \sim N(0, 1)

    and the bias :math:`b_d` solves :math:`\mathrm{mean}_i\, \mathrm{sigmoid}(\cdot) = p`. In series
    every time step is a row.

    Args:
        p: expected share hidden of each column outside :math:`A`, in (0, 1).
        always: share of columns in :math:`A`, in (0, 1); at least one column is in :math:`A` and at
            least one is not.
        slope: :math:`s`, the strength of the dependence; 0 is `mcar` on these columns.

    Returns:
        `(key, x) -> mask`, True = observed; it raises `DataError` for a single column.

    Raises:
        OptionError: `p` or `always` out of range.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> x = jax.random.normal(jax.random.key(0), (1000, 4))
        >>> mask = mar(0.4, always=0.5)(jax.random.key(1), x)
        >>> sorted((~mask).mean(0).round(1).tolist())[:2]
        [0.0, 0.0]

    Source: the protocol of Muzellec et al., "Missing data imputation using optimal transport"
    (2020), appendix.
    """
    check_rate(p)
    check_rate(always, "always")

    def simulate(key, x):
        d = x.shape[-1]
        if d < 2:
            raise DataError(
                "mar needs at least two columns, one to stay observed and one to hide, and x has "
                f"{d}; use mcar or mnar_self for a single column"
            )
        k_columns, k_weights, k_hide, k_spare = jax.random.split(key, 4)
        count = min(max(round(always * d), 1), d - 1)
        observed = jax.random.permutation(k_columns, d) < count
        weights = jnp.where(observed[:, None], random.normal(k_weights, (d, d), x.dtype), 0)
        u = jnp.matmul(_standardise(rows(x)), weights, precision="highest")
        hide = _hide(k_hide, p, slope * _standardise(u))
        return spare(k_spare, (observed[None] | ~hide).reshape(x.shape))

    return simulate


def mnar_self(p: float, *, slope: float = 2.0) -> Missing:
    r"""Missing not at random, self-masking: a value decides on its own disappearance.

    With :math:`z` the standardised columns, an entry is hidden with probability
    :math:`\mathrm{sigmoid}(s z_{id} + b_d)`, where :math:`b_d` solves
    :math:`\mathrm{mean}_i\, \mathrm{sigmoid}(\cdot) = p`.

    Args:
        p: expected share hidden of each column, in (0, 1).
        slope: :math:`s` per standard deviation; positive hides large values, negative small ones.

    Returns:
        `(key, x) -> mask`, True = observed.

    Raises:
        OptionError: `p` out of range.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> x = jax.random.normal(jax.random.key(0), (1000, 1))
        >>> mask = mnar_self(0.3)(jax.random.key(1), x)
        >>> bool(x[~mask].mean() > x[mask].mean() + 1)
        True

    Source: Mohan, Thoemmes and Pearl, "Estimation with incomplete data" (2018).
    """
    check_rate(p)

    def simulate(key, x):
        k_hide, k_spare = jax.random.split(key)
        hide = _hide(k_hide, p, slope * _standardise(rows(x)))
        return spare(k_spare, ~hide.reshape(x.shape))

    return simulate


def mnar_quantile(p: float, *, share: float = 0.5, tail: Tail = "upper") -> Missing:
    r"""Missing not at random, by quantiles: only extreme values of a column go missing.

    The `share` most extreme entries of each column are hidden with probability `p / share` each,
    independently; the others stay. Ties are broken at random.

    Args:
        p: expected share hidden of each column, in (0, share].
        share: share of a column's entries that count as extreme, in (0, 1].
        tail: where they lie: `upper`, `lower`, or half on each side for `both`.

    Returns:
        `(key, x) -> mask`, True = observed.

    Raises:
        OptionError: an option out of range.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> x = jnp.arange(100.0)[:, None]
        >>> mask = mnar_quantile(0.25, share=0.25)(jax.random.key(0), x)
        >>> float(x[~mask].min()), int((~mask).sum())
        (75.0, 25)

    Source: the protocol of Muzellec et al., "Missing data imputation using optimal transport"
    (2020), appendix.
    """
    check_rate(p)
    if not p <= share <= 1:
        raise OptionError(f"share is {share}; expected {p}..1, at least p")
    if tail not in ("upper", "lower", "both"):
        raise OptionError(f"tail is {tail!r}; expected 'upper', 'lower' or 'both'")

    def simulate(key, x):
        k_ties, k_hide, k_spare = jax.random.split(key, 3)
        flat = rows(x)
        n = flat.shape[0]
        count = max(round(share * n), 1)
        order = jnp.lexsort((jax.random.uniform(k_ties, flat.shape), flat), axis=0)
        rank = jnp.argsort(order, axis=0)
        low = {"upper": 0, "lower": count, "both": count // 2}[tail]
        extreme = (rank < low) | (rank >= n - (count - low))
        hide = extreme & jax.random.bernoulli(k_hide, min(p * n / count, 1.0), flat.shape)
        return spare(k_spare, ~hide.reshape(x.shape))

    return simulate


def _standardise(x: Float[Array, "n d"]) -> Float[Array, "n d"]:
    centred = x - x.mean(axis=0)[None]
    spread = jnp.sqrt((centred**2).mean(axis=0))
    return centred / jnp.where(spread > 1e-6, spread, 1.0)[None]


def _hide(key: PRNGKey, p: float, logit: Float[Array, "n d"]) -> Bool[Array, "n d"]:
    """Entries hidden with probability sigmoid(logit + bias), the mean of each column being p."""
    hidden = jax.nn.sigmoid(logit + _bias(p, logit)[None])
    return random.bernoulli(key, hidden, hidden.shape)


def _bias(p: float, logit: Float[Array, "n d"]) -> Float[Array, "d"]:
    """The b with mean sigmoid(logit + b) = p in each column, by bisection."""
    centre = jax.scipy.special.logit(jnp.asarray(p, logit.dtype))

    def halve(_, ends):
        low, high = ends
        middle = (low + high) / 2
        above = jax.nn.sigmoid(logit + middle[None]).mean(axis=0) > p
        return jnp.where(above, low, middle), jnp.where(above, middle, high)

    # at these ends every row's probability is at most, or at least, p
    ends = centre - logit.max(axis=0), centre - logit.min(axis=0)
    low, high = jax.lax.fori_loop(0, 40, halve, ends)
    return (low + high) / 2
