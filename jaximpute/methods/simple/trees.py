"""Extremely randomised trees, which learn where the rows of a table were hidden again."""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaximpute import registry
from jaximpute._errors import DataError, check_positive
from jaximpute.engine.onhost import OnHost
from jaximpute.engine.threads import alone
from jaximpute.masking import channel_moments, channel_range, restore, standardise
from jaximpute.maths import forests, random
from jaximpute.maths.forests import Forest
from jaximpute.maths.gaussians import conditional_deviation
from jaximpute.methods.simple import _growing, _guess, _joint
from jaximpute.methods.simple._categories import Targets, likeliest, targets
from jaximpute.methods.simple._growing import Donors, Shape
from jaximpute.methods.simple._rehide import hidden_in_turn, together
from jaximpute.methods.simple._static import static_method
from jaximpute.types import Method, Observed, PRNGKey

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"trees": 20},
    "best": {"trees": 100, "rows": 8192},
    "paper": {"trees": 100},  # as Geurts et al. have it
}
_PASSES = 20  # of EM
_CELLS = 2**24  # numbers in the rows with each target hidden
_LARGE = 1e6  # deviations: more than any indicator's
_LEAST = 1e-3  # deviations: below, what the Gaussian says is no order of draws


class TreesState(NamedTuple):
    """A Gaussian of standardised columns, and the trees of each stage on top of it."""

    mean: Float[Array, "d"]
    scale: Float[Array, "d"]
    low: Float[Array, "d"]  # observed, standardised
    high: Float[Array, "d"]
    guess: tuple[Float[Array, "d"], Float[Array, "d d"]]
    stages: tuple[tuple[Forest, ...], ...]
    donors: tuple[Donors, ...]


