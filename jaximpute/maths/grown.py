"""The trees that scikit-learn grew, as arrays of `maths.forests`."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaximpute._errors import OptionError
from jaximpute.maths.forests import Forest

_WORD = 32
_MOST = 256  # levels of a category that boosted trees take


class Size(NamedTuple):
    """What to pad a forest to, so that its shapes are known before it is grown.

    Attributes:
        trees: at least as many as there are; None = as many. Trees that are added say 0.
        nodes: of each tree.
        splits: of each tree by levels of a category.
        words: of a set, for 32 levels each.
    """

    trees: int | None = None
    nodes: int | None = None
    splits: int | None = None
    words: int | None = None


class _Tree(NamedTuple):
    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    left: np.ndarray  # a leaf's own number
    right: np.ndarray
    members: np.ndarray
    value: np.ndarray  # (nodes, width)
    sets: np.ndarray  # (splits, levels) bool


def forest(model: Any, size: Size = Size(), dtype: Any = np.float32) -> Forest:  # noqa: B008
    """A fitted model of scikit-learn, as a forest.

    Its thresholds are rounded down to `dtype`: a number of this type is then on the same side of
    them as of the double ones, so that rows end in the same leaves.

    Args:
        model: `HistGradientBoostingRegressor` or `-Classifier`, whatever its loss, or a regressor
            or classifier of `ExtraTrees` or `RandomForest` with one or, for regressors, several
            outputs. Levels of native categories have to be whole numbers from 0 to 255.
        size: see `Size`.
        dtype: of thresholds and values.

    Returns:
        The forest. `forests.predict` is the model's `predict` for regressors
        without a link (poisson and gamma have a logarithm), `predict_proba` for averaged
        classifiers and `decision_function` for boosted ones.

    Raises:
        OptionError: another kind of model, or one that is larger than `size`.

    Example:
        >>> import jax.numpy as jnp, numpy as np
        >>> from sklearn.ensemble import ExtraTreesRegressor
        >>> from jaximpute.maths import forests
        >>> x = np.arange(8.0)[:, None]
        >>> model = ExtraTreesRegressor(5, random_state=0).fit(x, 2 * x[:, 0])
        >>> forests.predict(forest(model), jnp.array([[3.0]])).tolist()
        [[6.0]]
    """
    if hasattr(model, "_predictors"):
        columns, levels = _columns(model)
        trees = [_boosted(p, columns, levels) for one in model._predictors for p in one]
        base = np.ravel(model._baseline_prediction)
        known = levels
    elif hasattr(model, "estimators_") and hasattr(model.estimators_[0], "tree_"):
        share = 1 / len(model.estimators_)
        trees = [
            _averaged(one.tree_, share, hasattr(model, "classes_")) for one in model.estimators_
        ]
        base = np.zeros(trees[0].value.shape[1])
        known = np.zeros((model.n_features_in_, 0), bool)
    else:
        raise OptionError(
            f"{type(model).__name__} is no fitted HistGradientBoosting, ExtraTrees or RandomForest"
        )
    return _stacked(trees, base, known, size, dtype)


def _columns(model: Any) -> tuple[np.ndarray, np.ndarray]:
    """The column of each feature that the trees see, and which levels each column has.

    Trees see categories first, as ranks among the levels that occurred.
    """
    d = model.n_features_in_
    levels = np.zeros((d, _MOST), bool)
    if model._preprocessor is None:
        return np.arange(d), levels
    category = np.asarray(model.is_categorical_, bool)
    encoder = model._preprocessor.named_transformers_["encoder"]
    for column, found in zip(np.flatnonzero(category), encoder.categories_, strict=True):
        found = np.asarray(found, float)
        found = found[~np.isnan(found)]
        if not ((found >= 0) & (found < _MOST) & (found == np.floor(found))).all():
            raise OptionError(
                f"column {column} is a category with level {found.max()}; expected whole numbers "
                f"from 0 to {_MOST - 1}"
            )
        levels[column, found.astype(int)] = True
    return np.concatenate([np.flatnonzero(category), np.flatnonzero(~category)]), levels


def _boosted(predictor: Any, columns: np.ndarray, levels: np.ndarray) -> _Tree:
    nodes = predictor.nodes
    own, leaf = np.arange(len(nodes)), nodes["is_leaf"].astype(bool)
    by_level = nodes["is_categorical"].astype(bool) & ~leaf
    feature = columns[np.where(leaf, 0, nodes["feature_idx"])]
    sets = np.zeros((by_level.sum(), _MOST), bool)
    for row, node in enumerate(np.flatnonzero(by_level)):
        words = predictor.raw_left_cat_bitsets[nodes["bitset_idx"][node]].astype("<u4")
        ranks = np.unpackbits(words.view(np.uint8), bitorder="little").astype(bool)
        found = np.flatnonzero(levels[feature[node]])
        sets[row, found] = ranks[: len(found)]
    return _Tree(
        feature,
        nodes["num_threshold"],
        nodes["missing_go_to_left"].astype(bool),
        np.where(leaf, own, nodes["left"]),
        np.where(leaf, own, nodes["right"]),
        np.where(by_level, np.cumsum(by_level) - 1, -1),
        np.where(leaf, nodes["value"], 0)[:, None],
        sets,
    )


def _averaged(tree: Any, share: float, classifies: bool) -> _Tree:
    own, leaf = np.arange(tree.node_count), tree.children_left < 0
    value = tree.value[:, 0] if classifies else tree.value[:, :, 0]
    return _Tree(
        np.where(leaf, 0, tree.feature),
        tree.threshold,
        tree.missing_go_to_left.astype(bool),
        np.where(leaf, own, tree.children_left),
        np.where(leaf, own, tree.children_right),
        np.full(tree.node_count, -1),
        value * share,
        np.zeros((0, 0), bool),
    )


def _stacked(
    trees: Sequence[_Tree], base: np.ndarray, known: np.ndarray, size: Size, dtype: Any
) -> Forest:
    levels = 1 + int(np.flatnonzero(known.any(axis=0)).max(initial=0))
    count, nodes, splits, words = (
        _at_least(*one)
        for one in zip(
            Size._fields,
            size,
            (
                len(trees),
                max(len(tree.feature) for tree in trees),
                max(len(tree.sets) for tree in trees),
                -(-levels // _WORD),
            ),
            strict=True,
        )
    )

    def together(name: str, fill: Any, kind: Any, *shape: int) -> np.ndarray:
        out = np.full((count, *shape), fill, kind)
        for one, tree in zip(out, trees, strict=False):
            part = getattr(tree, name)
            one[tuple(map(slice, part.shape))] = part
        return out

    own = np.arange(nodes, dtype=np.int32)
    left, right = (np.broadcast_to(own, (count, nodes)).copy() for _ in range(2))
    for i, tree in enumerate(trees):
        left[i, : len(tree.left)], right[i, : len(tree.right)] = tree.left, tree.right
    sets = together("sets", False, bool, splits, max(_MOST, words * _WORD))
    arrays = (
        together("feature", 0, np.int32, nodes),
        _rounded_down(together("threshold", 0, np.float64, nodes), dtype),
        together("missing_left", False, bool, nodes),
        left,
        right,
        together("members", -1, np.int32, nodes),
        together("value", 0, dtype, nodes, trees[0].value.shape[1]),
        _packed(sets, words),
        _packed(known, words),
        base.astype(dtype),
    )
    return Forest(*map(jnp.asarray, arrays))


def _at_least(name: str, most: int | None, least: int) -> int:
    if most is not None and most < least:
        raise OptionError(f"there are {least} {name}; expected at most {most}")
    return least if most is None else most


def _rounded_down(threshold: np.ndarray, dtype: Any) -> np.ndarray:
    with np.errstate(over="ignore"):
        near = threshold.astype(dtype)
        return np.where(near > threshold, np.nextafter(near, dtype(-np.inf)), near).astype(dtype)


def _packed(sets: np.ndarray, words: int) -> np.ndarray:
    """`(..., levels)` booleans as `(..., words)` numbers of 32 bits."""
    bits = np.zeros((*sets.shape[:-1], words * _WORD), bool)
    kept = min(bits.shape[-1], sets.shape[-1])
    bits[..., :kept] = sets[..., :kept]
    packed = np.packbits(bits, axis=-1, bitorder="little")
    return np.ascontiguousarray(packed).view("<u4").astype(np.uint32)
