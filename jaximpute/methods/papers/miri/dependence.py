"""How much completed rows still tell of their mask: what imputation should bring to nothing.

Where values are missing completely at random, the true rows and the mask are independent. A mask
that can be predicted from the completed rows is a sign that completions are unlike data.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float

from jaximpute.maths import random
from jaximpute.maths.distances import squared_distances
from jaximpute.maths.optimise import descend
from jaximpute.metrics import mmd
from jaximpute.types import Observed, PRNGKey

_LOOKED_AT = 512


class Information(NamedTuple):
    """An estimate of mutual information, in nats, on rows that it was not learned from.

    Attributes:
        information: the estimate, never negative: 0 where none was found.
        accuracy: share of held-out rows told apart from rows with shuffled masks; 1/2 is chance.
    """

    information: Float[Array, ""]
    accuracy: Float[Array, ""]


def dependence(x: Float[Array, "n *event"], mask: Bool[Array, "n *event"]) -> Float[Array, ""]:
    r"""Normalised Hilbert-Schmidt independence criterion of rows and mask, in 0..1.

    .. math:: \frac{\mathrm{tr}(K H L H)}{\sqrt{\mathrm{tr}(K H K H)\,\mathrm{tr}(L H L H)}}

    with Gaussian kernels :math:`K` of the rows and :math:`L` of the masks, of bandwidth
    :math:`\sqrt{d/2}`: rows should have columns of unit spread. Independence gives a value of the
    order of :math:`1/\sqrt n`, and not 0.

    Args:
        x: completed rows.
        mask: what was observed of them.

    Returns:
        A scalar; 0 where all masks are equal.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> x = jax.random.normal(jax.random.key(0), (200, 2))
        >>> mask = jax.random.uniform(jax.random.key(1), x.shape) < 0.5
        >>> bool(dependence(jnp.where(mask, x, 3.0), mask) > 4 * dependence(x, mask))
        True

    Source: Gretton et al., "Measuring statistical dependence with Hilbert-Schmidt norms" (2005).
    """
    n = x.shape[0]

    def gram(rows):
        k = jnp.exp(-squared_distances(rows, rows) / rows.shape[1])
        k = k - k.mean(axis=0, keepdims=True)
        return k - k.mean(axis=1, keepdims=True)

    k, m = gram(x.reshape(n, -1)), gram(mask.reshape(n, -1).astype(x.dtype))
    scale = jnp.sqrt((k**2).sum() * (m**2).sum())
    return (k * m).sum() / jnp.maximum(scale, 1e-6)


def look(
    key: PRNGKey, before: Float[Array, "n *event"], after: Float[Array, "n *event"], data: Observed
) -> dict[str, Float[Array, ""]]:
    """What one round did, from up to 512 random rows with columns scaled to unit spread.

    Args:
        key: picks the rows.
        before: completions before the round.
        after: completions after it.
        data: whose weights tell real rows from padding.

    Returns:
        `dependence` of the completed rows and the mask, and the `mmd` (squared, biased, bandwidth
        the square root of the number of entries) between the completions before and after.
    """
    n, d = after.shape[0], after.shape[-1]
    order = jnp.argsort(jnp.where(data.weight > 0, jax.random.uniform(key, (n,)), 2.0))
    order = order[: min(n, _LOOKED_AT)]
    i = jnp.where(data.weight[order] > 0, order, order[0])
    rows = after[i]
    flat = rows.reshape(-1, d)
    spread = jnp.maximum(flat.std(axis=0), 1e-6)[None]
    old, new = (v.reshape(-1, d) / spread for v in (before[i], rows))
    width = rows[0].size
    moved = mmd(old.reshape(-1, width), new.reshape(-1, width), bandwidth=width**0.5)
    return {
        "dependence": dependence(new.reshape(rows.shape), data.mask[i]),
        "mmd": jnp.maximum(moved, 0),
    }


def mine(
    key: PRNGKey,
    x: Float[Array, "n *event"],
    mask: Bool[Array, "n *event"],
    *,
    width: int = 500,
    epochs: int = 100,
    batch: int = 100,
    lr: float = 2e-3,
) -> Float[Array, ""]:
    r"""Mutual information of rows and mask by MINE, on held-out rows.

    .. math:: I(X, M) \ge \mathbb{E}_{X, M}\,f - \log \mathbb{E}_{X \otimes M}\,e^f

    with `f` a network learned on four fifths of the rows, and the bound taken on the rest. It is
    never an overestimate but by chance. Overfitting can bring it below 0, the bound of a constant
    `f`, which is then returned.

    Args:
        key: for everything random.
        x: completed rows, columns of unit spread; at least 10 rows.
        mask: what was observed of them.
        width: of the two hidden layers.
        epochs: passes over the training rows.
        batch: rows in a batch.
        lr: Adagrad's learning rate.

    Returns:
        A scalar, in nats, at least 0.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> x = jax.random.normal(jax.random.key(0), (500, 1))
        >>> found = mine(jax.random.key(1), x, x > 0, width=50, lr=0.02)  # the sign: log 2 nats
        >>> bool(0.4 < found < 0.75)
        True

    Source: Belghazi et al., "Mutual information neural estimation" (2018), which MIRI names in
    section 3.1; how the information of its Figure 1(d) was measured it does not say.
    """
    k_split, k_net, k_learn, k_shuffle = jax.random.split(key, 4)
    x, m, learned, held = _split(k_split, x, mask)
    params = _mlp(k_net, (x.shape[1] + m.shape[1], width, width, 1))

    def bound(params, rows, masks, others):
        joint = _answer(params, rows, masks)
        product = jax.nn.logsumexp(_answer(params, rows, others)) - jnp.log(len(rows))
        return joint.mean() - product

    def loss(params, k):
        k_rows, k_masks = jax.random.split(k)
        i = jax.random.choice(k_rows, learned, (batch,))
        j = jax.random.choice(k_masks, learned, (batch,))
        return -bound(params, x[i], m[i], m[j])

    optimiser, steps = optax.adagrad(lr), max(1, epochs * len(learned) // batch)
    params, _, _ = descend(loss, optimiser, k_learn, params, optimiser.init(params), steps)
    found = bound(params, x[held], m[held], m[jax.random.permutation(k_shuffle, held)])
    return jnp.maximum(found, 0)


def classifier_information(
    key: PRNGKey,
    x: Float[Array, "n *event"],
    mask: Bool[Array, "n *event"],
    *,
    steps: int = 300,
    penalty: float = 1e-3,
) -> Information:
    r"""Mutual information of rows and mask by a two-sample classifier; cheap.

    Logistic regression tells rows with their own mask from rows with another's, from the products
    of :math:`(1, x_i, x_i x_j)` with :math:`(1, m_k)`. Its log-odds `f` for the own one estimate
    :math:`\log p(x, m) / (p(x) p(m))`, and on held-out rows the information is at least

    .. math:: \mathbb{E}_{X, M}\,f - \log \mathbb{E}_{X \otimes M}\,e^f.

    Both terms are there because the log-odds are not exact. A constant `f` has the bound 0, so 0 is
    returned where this is negative.

    Args:
        key: for everything random.
        x: completed rows, columns of unit spread; at least 10 rows.
        mask: what was observed of them.
        steps: of Adam, on all training rows.
        penalty: on the squared weights.

    Returns:
        The estimate in nats, at least 0, and the accuracy. It can see no more than such products
        show, and it is small rather than wrong where these miss the dependence.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> x = jax.random.normal(jax.random.key(0), (500, 1))
        >>> found = classifier_information(jax.random.key(1), x, x > 0)
        >>> bool(found.information > 0.2), bool(found.accuracy > 0.65)
        (True, True)

    Source: Sugiyama, Suzuki and Kanamori, "Density ratio estimation in machine learning" (2012);
    Lopez-Paz and Oquab, "Revisiting classifier two-sample tests" (2017).
    """
    k_split, k_learn, k_held = jax.random.split(key, 3)
    x, m, learned, held = _split(k_split, x, mask)

    def pairs(k, rows):
        """Rows with their own masks, then with shuffled ones."""
        others = jax.random.permutation(k, rows)
        return _products(x[rows], m[rows]), _products(x[rows], m[others])

    def scaled(features, centre, spread):
        return (features - centre) / spread

    own, other = pairs(k_learn, learned)
    both = jnp.concatenate([own, other])
    centre = both.mean(axis=0, keepdims=True)
    spread = jnp.maximum(both.std(axis=0, keepdims=True), 1e-6)
    own, other = scaled(own, centre, spread), scaled(other, centre, spread)

    def loss(w, k):
        del k  # all rows, every step
        wrong = (
            jax.nn.softplus(-own @ w[1:] - w[0]).mean()
            + jax.nn.softplus(other @ w[1:] + w[0]).mean()
        )
        return wrong + penalty * (w[1:] ** 2).sum()

    w, optimiser = jnp.zeros(own.shape[1] + 1, own.dtype), optax.adam(3e-2)
    w, _, _ = descend(loss, optimiser, jax.random.key(0), w, optimiser.init(w), steps)
    own, other = (
        scaled(features, centre, spread) @ w[1:] + w[0] for features in pairs(k_held, held)
    )
    accuracy = ((own > 0).mean() + (other <= 0).mean()) / 2
    bound = own.mean() - (jax.nn.logsumexp(other) - jnp.log(len(other)))
    return Information(jnp.maximum(bound, 0), accuracy)


def _split(
    key: PRNGKey, x: jax.Array, mask: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Flat rows, masks as numbers, and the numbers of the rows to learn from and to hold out."""
    n = x.shape[0]
    order = jax.random.permutation(key, n)
    held = max(1, n // 5)
    return x.reshape(n, -1), mask.reshape(n, -1).astype(x.dtype), order[held:], order[:held]


def _products(x: jax.Array, m: jax.Array) -> jax.Array:
    upper = jnp.triu_indices(x.shape[1])
    quadratic = x[:, upper[0]] * x[:, upper[1]]
    one = jnp.ones_like(x[:, :1])
    seen = jnp.concatenate([one, x, quadratic], axis=1)
    shown = jnp.concatenate([one, m], axis=1)
    return (seen[:, :, None] * shown[:, None, :]).reshape(len(x), -1)


def _mlp(key: PRNGKey, widths: tuple[int, ...]) -> Any:
    def layer(k, a, b):
        k_w, k_b = jax.random.split(k)
        edge = a**-0.5
        return (
            random.uniform(k_w, (a, b), minval=-edge, maxval=edge),
            jax.random.uniform(k_b, (b,), minval=-edge, maxval=edge),
        )

    keys = jax.random.split(key, len(widths) - 1)
    return [layer(k, a, b) for k, a, b in zip(keys, widths[:-1], widths[1:], strict=True)]


def _answer(params: Any, x: jax.Array, m: jax.Array) -> jax.Array:
    h = jnp.concatenate([x, m], axis=1)
    for w, b in params[:-1]:
        h = jax.nn.relu(h @ w + b[None])
    w, b = params[-1]
    return (h @ w + b[None])[:, 0]