def trees(
    *,
    trees: int = 50,
    leaf: int = 3,
    stages: int = 2,
    rows: int = 4096,
    categories: Sequence[int] | None = None,
) -> Method:
    r"""Each column answered by trees, which see the others as a Gaussian completes them.

    A Gaussian of the columns is fitted by EM. Each target :math:`j`, a number or a category, is
    then hidden again where it is observed, and with :math:`\hat x^{(-j)}` the row completed by the
    Gaussian without it,

    .. math:: f_j = \text{trees}\,(\hat x^{(-j)} \to x_j) \quad \text{on rows that have } x_j .

    So the rows that the trees learn from look like those that they answer for, and nothing of the
    answer is left in them: in a chain of regressions it is, since their gaps were filled with its
    help. Where columns go missing together, rows hide more: the holes of a random row without
    :math:`j`, as often as it takes. The Gaussian's own answer is among what a tree may split by. In
    the second stage, and further ones, the gaps of other columns hold what the stage before says of
    them.

    A draw of a cell is an observed value, from a row that ends in the same leaves: one such donor
    of each tree, and of these the one at rank :math:`u`. For numbers :math:`u = \Phi((z -
    \mu_{m|o}) / \sigma_{m|o})` of a draw :math:`z` of the Gaussian given the row, so that the
    draws of a row's cells belong together; for categories it is uniform. Draws only take values
    that were seen.

    Args:
        trees: of each target, at least 1.
        leaf: rows in a leaf, at least 1.
        stages: at least 1.
        rows: learned from, at least 1; a random part of a longer table, and fewer of more than 64
            columns.
        categories: for each column the number of the category whose levels it and others indicate,
            -1 for a number; a category of one column is a number with two values. None = all
            numbers.

    Returns:
        An inductive method for tables, which learns on the host in `init`, by scikit-learn; all
        else is traced. Leaves are at most 512 a tree, and 32 columns are tried at a split.

    Raises:
        OptionError: an argument out of range; later, `categories` of another length than the
            columns.
        DataError: later, for data that is not a table.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> x = np.random.default_rng(0).uniform(-2, 2, (400, 2))
        >>> x[:, 1] = np.abs(x[:, 0])  # no line says anything of it
        >>> x[0] = [-1.5, np.nan]
        >>> data = ji.observe(x)
        >>> method = ji.methods.trees()
        >>> state = ji.fit(method, jax.random.key(0), data, 0)
        >>> round(float(ji.complete(method, jax.random.key(1), state, data)[0, 1]), 1)
        1.5

    Source: Geurts, Ernst and Wehenkel, "Extremely randomized trees", Mach. Learn. 63 (2006), for
    the trees; Stekhoven and Buehlmann, "MissForest", Bioinformatics 28 (2012), for forests that
    answer gap by gap, there in a chain from column means; Doove, van Buuren and Dusseldorp,
    "Recursive partitioning for missing data imputation in the presence of interaction effects",
    Comput. Stat. Data Anal. 72 (2014), and Meinshausen, "Quantile regression forests", J. Mach.
    Learn. Res. 7 (2006), for draws from leaves, there of a tree at random. Hiding the target again
    and the order of draws are our own.
    """
    check_positive(trees=trees, leaf=leaf, stages=stages, rows=rows)

    def sizes(data: Observed) -> tuple[Targets, Shape]:
        if data.values.ndim != 2:
            raise DataError(f"data has shape {data.values.shape}; trees take a table, (n, columns)")
        n, d = data.values.shape
        most = max(_CELLS // d**2, 256)
        return targets(categories, d), Shape(min(n, rows, most), trees, leaf)

    def outline(data: Observed) -> TreesState:
        of, shape = sizes(data)
        d, dtype = data.values.shape[1], data.values.dtype
        row = jnp.zeros(d, dtype)
        grown, donors = _growing.outline(of, shape, dtype)
        return TreesState(
            row, row, row, row, (row, jnp.zeros((d, d), dtype)), (grown,) * stages, donors
        )

    def learn(key: PRNGKey, data: Observed) -> TreesState:
        of, shape = sizes(data)
        key_rows, key_guess, key_trees = jax.random.split(key, 3)
        real = np.flatnonzero(np.asarray(data.weight) > 0)
        chosen = np.sort(_generator(key_rows).permutation(real)[: shape.rows])
        mean, scale, low, high, all_rows = _standardised(data)
        x, mask = all_rows[chosen], data.mask[chosen]
        guess = _fit(key_guess, x, mask, jnp.ones_like(x[:, 0]))
        grown, donors = _grow(key_trees, np.asarray(x), np.asarray(mask), guess, of, shape, stages)
        return TreesState(mean, scale, low, high, guess, grown, donors)

    def estimate(key: PRNGKey, state: TreesState, data: Observed) -> jax.Array:
        del key
        of, z = sizes(data)[0], _complete(state, data)
        w = z
        for stage in state.stages:
            w = _answered(stage, z, w, data.mask, of)
        return _finish(state, data, w, of)

    def sample(key: PRNGKey, state: TreesState, data: Observed) -> jax.Array:
        of, z = sizes(data)[0], _complete(state, data)
        w = z
        for stage in state.stages[:-1]:
            w = _answered(stage, z, w, data.mask, of)
        return _finish(state, data, _draw(key, state, data, z, w, of), of)

    return static_method(OnHost(learn, outline), estimate=estimate, sample=sample)


def _grow(key, x, mask, guess, of: Targets, shape: Shape, stages: int):
    """Trees and donors, from rows with each target hidden again."""
    with alone():
        rng = _generator(key)
        also = together(rng, mask, of.members)
        mean, cov = map(np.asarray, guess)
        start = hidden_in_turn(x, mask, mean, cov, of.members, also)
        return _growing.grow(rng, start.astype(x.dtype), x, mask, of, shape, stages)


def _complete(state: TreesState, data: Observed) -> jax.Array:
    """Standardised rows as the Gaussian completes them."""
    x = standardise(data, state.mean, state.scale).values
    return _guess.complete(None, x, data.mask, *state.guess)


def _finish(state: TreesState, data: Observed, x: jax.Array, of: Targets) -> jax.Array:
    """Rows of levels that may be, in the units of the data."""
    x = likeliest(x, state.low, state.high, data.mask, of)
    return restore(x, state.mean, state.scale, data)


def _draw(key: PRNGKey, state: TreesState, data: Observed, z, w, of: Targets) -> jax.Array:
    """Observed values from rows that end in the same leaves of the last stage."""
    k_rank, k_donor = jax.random.split(key)
    rank = _ranks(k_rank, state, z, data)
    keys = jax.random.split(k_donor, len(state.donors))
    drawn = z
    parts = zip(keys, _growing.groups(of), state.stages[-1], state.donors, strict=True)
    for k, part, forest, donors in parts:
        found = _drawn(k, part, forest, donors, z, w, rank, of)[..., None]
        if (width := forest.value.shape[3]) > 1:  # one level is chosen, the rest are below it
            level = jnp.arange(width, dtype=z.dtype)[None, None]
            found = jnp.where(found == level, _LARGE, -_LARGE).astype(z.dtype)
        drawn = _put(drawn, found, part, of)
    return drawn


def _answered(stage, z, w, mask, of: Targets) -> jax.Array:
    """The rows with what one stage says of their gaps."""
    after = z
    for part, forest in zip(_growing.groups(of), stage, strict=True):
        seen = _seen(part, of)
        found = jax.lax.map(
            lambda one: forests.predict(one[0], jnp.where(one[1][None], z, w)), (forest, seen)
        )
        after = _put(after, found, part, of)
    return jnp.where(mask, z, after)


def _drawn(key, part, forest, donors, z, w, rank, of: Targets) -> jax.Array:
    """One observed answer for each row and target: a number, or the place of a level."""
    trees = forest.feature.shape[1]
    tree = jnp.arange(trees)[None]

    def one(given):
        t, forest, donors, seen, column = given
        at = forests.leaves(forest, jnp.where(seen[None], z, w))
        start, count = donors.start[tree, at], donors.size[tree, at]
        u = random.uniform(jax.random.fold_in(key, t), at.shape, z.dtype)
        which = (u * count.astype(z.dtype)).astype(jnp.int32)
        found = jnp.sort(donors.value[tree, start + jnp.minimum(which, count - 1)], axis=1)
        place = jnp.clip((rank[:, column] * trees).astype(jnp.int32), 0, trees - 1)
        return jnp.take_along_axis(found, place[:, None], axis=1)[:, 0]

    given = (
        jnp.arange(len(part)),
        forest,
        donors,
        _seen(part, of),
        jnp.asarray(of.members[part, 0]),
    )
    return jax.lax.map(one, given)


def _ranks(key: PRNGKey, state: TreesState, z: jax.Array, data: Observed) -> jax.Array:
    """Uniform numbers that belong together as the Gaussian says, given what is observed."""
    k_draw, k_rest = jax.random.split(key)
    mean, cov = state.guess
    drawn = _guess.complete(k_draw, z, data.mask, mean, cov)
    spread = conditional_deviation(data.mask, cov)
    noise = _LEAST * random.normal(k_rest, z.shape, z.dtype)
    return jax.scipy.stats.norm.cdf((drawn - z + noise) / jnp.sqrt(spread**2 + _LEAST**2))


def _seen(part: np.ndarray, of: Targets) -> jax.Array:
    """`(targets, d)` the columns of each target, which its trees see as the Gaussian has them."""
    return jnp.asarray(part[:, None] == of.target[None])


def _put(x, found, part, of: Targets) -> jax.Array:
    """`x` with the answers `(targets, n, members)` in the columns of the targets."""
    columns = of.members[part, : found.shape[2]].reshape(-1)
    return x.at[:, columns].set(jnp.moveaxis(found, 0, 1).reshape(len(x), -1), mode="drop")


@jax.jit
def _standardised(data: Observed):
    """Moments and ranges of the columns, and rows in which they are standardised."""
    mean, scale = channel_moments(data)
    z = standardise(data, mean, scale)
    return mean, scale, *channel_range(z), z.values


_fit = jax.jit(partial(_joint.fit, passes=_PASSES))


def _generator(key: PRNGKey) -> np.random.Generator:
    return np.random.default_rng(np.asarray(jax.random.key_data(key)))


def trees_recipe(
    data: Observed,
    *,
    kind: str,
    times: Any = None,
    categories: tuple[int, ...] | None = None,
    **options: Any,
) -> registry.Plan:
    """`trees` for given data: it learns in `init`, and there are no steps.

    Args:
        data, kind, times, categories: see `registry.build`.
        options: of the factory.

    Returns:
        The method, and no steps.
    """
    del data, kind, times
    return registry.Plan(trees(categories=categories, **options))
