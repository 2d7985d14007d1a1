"""The warm-up of CSBI as a method of its own, and the state they share."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaximpute.maths import optimise
from jaximpute.maths.optimise import Learner
from jaximpute.maths.splits import RANDOM
from jaximpute.methods._conditional import Views, batches
from jaximpute.methods.papers.csbi import bridge as bridges
from jaximpute.methods.papers.csbi.bridge_draws import last_time
from jaximpute.types import Info, Method, Net, Observed, PRNGKey, Process, Scalar, Split
from jaximpute.views import identity


class CSBIState(NamedTuple):
    """What CSBI learns.

    Attributes:
        backward: the backward policy; its optimiser is the bridge's.
        forward: the forward policy; None without a network.
        warmup: the optimiser of the warm-up, whose rate has a schedule of its own; None in a bridge
            that was not handed a warm-up.
    """

    backward: Learner
    forward: Learner | None
    warmup: optax.OptState | None = None


def csbi_warmup(
    backward: Net,
    forward: Net | None,
    process: Process,
    *,
    view: Views = identity,
    split: Split = RANDOM,
    times: Any = None,
    centred: bool = False,
    scaled: bool = True,
    lr: Scalar = 2e-3,
    total: int | None = None,
    sgd_steps: int = 100,
    batch: int = 16,
    decay: Scalar = 0.99,
) -> Method:
    """Line 2 of Algorithm 2 as a method of its own: score matching, with the state of `csbi`.

    Times are uniform between 1 and the one at which draws end.

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

    Returns:
        A method that only trains. Its state is one to start `csbi(..., warmup=0)` from, by
        `fit(..., state=state)`: the optimisers of the bridge in it have taken no step yet.

    Example:
        >>> import jax, jax.numpy as jnp, jaximpute as ji
        >>> data = ji.from_nan(jnp.zeros((4, 10, 1)).at[:, 3].set(jnp.nan))
        >>> net, process = ji.nets.csdi_transformer((10, 1), width=8, heads=2), ji.processes.ve()
        >>> warm = ji.methods.csbi_warmup(net, None, process, total=4, sgd_steps=2, batch=2)
        >>> state = ji.fit(warm, jax.random.key(0), data, 2)
        >>> bridge = ji.methods.csbi0(net, process, warmup=0, draw_steps=2)  # to be fitted, or not
        >>> ji.complete(bridge, jax.random.key(2), state, data).shape
        (4, 10, 1)

    Source: CSBI (Chen et al., 2023), Algorithm 2, line 2, and section 3.1.
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
            optimiser.init(params),
        )

    def step(key: PRNGKey, state: CSBIState, data: Observed) -> tuple[CSBIState, Info]:
        draw, end = batches(data, view, split, batch, times, centred=centred), last_time(process)

        def loss(params, k):
            k_rows, k_time, k_match = jax.random.split(k, 3)
            rows = draw(k_rows)
            t = jax.random.uniform(k_time, (batch,), rows.values.dtype, end, 1.0)
            return bridges.score_matching(
                policy, process, params, k_match, rows.values, rows.query, t, rows.cond
            )

        # an optimiser's state looks alike for every rate, and counts the steps it has taken
        own, fresh = state.backward._replace(opt=state.warmup), state.backward.opt
        back, losses = optimise.train(loss, optimiser, key, own, sgd_steps, decay)
        state = state._replace(backward=back._replace(opt=fresh), warmup=back.opt)
        return state, Info(losses.mean(), {})

    return Method(init, step)
