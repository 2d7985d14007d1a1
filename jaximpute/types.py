"""The few types everything else is made of.

A method is a tuple of pure functions, a network is a pair of them, and data is values with a mask.
`True` means observed, in every mask of this library.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeAlias

import jax
from jaxtyping import Array, Bool, Float, Key, PyTree

PRNGKey: TypeAlias = Key[Array, ""]
Params: TypeAlias = PyTree
State: TypeAlias = PyTree
Scalar: TypeAlias = float | Float[Array, ""]
Answer: TypeAlias = Literal["estimate", "draw"]
Kind: TypeAlias = Literal["table", "series", "image", "field"]


class Observed(NamedTuple):
    """Data with holes.

    Tables have event `(columns,)`; series have event `(time, channels)`, and a single long series
    is one row of that shape; images have event `(height, width, channels)`, in whatever scale their
    pixels come.

    Attributes:
        values: finite everywhere, 0 where unobserved.
        mask: True = observed.
        weight: 1 for a real row, 0 for padding.
    """

    values: Float[Array, "n *event"]
    mask: Bool[Array, "n *event"]
    weight: Float[Array, "n"]


class Info(NamedTuple):
    """What one step has to tell: its loss, and named scalars."""

    loss: Float[Array, ""]
    metrics: dict[str, Float[Array, ""]]


class Net(NamedTuple):
    """A network as two pure functions; methods never see the library it was written in.

    Attributes:
        init: `(key, x, t, cond) -> params`, a nested dict of arrays.
        apply: `(params, x, t, cond, key=None) -> array`, with `x` of shape `(n, *event)`, `t` of
            shape `(n,)` and `cond` a tuple of arrays. A key given means training (dropout).
    """

    init: Callable[..., Params]
    apply: Callable[..., jax.Array]


class Method(NamedTuple):
    """An imputation method as pure functions.

    A method can give two answers: the best single one, and one of many that may have been. It is
    inductive iff it has `estimate` or `sample`, which complete any rows; `fill` completes those
    that its state was learned from. A missing ability is `None`.

    Attributes:
        init: `(key, data) -> state`.
        step: `(key, state, data) -> (state, info)`, one pass of the paper's outer loop.
        fill: `(state, data) -> values`, the rows that `init` was given, as the state completes
            them.
        estimate: `(key, state, data) -> values`, the best single answer for any rows; what is left
            to chance in it is error.
        sample: `(key, state, data) -> values`, one random completion of any rows.
    """

    init: Callable[..., State]
    step: Callable[..., tuple[State, Info]]
    fill: Callable[..., jax.Array] | None = None
    estimate: Callable[..., jax.Array] | None = None
    sample: Callable[..., jax.Array] | None = None


class View(NamedTuple):
    """Rows as a network sees them: a linear gather of the state, and its average back.

    Attributes:
        size: number of rows in the view.
        take: `(x, i) -> rows`, the rows numbered `i` of the state `x`.
        fold: `rows -> x`, an average over the rows that cover an entry: of equal weights (the
            adjoint of taking all rows, divided by the number of covering rows), or of weights that
            fade towards the ends of a row.
        whole: whether the rows are the state's own. `views.every` then takes all of them without a
            gather, which would bring them together on every device.
    """

    size: int
    take: Callable[[jax.Array, jax.Array], jax.Array]
    fold: Callable[[jax.Array], jax.Array]
    whole: bool = False


class Process(NamedTuple):
    """How noise enters: `dx = drift(x, t) dt + diffusion(t) dW` for t in [0, 1].

    Attributes:
        marginal: `t -> (alpha, sigma)` with `x_t = alpha x_0 + sigma noise`.
        drift: `(x, t) -> array`.
        diffusion: `t -> scalar`.
        prior: `(key, shape) -> array`, a draw of x_1.
    """

    marginal: Callable[[Any], tuple[jax.Array, jax.Array]]
    drift: Callable[[jax.Array, Any], jax.Array]
    diffusion: Callable[[Any], jax.Array]
    prior: Callable[..., jax.Array]


# Called between chunks as `(t, state, info)`; True stops the run. `t` counts the steps done, and
# the leaves of `info` carry a leading axis over the chunk.
Hook: TypeAlias = Callable[[int, State, Info], bool]

# `(key, mask) -> (context, query)`, two parts of the observed entries: what a conditional model is
# shown and what it must answer for. Disjoint in `jaximpute.maths.splits`;
# `jaximpute.methods.papers.context_query.partitions` has those of fields.
Split: TypeAlias = Callable[[PRNGKey, jax.Array], tuple[jax.Array, jax.Array]]
