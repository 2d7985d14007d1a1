"""Trees that answer for each target of a table, grown on the host by scikit-learn."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from sklearn.ensemble import ExtraTreesRegressor

from jaximpute.maths import grown
from jaximpute.maths.forests import Forest
from jaximpute.methods.simple._categories import Targets

_MOST_LEAVES = 512
_MOST_TRIED = 32  # columns tried at a split
_AT_ONCE = 2**17  # rows in a prediction


class Donors(NamedTuple):
    """The observed answers in each leaf: those of tree `i` lie side by side in `value[i]`."""

    value: Float[Array, "targets trees rows"]
    start: Int[Array, "targets trees nodes"]
    size: Int[Array, "targets trees nodes"]


class Shape(NamedTuple):
    """How large what is grown may be.

    Attributes:
        rows: learned from, at most.
        trees: of each target.
        leaf: rows in a leaf, at least.
    """

    rows: int
    trees: int
    leaf: int

    @property
    def leaves(self) -> int:
        """Of a tree, at most."""
        return max(1, min(_MOST_LEAVES, self.rows // self.leaf))

    @property
    def nodes(self) -> int:
        """Of a tree, at most."""
        return 2 * self.leaves - 1


def groups(of: Targets) -> list[np.ndarray]:
    """Targets whose trees lie in one array: those of one column, and those of several."""
    several = (of.members < len(of.target)).sum(axis=1) > 1
    return [part for part in (np.flatnonzero(~several), np.flatnonzero(several)) if part.size]


def outline(of: Targets, shape: Shape, dtype: Any) -> tuple[tuple[Forest, ...], tuple[Donors, ...]]:
    """Trees of the right shapes that know nothing: one stage, and what its leaves hold."""
    forests, donors = [], []
    for part in groups(of):
        trees, nodes = (len(part), shape.trees), shape.nodes
        whole, width = jnp.zeros((*trees, nodes), jnp.int32), _width(of, part)
        real = jnp.zeros((*trees, nodes), dtype)
        forests.append(
            Forest(
                whole, real, whole > 0, whole, whole, whole,
                jnp.zeros((*trees, nodes, width), dtype),
                jnp.zeros((*trees, 0, 1), jnp.uint32),
                jnp.zeros((len(part), len(of.target), 1), jnp.uint32),
                jnp.zeros((len(part), width), dtype),
            )
        )  # fmt: skip
        donors.append(Donors(jnp.zeros((*trees, shape.rows), dtype), whole, whole))
    return tuple(forests), tuple(donors)


def grow(
    rng: np.random.Generator,
    start: np.ndarray,
    x: np.ndarray,
    mask: np.ndarray,
    of: Targets,
    shape: Shape,
    stages: int,
) -> tuple[tuple[tuple[Forest, ...], ...], tuple[Donors, ...]]:
    """The trees of all stages, each of which sees what the stage before says of the other columns.

    A row that has a target is shown to its trees as if it had not: completed without it, by trees
    that have not seen the row where they answer, for there it is missing.

    Args:
        rng: of the trees.
        start: `(n, targets, d)` rows completed without each of the targets.
        x: `(n, d)` rows.
        mask: `(n, d)` True = observed.
        of: the targets.
        shape: of the trees.
        stages: how many.

    Returns:
        For each stage its trees, in the order of `groups`; and the donors in the last one's leaves.
    """
    shown, now, grown_stages = mask[:, of.members[:, 0]], start, []
    for stage in range(stages):
        models = [
            _fit(rng, now[:, t], x, shown[:, t], of, t, shape) for t in range(len(of.members))
        ]
        grown_stages.append(_arrays(models, of, shape, x.dtype))
        if stage < stages - 1:
            now = _answered(models, start, now, shown, of)
    donors = [
        _donors(models[t], now[:, t], x, shown[:, t], of, t, shape) for t in range(len(models))
    ]
    together = tuple(_stack([donors[t] for t in part]) for part in groups(of))
    return tuple(grown_stages), together


def _fit(rng, seen, x, shown, of, t, shape):
    rows, answers = seen[shown], _answers(x, shown, of, t)
    if not len(rows):  # nothing is observed
        rows, answers = seen[:1], np.zeros((1, answers.shape[1]))
    capped = len(rows) // shape.leaf > shape.leaves
    model = ExtraTreesRegressor(
        shape.trees,
        min_samples_leaf=shape.leaf,
        max_features=min(1.0, _MOST_TRIED / rows.shape[1]),
        max_leaf_nodes=max(2, shape.leaves) if capped else None,
        random_state=int(rng.integers(2**31)),
    )
    return model.fit(rows, answers if answers.shape[1] > 1 else answers[:, 0])


def _answers(x, shown, of, t):
    """What is observed of a target, `(rows, members)`."""
    own = of.members[t][of.members[t] < x.shape[1]]
    return x[shown][:, own]


def _arrays(models, of, shape, dtype):
    size = grown.Size(shape.trees, shape.nodes)
    stage = []
    for part in groups(of):
        width, forests = _width(of, part), []
        for t in part:
            one = grown.forest(models[t], size, dtype.type)
            short = width - len(one.base)
            value = jnp.pad(one.value, [(0, 0), (0, 0), (0, short)])
            forests.append(one._replace(value=value, base=jnp.pad(one.base, (0, short))))
        stage.append(_stack(forests))
    return tuple(stage)


def _answered(models, start, now, shown, of):
    """The rows without each target, with the answers of `models` for what else is missing."""
    after, d = start.copy(), start.shape[2]
    for t, model in enumerate(models):
        missing, own = np.flatnonzero(~shown[:, t]), of.members[t][of.members[t] < d]
        others = np.array([other for other in range(len(models)) if other != t])
        step = max(1, _AT_ONCE // max(len(missing), 1))
        for first in range(0, len(others) if missing.size else 0, step):
            some = others[first : first + step]
            rows = now[missing[:, None], some]
            rows[..., own] = start[missing[:, None], some][..., own]
            answers = model.predict(rows.reshape(-1, d)).reshape(*rows.shape[:2], -1)
            after[missing[:, None, None], some[:, None], own] = answers
    return after


def _donors(model, seen, x, shown, of, t, shape):
    value = np.zeros((shape.trees, shape.rows), x.dtype)
    start, count = np.zeros((2, shape.trees, shape.nodes), np.int32)
    rows, answers = seen[shown], _answers(x, shown, of, t)
    if not len(rows):
        rows, answers = seen[:1], np.zeros((1, answers.shape[1]))
    # of a category, the place of the level
    answers = answers.argmax(axis=1) if answers.shape[1] > 1 else answers[:, 0]
    for i, leaves in enumerate(model.apply(rows).T):
        order = np.argsort(leaves, kind="stable")
        value[i, : len(order)] = answers[order]
        edges = np.searchsorted(leaves[order], np.arange(shape.nodes + 1))
        start[i], count[i] = edges[:-1], np.diff(edges)
    return Donors(*map(jnp.asarray, (value, start, count)))


def _width(of: Targets, part: np.ndarray) -> int:
    return int((of.members[part] < len(of.target)).sum(axis=1).max())


def _stack(trees):
    return jax.tree.map(lambda *leaves: jnp.asarray(np.stack(leaves)), *trees)
