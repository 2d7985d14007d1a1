"""Boosted trees on what the smoother of a series misses, learned where cells are hidden again."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaximpute import registry
from jaximpute._errors import OptionError
from jaximpute.engine.lessons import Lessons, lessons, parts
from jaximpute.engine.onhost import OnHost
from jaximpute.engine.threads import alone
from jaximpute.masking import channel_moments, clamp
from jaximpute.maths import forests, grown
from jaximpute.maths.choice import Choice, believe
from jaximpute.maths.forests import Forest
from jaximpute.maths.moved_gaps import moved_gaps
from jaximpute.maths.seasons import season
from jaximpute.methods.simple import _cells
from jaximpute.types import Info, Method, Observed, State

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"hidings": 4},
    "balanced": {},
    "best": {"hidings": 20, "most": 40000},
    "paper": {},
}
_LEAST = 60  # cells, for trees to be grown


class BoostedState(NamedTuple):
    """A base and the trees that correct it.

    Attributes:
        base: the state of the base.
        mean: of each channel, `(d,)`.
        scale: of each channel, `(d,)`.
        near: the channels that the trees of each look at, itself first, `(d, near)`.
        period: steps of a season; 0 = none.
        trees: of each channel, stacked.
        share: of what they say, that is added, `(d,)`.
        start_error: mean absolute error of the base at cells hidden once more, in deviations.
        error: that of the corrected answer.
    """

    base: State
    mean: Float[Array, "d"]
    scale: Float[Array, "d"]
    near: Int[Array, "d near"]
    period: Int[Array, ""]
    trees: Forest
    share: Float[Array, "d"]
    start_error: Float[Array, ""]
    error: Float[Array, ""]


def boosted_smoother(
    base: Method,
    *,
    hidings: int = 10,
    share: float = 0.1,
    iterations: int = 120,
    rate: float = 0.06,
    leaves: int = 15,
    most: int = 20000,
) -> Method:
    r"""A base's answer, corrected by boosted trees that have seen where it errs.

    .. math:: \hat x_{tc} = b_{tc} + w_c f_c(\phi_{tc}(b)), \quad
        f_c = \arg\min_f \sum_{(t, c) \in A} |x_{tc} - b^A_{tc} - f(\phi_{tc}(b^A))|

    The base is learned once. Then some observed cells :math:`A` are hidden again, in the shapes of
    the data's own gaps, and the fitted base completes them: :math:`b^A`. The trees of each channel
    learn what it missed there from the surroundings :math:`\phi`: seven steps of the nearest
    channels relative to the estimate, which of them are observed, the estimate itself, the usual
    change, the distance to observations, and the season's phase and the season before and after,
    with the season found in the data. How much of it is believed, :math:`w_c`, is chosen on cells
    hidden once more, at which no tree was grown; nothing where it is not better by two standard
    errors.

    Args:
        base: an inductive method that learns in `init`.
        hidings: times that cells are hidden again, at least 1.
        share: of the observed cells hidden each time, in (0, 1).
        iterations: trees of each channel.
        rate: of learning, in (0, 1].
        leaves: of a tree, at least 2.
        most: cells of each channel to learn from.

    Returns:
        An inductive method. Trees are grown on the host, in `init`; completing is traced. Its steps
        learn nothing, and report `start_error` and `error` at the cells hidden once more. The base
        has learned from these cells, so both are a little low.

    Raises:
        OptionError: an argument out of range, or a base that completes no other rows.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> rng, t = np.random.default_rng(0), np.arange(900)
        >>> x = np.stack([np.abs(np.sin(t / 9)), np.sin(t / 9)], axis=1)
        >>> x = np.where(rng.random(x.shape) < 0.2, np.nan, x)
        >>> data = ji.observe(x[None])
        >>> method = ji.methods.boosted_smoother(ji.methods.gaussian(), iterations=20)
        >>> state = ji.fit(method, jax.random.key(0), data, 1)
        >>> bool(state.error <= state.start_error)
        True

    Source: Friedman, "Greedy function approximation: a gradient boosting machine" (2001); the
    trees are scikit-learn's histogram ones.
    """
    _check(base, hidings, share, iterations, rate, leaves, most)
    complete = base.estimate
    assert complete is not None  # see _check
    split = moved_gaps(share)
    size = grown.Size(trees=iterations, nodes=2 * leaves - 1)

    @jax.jit
    def begin(key, data: Observed):
        """The base, its lessons, one lesson more to choose by, and what the trees look at."""
        k_base, k_fill, k_lessons = jax.random.split(key, 3)
        state = base.init(k_base, data)
        # together: what completes is compiled once
        taught = lessons(k_lessons, base, state, data, split, hidings + 1)
        judged = jax.tree.map(lambda leaf: leaf[hidings:], taught)
        taught = jax.tree.map(lambda leaf: leaf[:hidings], taught)
        mean, scale = channel_moments(data)
        filled = _scaled(complete(k_fill, state, data), mean, scale)
        period = season(filled, data.weight)
        near = _cells.nearest(filled, data.weight)
        return state, mean, scale, near, period, taught, judged

    def learn(key, data: Observed) -> BoostedState:
        k_begin, k_trees = jax.random.split(key)
        state, mean, scale, near, period, taught, judged = begin(k_begin, data)
        seed = int(jax.random.randint(k_trees, (), 0, 2**31 - 1))
        real = np.asarray(data.weight > 0)[:, None, None]
        once_more = np.asarray(judged.asked[0])
        truth = _scaled(data.values, mean, scale)
        asked = np.asarray(taught.asked) & ~once_more[None] & real[None]
        judged_cells = once_more[None] & real[None]
        trees, chosen, count = [], [], []
        for channel in range(len(mean)):
            given = truth, (mean, scale), near, period, channel, most, seed
            x, missed, *_ = _rows(taught, asked, *given)
            model = _grow(x, missed, iterations, rate, leaves, seed)
            trees.append(grown.forest(model, size))
            x, missed, row, step = _rows(judged, judged_cells, *given)
            said = np.asarray(_predict(trees[-1], jnp.asarray(x))) if len(x) else missed
            chosen.append(_choose(missed, said, row, step, truth.shape[:2]))
            count.append(len(missed))
        choice = jax.tree.map(lambda *numbers: np.array(numbers), *chosen)
        part = np.array(count) / max(sum(count), 1)
        return BoostedState(
            state,
            mean,
            scale,
            near,
            period,
            jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees),
            jnp.asarray(choice.share, mean.dtype),
            jnp.asarray((choice.before * part).sum(), mean.dtype),
            jnp.asarray((choice.after * part).sum(), mean.dtype),
        )

    def estimate(key, state: BoostedState, data: Observed) -> jax.Array:
        filled = _scaled(complete(key, state.base, data), state.mean, state.scale)
        cells = _cells.look(filled, data.mask)
        n, time, _ = filled.shape
        row, step = jnp.repeat(jnp.arange(n), time), jnp.tile(jnp.arange(time), n)

        def correct(channel):
            near, trees, share = channel
            x = _cells.features(cells, near, state.period, row, step)
            return share * _said(trees, x).reshape(n, time)

        added = jax.lax.map(correct, (state.near, state.trees, state.share))
        filled = filled + jnp.moveaxis(added, 0, -1)
        return clamp(filled * state.scale[None, None] + state.mean[None, None], data)

    def step(key, state: BoostedState, data):
        del key, data
        found = {"start_error": state.start_error, "error": state.error}
        return state, Info(state.error, found)

    def outline(data: Observed) -> BoostedState:
        state, mean, scale, near, period, *_ = begin(jax.random.key(0), data)
        d, width = mean.shape[0], _cells.width(mean.shape[0])
        model = _grow(np.zeros((0, width)), np.zeros(0), iterations, rate, leaves, 0)
        tree = grown.forest(model, size)
        trees = jax.tree.map(lambda leaf: jnp.zeros((d, *leaf.shape), leaf.dtype), tree)
        none = jnp.zeros((), mean.dtype)
        return BoostedState(state, mean, scale, near, period, trees, mean, none, none)

    return Method(OnHost(learn, outline), step, estimate=estimate)


def boosted_smoother_recipe(
    data: Observed, *, kind: str, times: Any = None, base: str = "gaussian", **options: Any
) -> registry.Plan:
    """Boosted trees on a base by its name.

    Args:
        data: what it will run on.
        kind: `series`.
        times: positions of the steps of a series, for the base.
        base: the name of an inductive method that learns in `init`.
        options: of `methods.boosted_smoother`, whose defaults they have.

    Returns:
        The method, and one step, which reports.
    """
    plan = registry.build(base, data, kind=kind, times=times)
    if plan.steps:
        raise OptionError(f"base is '{base}', which takes steps; expected one such as 'gaussian'")
    return registry.Plan(boosted_smoother(plan.method, **options), 1)


def _check(base, hidings, share, iterations, rate, leaves, most):
    if base.estimate is None:
        raise OptionError("the base has no `estimate`; expected an inductive method")
    if min(hidings, iterations, most) < 1 or leaves < 2:
        raise OptionError(
            f"hidings is {hidings}, iterations {iterations}, most {most} and leaves {leaves}; "
            "expected at least 1, 1, 1 and 2"
        )
    if not (0 < share < 1 and 0 < rate <= 1):
        raise OptionError(f"share is {share} and rate {rate}; expected 0..1, the ends left out")


def _said(trees: Forest, x) -> jax.Array:
    return forests.predict(trees, x)[:, 0]


def _scaled(x, mean, scale):
    return (x - mean[None, None]) / scale[None, None]


_look, _predict = jax.jit(_cells.look), jax.jit(_said)
_features = jax.jit(_cells.features)
_PIECE = 1024  # cells are asked about in multiples, so that few programs are compiled


def _rows(taught: Lessons, asked, truth, moments, near, period, channel, most, seed):
    """Cells asked for in a channel: features, how much the base missed, and where they are."""
    truth = np.asarray(truth[..., channel])
    room = max(most // len(asked), 1)
    x, missed, at = [], [], []
    for i, cells in enumerate(asked[..., channel]):
        row, step = np.nonzero(cells)
        if len(row) > room:
            few = np.sort(np.random.default_rng([seed, i]).choice(len(row), room, replace=False))
            row, step = row[few], step[few]
        filled = _scaled(taught.filled[i], *moments)
        padded = [np.pad(a, (0, -len(a) % _PIECE)) for a in (row, step)]
        looked = _look(filled, taught.shown[i])
        if len(row):
            x.append(np.asarray(_features(looked, near[channel], period, *padded))[: len(row)])
            missed.append(truth[row, step] - np.asarray(filled[..., channel])[row, step])
            at.append(np.stack([row, step]))
    if not x:
        return np.zeros((0, _cells.width(len(near)))), np.zeros(0), *np.zeros((2, 0), int)
    return np.concatenate(x), np.concatenate(missed), *np.concatenate(at, axis=1)


def _grow(x, missed, iterations, rate, leaves, seed):
    """A model of what is missed; one that says nothing where there is too little to learn from."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    if len(missed) < _LEAST:
        x, missed = np.zeros((2, x.shape[1])), np.zeros(2)
    model = HistGradientBoostingRegressor(
        loss="absolute_error",
        max_iter=iterations,
        learning_rate=rate,
        max_leaf_nodes=leaves,
        early_stopping=False,
        random_state=seed,
    )
    with alone():
        return model.fit(x, missed)


def _choose(missed, said, row, step, shape: tuple[int, int]) -> Choice:
    """How much of what the trees say is believed, by the parts of the record."""
    whole = np.zeros((2, *shape), np.float32)
    whole[:, row, step] = missed, said
    where = np.zeros(shape, bool)
    where[row, step] = True
    part, count = parts((*shape, 1))
    return _believe(*whole, where, part[..., 0], count)


_believe = jax.jit(believe, static_argnames="parts")
