"""CSBI (Chen et al., 2023): imputation of series by a conditional Schrodinger bridge.

Algorithm 2 trains two policies in turn, each on paths of the other; Algorithm 4 draws what is
missing by the backward one, given what is observed.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaximpute._errors import OptionError, check_chosen, check_positive
from jaximpute.engine.warmup import WarmUp
from jaximpute.maths import optimise
from jaximpute.maths.optimise import averaged
from jaximpute.maths.splits import RANDOM
from jaximpute.methods._conditional import Batch, Views, batches, complete
from jaximpute.methods._residual import residual
from jaximpute.methods.papers.csbi import bridge as bridges
from jaximpute.methods.papers.csbi import bridge_draws as draws
from jaximpute.methods.papers.csbi.bridge import Bridge
from jaximpute.methods.papers.csbi.on_gaussian import bridged
from jaximpute.methods.papers.csbi.training import (
    Policies,
    Rounds,
    train_backward,
    train_forward,
    weights_of,
)
from jaximpute.methods.papers.csbi.warmup import CSBIState, csbi_warmup
from jaximpute.types import Info, Method, Net, Observed, PRNGKey, Process, Scalar, Split
from jaximpute.views import identity

WARM = 100  # steps of the warm-up between two looks at it
EXPONENTIAL = 8  # steps of a draw by the exponential integrator


def csbi(
    backward: Net,
    forward: Net | None,
    process: Process,
    *,
    on_gaussian: bool = False,
    window: int | None = None,
    view: Views = identity,
    draw_view: Views | None = None,
    split: Split = RANDOM,
    times: Any = None,
    centred: bool = False,
    scaled: bool = True,
    warmup: int = 3000,
    warmup_lr: Scalar = 2e-3,
    warmup_batch: int | None = None,
    lr: Scalar = 1e-4,
    lr_forward: Scalar = 1e-4,
    total: int | None = None,
    refreshes: int = 2,
    sgd_steps: int = 40,
    batch: int = 64,
    cache: int = 128,
    probes: int = 1,
    probe: str = "rademacher",
    decay: Scalar = 0.99,
    sde_steps: int = 50,
    sampler: str = "exponential",
    draw_steps: int | None = None,
    snr: Scalar = 0.0,
) -> Method:
    r"""Imputation by a conditional Schrodinger bridge.

    `init` sets the forward policy to zero and warms the backward one up by score matching; `fit`
    takes this in steps that hooks see. One
    `step` is a round of Algorithm 2: forward paths from data, on which the backward policy takes
    steps down eq. (12a) on the entries asked for; then backward paths from the prior, on which the
    forward policy takes steps down eq. (12b). `sample` is Algorithm 4.

    On a Gaussian all this is done on what a joint one of rows leaves open, in its units and with
    its noise (see `on_gaussian`); the warm-up is that of `methods.csdi` there. What the warm-up
    learned is used as far as it lowers the CRPS at entries that no network has seen, and the bridge
    only where it lowers that of the warm-up; infos report `start_error`, `error`, `share`, the
    `bridge_error` and the `cost` of transport, :math:`E \int \frac12 |z^f|^2 dt` of an entry.

    Args:
        backward: the backward policy, conditional on `(values, mask, times)`, such as
            `nets.csdi_transformer`.
        forward: the forward policy, of the whole row and without conditions, that answers 0 at its
            start, such as `nets.policy_unet`; None keeps it at zero, which is CSBI0.
        process: what both policies steer, `processes.ve()` in the paper.
        view: `shape -> View`, the rows to learn from.
        draw_view: the rows to complete; entries in two rows come from the first. None = `view`.
        split: what is asked for in training, see `maths.splits`.
        times: `(time,)` positions of a series' steps; None if regular.
        centred: see each row of a series relative to the last value and the spread of its context.
        scaled: the backward network answers in units in which its target has variance one, for
            standardised data; otherwise it answers the policy itself, as printed.
        warmup: steps of score matching in `init`.
        warmup_lr: AdamW's first learning rate for them, falling to 0.
        warmup_batch: rows in a batch of them; None = 16, and 64 on a Gaussian.
        lr: of the backward policy in the bridge.
        lr_forward: of the forward policy.
        total: steps of each policy in all, over which these fall to 0; None = constant.
        refreshes: times that the paths are drawn anew in a round.
        sgd_steps: steps of each policy on each of these.
        batch: pairs of a state and a time in a step.
        cache: paths in a cache.
        probes: Hutchinson probes for each pair.
        probe: `rademacher` or `gaussian`.
        decay: of the averaged weights, which make the paths and the draws.
        sde_steps: steps of the grid of times on which the paths of training run.
        sampler: `sde` (Algorithm 4), or the probability-flow equation by `heun`, `tsit5` or
            `exponential` (`odes.exponential`, one evaluation a step).
        draw_steps: steps of a draw; None = 8 of `exponential`, `sde_steps` of the others.
        snr: signal to noise of one Langevin correction of what is missing after each step of `sde`;
            0 = none.

    Returns:
        An inductive method: each `sample` is one random completion. The infos report
        `loss` (of the backward policy, up to a constant) and `forward_loss`.

    Raises:
        OptionError: an option out of range.

    Example:
        >>> import jax, jax.numpy as jnp, jaximpute as ji
        >>> x = jnp.sin(jnp.arange(40.0)).reshape(4, 10, 1)
        >>> data = ji.from_nan(x.at[:, 3].set(jnp.nan))
        >>> method = ji.methods.csbi(
        ...     ji.nets.csdi_transformer((10, 1), width=8, layers=1, heads=2),
        ...     ji.nets.policy_unet(width=4, levels=1, blocks=1),
        ...     ji.processes.ve(0.01, 5.0),
        ...     warmup=5,
        ...     sgd_steps=2,
        ...     cache=4,
        ...     sde_steps=5,
        ... )
        >>> state = ji.fit(method, jax.random.key(1), data, 1)
        >>> ji.complete(method, jax.random.key(2), state, data).shape
        (4, 10, 1)

    Source: Chen et al., "Provably convergent Schrodinger bridge with applications to probabilistic
    time series imputation" (2023), Algorithms 2 and 4, eq. (11)-(13), appendix C.

    Departures from the printed paper, and why: eq. (12) is the negative of what is minimised here,
    a mean over the entries scored, with each time in units of its noise (the minimiser at each time
    is the same). Probes are masked to the entries scored, for less variance. Context stays at
    :math:`\alpha(t)\, x_{\mathrm{cond}}` on every path, in training and in draws: with a
    variance-exploding process that is eq. (13), where the released code adds noise to it in
    training. Euler steps use the mean of :math:`g^2` over a step, for the variance of the process
    on any grid. Draws end at a small noise with the mean of the clean rows, where Algorithm 4 adds
    noise last. The other policy is asked again at cached states, with the weights that made them,
    instead of being cached beside them. Draws start from the process's prior (the released code
    starts from N(0, I)). Rates fall along a cosine, where the paper's decay exponentially. Training
    ends with the rounds asked for: line 10 of Algorithm 2 has a criterion, and does not say which.
    """
    if draw_steps is None:
        draw_steps = EXPONENTIAL if sampler == "exponential" or on_gaussian else sde_steps
    if warmup_batch is None:
        warmup_batch = 64 if on_gaussian else 16
    check_chosen(probe=(probe, ("rademacher", "gaussian")), sampler=(sampler, draws.SAMPLERS))
    check_positive(sde_steps=sde_steps, sgd_steps=sgd_steps, refreshes=refreshes, probes=probes)
    check_positive(batch=batch, cache=cache, warmup_batch=warmup_batch, draw_steps=draw_steps)
    if warmup < 0:
        raise OptionError(f"warmup is {warmup}; expected at least 0")
    optimisers = optimise.adamw(lr, total=total), optimise.adamw(lr_forward, total=total)
    rounds = Rounds(
        *optimisers, decay, split, times, refreshes, sgd_steps, batch, cache, sde_steps, draw_steps
    )
    pieces, warm_steps = in_pieces(warmup, WARM)
    warming: dict[str, Any] = {"split": split, "times": times, "lr": warmup_lr, "total": warmup}
    warming |= {"sgd_steps": warm_steps, "batch": warmup_batch, "decay": decay}
    if on_gaussian:
        warm = residual(backward, window=window, draw_steps=draw_steps, **warming)
        return bridged(backward, forward, process, rounds, window, warm, pieces)
    warm = csbi_warmup(
        backward, forward, process, view=view, centred=centred, scaled=scaled, **warming
    )
    policies = Policies(
        Bridge(process, sde_steps),
        bridges.backward_policy(backward, process, scaled),
        bridges.forward_policy(forward, process, scaled),
        batch,
        probes,
        probe,
    )

    def begin(state: CSBIState) -> CSBIState:
        fore = state.forward
        return CSBIState(
            optimise.learner(averaged(state.backward), optimisers[0], decay),
            None if fore is None else optimise.learner(fore.params, optimisers[1], decay),
        )

    def step(key: PRNGKey, state: CSBIState, data: Observed) -> tuple[CSBIState, Info]:
        draw = batches(data, view, split, cache, times, centred=centred)
        once = partial(refresh, policies, rounds, draw, key)
        state, losses = jax.lax.scan(once, state, jnp.arange(refreshes))
        return state, Info(losses[0].mean(), {"forward_loss": losses[1].mean()})

    def sample(key: PRNGKey, state: CSBIState, data: Observed) -> jax.Array:
        draw = partial(draw_rows, policies, sampler, draw_steps, snr, state)
        return complete(draw, key, data, draw_view or view, times, centred=centred)

    return Method(WarmUp(warm, pieces, begin), step, sample=sample)


def refresh(policies: Policies, rounds: Rounds, draw, key: PRNGKey, state: CSBIState, i):
    """Lines 4-9 of Algorithm 2, the `i`-th time: both policies on new paths, and their losses."""
    k_back, k_fore = jax.random.split(jax.random.fold_in(key, i))
    back, loss = train_backward(policies, rounds, k_back, state.backward, state.forward, draw)
    state = state._replace(backward=back)  # lines 4-6
    if state.forward is None:
        return state, (loss, jnp.zeros_like(loss))
    fore, forward_loss = train_forward(policies, rounds, k_fore, state.forward, back, draw)
    return state._replace(forward=fore), (loss, forward_loss)  # lines 7-9


def draw_rows(
    policies: Policies, sampler: str, steps: int, snr: Scalar, state: CSBIState, key, rows: Batch
) -> Float[Array, "n *event"]:
    """Algorithm 4 for some rows, or the probability flow, by the sampler's name."""
    process = policies.bridge.process
    k_prior, k_run = jax.random.split(key)
    return draws.draw(
        sampler,
        process,
        policies.asked(policies.backward, weights_of(state.backward), rows),
        policies.asked(policies.forward, weights_of(state.forward), rows),
        k_run,
        process.prior(k_prior, rows.values.shape).astype(rows.values.dtype),
        steps=steps,
        snr=snr,
        where=rows.query,
    )


def in_pieces(total: int, size: int) -> tuple[int, int]:
    """How many pieces of one length, at most `size`, and which length, make `total` or a bit more.

    Example:
        >>> in_pieces(250, 100), in_pieces(0, 100)
        ((3, 84), (0, 1))
    """
    pieces = -(-total // size)
    return pieces, -(-total // pieces) if pieces else 1


def csbi0(backward: Net, process: Process, **options: Any) -> Method:
    r"""CSBI with the forward policy held at zero: score matching by another name.

    Eq. (12a) is then implicit score matching, and equals denoising score matching up to a constant.

    Args:
        backward: see `csbi`, as for all arguments.
        process: what is reversed.
        options: of `csbi`.

    Returns:
        An inductive method.

    Example:
        >>> import jaximpute as ji
        >>> net = ji.nets.csdi_transformer((10, 1), width=8, layers=1, heads=2)
        >>> ji.methods.csbi0(net, ji.processes.ve()).sample is None
        False

    Source: CSBI, appendix C.8.
    """
    return csbi(backward, None, process, **options)
