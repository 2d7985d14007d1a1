"""The warm-up of CSBI as a method of its own, and the state they share."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaximpute import optimise
from jaximpute.conditional import Views, batches
from jaximpute.methods import _bridge as bridges
from jaximpute.optimise import Learner
from jaximpute.splits import random as random_split
from jaximpute.types import Info, Method, Net, Observed, PRNGKey, Process, Scalar, Split
from jaximpute.views import identity

_EVERYTHING = random_split()


class CSBIState(NamedTuple):
    """The two policies; without a forward network the second is None."""

    backward: Learner
    forward: Learner | None


def csbi_warmup(
    backward: Net,
    forward: Net | None,
    process: Process,
    *,
    view: Views = identity,
    split: Split = _EVERYTHING,
    times: Any = None,
    centred: bool = False,
    scaled: bool = True,
    lr: Scalar = 1e-3,
    total: int | None = None,
    sgd_steps: int = 100,
    batch: int = 32,
    decay: Scalar = 0.99,
    first: float = 1e-2,
) -> Method:
    """Line 2 of Algorithm 2 as a method of its own: score matching, with the state of `csbi`.

    Args:
        backward: see `csbi`, as for all arguments not named here.
        forward: set to its start, and left alone.
        process: what is reversed.
        view: the rows to learn from.
        split: what is asked for.
        times: positions of a series' steps.
        centred: see `csbi`.
        scaled: see `csbi`.
        lr: AdamW's first learning rate.
        total: steps over which it falls to 0; None = constant.
        sgd_steps: steps in one `step`.
        batch: rows in a batch.
        decay: of the averaged weights.
        first: least time that is learned, in (0, 1).

    Returns:
        A method that only trains: hand its state to `csbi(..., warmup=0)`.

    Example:
        >>> import jaximpute as ji
        >>> net = ji.nets.csdi_transformer((10, 1), width=8, layers=1, heads=2)
        >>> ji.methods.csbi_warmup(net, None, ji.processes.ve()).sample is None
        True
    """
    optimiser = optimise.adamw(lr, total=total)
    policy = bridges.backward_policy(backward, process, scaled)

    def init(key: PRNGKey, data: Observed) -> CSBIState:
        k_batch, k_back, k_fore = jax.random.split(key, 3)
        one = batches(data, view, split, 1, times)(k_batch)
        t = jnp.ones(1, one.values.dtype)
        params = backward.init(k_back, one.values, t, one.cond)
        fore = None if forward is None else forward.init(k_fore, one.values, t, ())
        return CSBIState(
            optimise.learner(params, optimiser, decay),
            None if fore is None else optimise.learner(fore, optimiser, decay),
        )

    def step(key: PRNGKey, state: CSBIState, data: Observed) -> tuple[CSBIState, Info]:
        draw = batches(data, view, split, batch, times, centred=centred)

        def loss(params, k):
            k_rows, k_time, k_match = jax.random.split(k, 3)
            rows = draw(k_rows)
            t = jax.random.uniform(k_time, (batch,), rows.values.dtype, first, 1.0)
            return bridges.score_matching(
                policy, process, params, k_match, rows.values, rows.query, t, rows.cond
            )

        back, losses = optimise.train(loss, optimiser, key, state.backward, sgd_steps, decay)
        return state._replace(backward=back), Info(losses.mean(), {})

    return Method(init, step)
