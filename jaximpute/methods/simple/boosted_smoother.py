"""Boosted trees on what the smoother of a series misses, learned where cells are hidden again."""

from functools import partial
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
from jaximpute.masking import channel_moments, restore
from jaximpute.maths import forests, grown
from jaximpute.maths.choice import Choice, believe
from jaximpute.maths.forests import Forest
from jaximpute.maths.moved_gaps import moved_gaps
from jaximpute.maths.seasons import season
from jaximpute.methods.simple import _cells
from jaximpute.types import Info, Method, Observed, Split, State

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"hidings": 4},
    "best": {"hidings": 20, "most": 40000},
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
    begin = jax.jit(partial(_begin, base, moved_gaps(share), hidings))
    size = grown.Size(trees=iterations, nodes=2 * leaves - 1)
    grow = partial(_grow, iterations=iterations, rate=rate, leaves=leaves)

    def learn(key, data: Observed) -> BoostedState:
        k_begin, k_trees = jax.random.split(key)
        start = begin(k_begin, data)
        seed = int(jax.random.randint(k_trees, (), 0, 2**31 - 1))
        real = np.asarray(data.weight > 0)[:, None, None]
        once_more = np.asarray(start.judged.asked[0])
        asked = np.asarray(start.taught.asked) & ~once_more[None] & real[None]
        truth = _scaled(data.values, start.mean, start.scale)
        rows = partial(_rows, truth=truth, start=start, most=most, seed=seed)
        judged = rows(start.judged, once_more[None] & real[None])
        trees, chosen, count = [], [], []
        for (x, missed, *_), (ahead, left, row, step) in zip(
            rows(start.taught, asked), judged, strict=True
        ):
            trees.append(grown.forest(grow(x, missed, seed=seed), size))
            said = np.asarray(_predict(trees[-1], jnp.asarray(ahead))) if len(ahead) else left
            chosen.append(_choose(left, said, row, step, truth.shape[:2]))
            count.append(len(left))
        choice = jax.tree.map(lambda *numbers: np.array(numbers), *chosen)
        part = np.array(count) / max(sum(count), 1)
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)
        return _state(
            start, stacked, choice.share, (choice.before * part).sum(), (choice.after * part).sum()
        )

    def estimate(key, state: BoostedState, data: Observed) -> jax.Array:
        filled = _scaled(complete(key, state.base, data), state.mean, state.scale)
        filled = filled + _corrections(state, filled, data.mask)
        return restore(filled, state.mean, state.scale, data)

    def step(key, state: BoostedState, data):
        del key, data
        return state, Info(state.error, {"start_error": state.start_error, "error": state.error})

    def outline(data: Observed) -> BoostedState:
        start = begin(jax.random.key(0), data)
        d = len(start.mean)
        model = grow(np.zeros((0, _cells.width(d))), np.zeros(0), seed=0)
        trees = jax.tree.map(
            lambda leaf: jnp.zeros((d, *leaf.shape), leaf.dtype), grown.forest(model, size)
        )
        return _state(start, trees, start.mean, 0.0, 0.0)

    return Method(OnHost(learn, outline), step, estimate=estimate)


class _Start(NamedTuple):
    """The base, what the trees look at, the lessons, and one lesson more to choose by."""

    base: State
    mean: Float[Array, "d"]
    scale: Float[Array, "d"]
    near: Int[Array, "d near"]
    period: Int[Array, ""]
    taught: Lessons
    judged: Lessons


def _begin(base: Method, split: Split, hidings: int, key, data: Observed) -> _Start:
    assert base.estimate is not None  # see _check
    k_base, k_fill, k_lessons = jax.random.split(key, 3)
    state = base.init(k_base, data)
    # together: what completes is compiled once
    taught = lessons(k_lessons, base, state, data, split, hidings + 1)
    judged = jax.tree.map(lambda leaf: leaf[hidings:], taught)
    taught = jax.tree.map(lambda leaf: leaf[:hidings], taught)
    mean, scale = channel_moments(data)
    filled = _scaled(base.estimate(k_fill, state, data), mean, scale)
    near, period = _cells.nearest(filled, data.weight), season(filled, data.weight)
    return _Start(state, mean, scale, near, period, taught, judged)


def _state(start: _Start, trees: Forest, share, before, after) -> BoostedState:
    share, before, after = (jnp.asarray(a, start.mean.dtype) for a in (share, before, after))
    return BoostedState(*start[:5], trees, share, before, after)


def _corrections(state: BoostedState, filled, mask) -> Float[Array, "n time d"]:
    """What the trees of each channel say that the base misses, as far as it is believed."""
    cells = _cells.look(filled, mask)
    n, time, _ = filled.shape
    row, step = jnp.repeat(jnp.arange(n), time), jnp.tile(jnp.arange(time), n)

    def correct(channel):
        near, trees, share = channel
        x = _cells.features(cells, near, state.period, row, step)
        return share * _predicted(trees, x).reshape(n, time)

    added = jax.lax.map(correct, (state.near, state.trees, state.share))
    return jnp.moveaxis(added, 0, -1)


def boosted_smoother_recipe(
    data: Observed, *, kind: str, times: Any = None, base: str = "gaussian", **options: Any
) -> registry.Plan:
    """Boosted trees on a base by its name.

    Args:
        data, kind, times: see `registry.build`.
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


def _predicted(trees: Forest, x) -> jax.Array:
    return forests.predict(trees, x)[:, 0]


def _scaled(x, mean, scale):
    return (x - mean[None, None]) / scale[None, None]


_look, _predict = jax.jit(_cells.look), jax.jit(_predicted)
_features = jax.jit(_cells.features)
_PIECE = 1024  # cells are asked about in multiples, so that few programs are compiled


def _rows(taught: Lessons, asked, *, truth, start: _Start, most, seed) -> list[tuple[Any, ...]]:
    """Cells asked for, by channel: features, how much the base missed, and where they are."""
    truth, room = np.asarray(truth), max(most // len(asked), 1)
    found: list[list[tuple[Any, ...]]] = [[] for _ in range(truth.shape[-1])]
    for i, hidden in enumerate(asked):
        filled = _scaled(taught.filled[i], start.mean, start.scale)
        looked, answer = _look(filled, taught.shown[i]), np.asarray(filled)
        for channel, own in enumerate(found):
            row, step = np.nonzero(hidden[..., channel])
            if len(row) > room:
                few = np.random.default_rng([seed, i]).choice(len(row), room, replace=False)
                row, step = (at[np.sort(few)] for at in (row, step))
            if not len(row):
                continue
            padded = [np.pad(at, (0, -len(at) % _PIECE)) for at in (row, step)]
            x = np.asarray(_features(looked, start.near[channel], start.period, *padded))
            at = row, step, channel
            own.append((x[: len(row)], truth[at] - answer[at], row, step))
    none = np.zeros((0, _cells.width(len(found)))), np.zeros(0), *np.zeros((2, 0), int)
    return [tuple(map(np.concatenate, zip(*own or [none], strict=True))) for own in found]


def _grow(x, missed, *, iterations, rate, leaves, seed):
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
