"""Decision trees as arrays: many rows sent down many trees at once, inside a compiled program."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt32

_WORD = 32  # levels in one number of a set


class Forest(NamedTuple):
    """Trees whose leaves' values are summed; all padded to one number of nodes.

    A node that is its own child is a leaf, and the root is node 0. Any leaf may have been padded.

    Attributes:
        feature: the column that a node looks at.
        threshold: a number goes left if it is not above.
        missing_left: whether a missing value goes left.
        left: the node to the left, of the same tree.
        right: the node to the right.
        members: which row of `sets` holds the levels that go left; -1 for splits of numbers.
        value: of a leaf. With fewer numbers than outputs, trees take the outputs in turn.
        sets: bit `b` of word `w` stands for level `32 w + b`; no rows where nothing is a category.
        known: the levels of each column; any other counts as missing.
        base: added to the sum.
    """

    feature: Int[Array, "trees nodes"]
    threshold: Float[Array, "trees nodes"]
    missing_left: Bool[Array, "trees nodes"]
    left: Int[Array, "trees nodes"]
    right: Int[Array, "trees nodes"]
    members: Int[Array, "trees nodes"]
    value: Float[Array, "trees nodes width"]
    sets: UInt32[Array, "trees splits words"]
    known: UInt32[Array, "columns words"]
    base: Float[Array, "outputs"]


def leaves(forest: Forest, x: Float[Array, "n columns"]) -> Int[Array, "n trees"]:
    """The leaf in which each row ends, in each tree.

    Args:
        forest: the trees.
        x: rows, NaN = missing; a category is the number of its level, from 0.

    Returns:
        Numbers of nodes.

    Example:
        >>> import jax.numpy as jnp
        >>> int(leaves(stump(), jnp.array([[3.0]]))[0, 0])
        2
    """
    trees, nodes = forest.feature.shape
    first = nodes * jnp.arange(trees, dtype=jnp.int32)[None]

    def down(at: Int[Array, "n trees"]) -> Int[Array, "n trees"]:
        def of(leaf: Array) -> Array:
            return leaf.reshape(-1)[first + at]

        feature = of(forest.feature)
        value = jnp.take_along_axis(x, feature, axis=1)
        missing, left = jnp.isnan(value), value <= of(forest.threshold)
        if forest.sets.shape[1]:
            row = of(forest.members)
            level = jnp.nan_to_num(value).astype(jnp.int32)
            whole = (level == value) & (level >= 0)
            is_known = whole & _holds(forest.known, feature, level)
            offset = forest.sets.shape[1] * jnp.arange(trees, dtype=jnp.int32)[None]
            sets = forest.sets.reshape(-1, forest.sets.shape[2])
            among = _holds(sets, offset + jnp.maximum(row, 0), level)
            left = jnp.where(row < 0, left, among)
            missing = jnp.where(row < 0, missing, ~is_known)
        left = jnp.where(missing, of(forest.missing_left), left)
        return jnp.where(left, of(forest.left), of(forest.right))

    def moved(pair):
        return (pair[0] != pair[1]).any()

    root = jnp.zeros((x.shape[0], trees), jnp.int32)
    return jax.lax.while_loop(moved, lambda pair: (pair[1], down(pair[1])), (root - 1, root))[1]


def values(forest: Forest, at: Int[Array, "n trees"]) -> Float[Array, "n outputs"]:
    """The sum over trees of what the leaves hold.

    Args:
        forest: the trees.
        at: from `leaves`.
    """
    found = jax.vmap(lambda value, leaf: value[leaf], (0, 1), 1)(forest.value, at)
    return found.reshape(len(at), -1, len(forest.base)).sum(axis=1) + forest.base[None]


def predict(forest: Forest, x: Float[Array, "n columns"]) -> Float[Array, "n outputs"]:
    r"""What the trees say of each row.

    .. math:: f(x) = b + \sum_t v_{t, \ell_t(x)}

    Args:
        forest: the trees.
        x: rows, NaN = missing; a category is the number of its level, from 0.

    Returns:
        Predictions or shares of classes for averaged trees, and the raw sum, before any link, for
        boosted ones: a logit for two classes, else the logarithm of each one's share up to a
        constant. Pure, and the same for a row alone and among others up to rounding.

    Example:
        >>> import jax.numpy as jnp
        >>> predict(stump(), jnp.array([[-1.0], [3.0], [jnp.nan]])).tolist()
        [[10.0], [20.0], [10.0]]
    """
    return values(forest, leaves(forest, x))


def stump() -> Forest:
    """One tree with one split, of the first column at 0: 10 on its left and of what is missing."""
    whole, none = jnp.array([[0, 1, 2]], jnp.int32), jnp.zeros((1, 3), jnp.int32)
    return Forest(
        none,
        jnp.zeros((1, 3)),
        jnp.array([[True, False, False]]),
        whole.at[0, 0].set(1),
        whole.at[0, 0].set(2),
        none - 1,
        jnp.array([[[0.0], [10.0], [20.0]]]),
        jnp.zeros((1, 0, 1), jnp.uint32),
        jnp.zeros((1, 1), jnp.uint32),
        jnp.zeros(1),
    )


def _holds(sets: UInt32[Array, "sets words"], row: Array, level: Array) -> Array:
    """Whether the level is in the set; False for levels beyond its words."""
    word, bit = jnp.divmod(jnp.maximum(level, 0), _WORD)
    inside = word < sets.shape[1]
    found = sets[row, jnp.minimum(word, sets.shape[1] - 1)]
    return inside & ((found >> bit.astype(jnp.uint32)) & 1 > 0)
