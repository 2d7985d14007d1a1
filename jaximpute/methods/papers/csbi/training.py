"""The two trainings of CSBI's Algorithm 2, each on paths of the other policy."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from jaximpute import masking
from jaximpute.maths import optimise
from jaximpute.maths.optimise import Learner, averaged
from jaximpute.methods._conditional import Batch
from jaximpute.methods.papers.csbi import bridge as bridges
from jaximpute.methods.papers.csbi.bridge import Bridge, Policy
from jaximpute.types import Params, PRNGKey, Scalar, Split

Loss = Callable[[Params, PRNGKey], Float[Array, ""]]


class Rounds(NamedTuple):
    """The settings of Algorithm 2's rounds, and of draws after them; `csbi` documents them."""

    backward_optimiser: optax.GradientTransformation
    forward_optimiser: optax.GradientTransformation
    decay: Scalar
    split: Split
    times: Any
    refreshes: int
    sgd_steps: int
    batch: int
    cache: int
    sde_steps: int
    draw_steps: int

    def trained(
        self, optimiser: optax.GradientTransformation, loss: Loss, key: PRNGKey, policy: Learner
    ) -> tuple[Learner, Float[Array, "steps"]]:
        """A policy after the steps of a refresh, and the loss before each of them."""
        return optimise.train(loss, optimiser, key, policy, self.sgd_steps, self.decay)


class Policies(NamedTuple):
    """Two policies on a grid of times, and how one is trained against the other.

    Attributes:
        bridge: the process and the grid.
        backward: from `bridge.backward_policy`.
        forward: from `bridge.forward_policy`.
        batch: states of the paths in a step.
        probes: see `bridge.likelihood`.
        probe: likewise.
    """

    bridge: Bridge
    backward: Policy
    forward: Policy
    batch: int
    probes: int
    probe: str

    def asked(self, policy: Policy, weights: Params | None, rows: Batch) -> Policy:
        """A policy on paths of rows, given their context."""
        process = self.bridge.process
        return bridges.given(process, rows, lambda x, t: policy(weights, x, t, rows.cond))


def weights_of(learner: Learner | None) -> Params | None:
    """The averaged weights of a policy; None of one that is zero."""
    return None if learner is None else averaged(learner)


def train_backward(
    policies: Policies,
    rounds: Rounds,
    key: PRNGKey,
    backward: Learner,
    forward: Learner | None,
    draw: Callable[[PRNGKey], Batch],
) -> tuple[Learner, Float[Array, "steps"]]:
    """Train the backward policy on forward paths, lines 4-6.

    Args:
        policies: both.
        rounds: how it is trained.
        key: for rows, paths and steps.
        backward: what is trained.
        forward: what makes the paths; None is zero.
        draw: `key -> rows`, whose paths are cached.

    Returns:
        The policy, and the loss before each step.
    """
    k_rows, k_path, k_train = jax.random.split(key, 3)
    rows, fore = draw(k_rows), weights_of(forward)
    z = policies.asked(policies.forward, fore, rows)
    paths = bridges.forward_paths(policies.bridge, z, k_path, rows.values)
    loss = backward_loss(policies, fore, rows, paths)
    return rounds.trained(rounds.backward_optimiser, loss, k_train, backward)


def train_forward(
    policies: Policies,
    rounds: Rounds,
    key: PRNGKey,
    forward: Learner,
    backward: Learner,
    draw: Callable[[PRNGKey], Batch],
) -> tuple[Learner, Float[Array, "steps"]]:
    """Train the forward policy on backward paths from the prior, lines 7-9; see `train_backward`.

    Here nothing is given, and all is asked for: :math:`M_cond = 0` and :math:`M_target = 1`.
    """
    process = policies.bridge.process
    k_rows, k_prior, k_path, k_train = jax.random.split(key, 4)
    rows, back = draw(k_rows), weights_of(backward)
    nothing = jnp.zeros(rows.context.shape, bool)
    rows = rows._replace(context=nothing, query=~nothing)
    start = process.prior(k_prior, rows.values.shape).astype(rows.values.dtype)
    # from the prior down: turned round, row s is at time (s + 1) / steps
    z = policies.asked(policies.backward, back, rows)
    paths = bridges.backward_paths(policies.bridge, z, k_path, start)[::-1]
    loss = forward_loss(policies, back, rows, paths)
    return rounds.trained(rounds.forward_optimiser, loss, k_train, forward)


def backward_loss(
    policies: Policies, fore: Params | None, rows: Batch, paths: Float[Array, "steps n *event"]
) -> Loss:
    """The likelihood of the backward policy on cached forward paths, eq. (12a).

    Args:
        policies: both.
        fore: weights of the forward policy, which has made the paths.
        rows: the rows.
        paths: their states, row s at time (s + 1) / steps.

    Returns:
        `(params, key) -> loss` of a random batch of the states.
    """
    process = policies.bridge.process
    return _likelihood(
        policies,
        rows,
        paths,
        lambda params, x, t, now, key: policies.backward(params, x, t, now.cond, key),
        lambda x, t, now: policies.forward(fore, x, t),
        lambda x, t, now: bridges.hold(process, now, x, t),
    )


def forward_loss(
    policies: Policies, back: Params, rows: Batch, paths: Float[Array, "steps n *event"]
) -> Loss:
    """The likelihood of the forward policy on cached backward paths, eq. (12b).

    See `backward_loss`; `back` are the weights of the backward policy.
    """
    return _likelihood(
        policies,
        rows,
        paths,
        lambda params, x, t, now, key: policies.forward(params, x, t, (), key),
        lambda x, t, now: policies.backward(back, x, t, now.cond),
        lambda x, t, now: x,
    )


def _likelihood(
    policies: Policies,
    rows: Batch,
    paths: Float[Array, "steps n *event"],
    trained: Callable[..., jax.Array],
    other: Callable[..., jax.Array],
    seen: Callable[..., jax.Array],
) -> Loss:
    """The likelihood of one policy on paths of the other.

    Args:
        policies: both.
        rows: the rows.
        paths: their states, row s at time (s + 1) / steps.
        trained: `(params, x, t, rows, key) -> z`.
        other: `(x, t, rows) -> z`, of the policy that made the paths.
        seen: `(x, t, rows) -> x`, the states that both are shown.
    """
    bridge = policies.bridge

    def loss(params: Params, key: PRNGKey) -> Float[Array, ""]:
        k_pairs, k_probe, k_net = jax.random.split(key, 3)
        i, t, x = pairs(k_pairs, paths, policies.batch)
        now = Batch(*(part[i] for part in rows))
        x = seen(x, t, now)
        return bridges.likelihood(
            lambda params, x: trained(params, x, t, now, k_net),
            params,
            other(x, t, now),
            bridge.process.diffusion(t),
            k_probe,
            x,
            bridges.entry_weights(bridge, t, now.query),
            probes=policies.probes,
            probe=policies.probe,
        )

    return loss


def pairs(
    key: PRNGKey, paths: Float[Array, "steps n *event"], count: int
) -> tuple[Int[Array, "count"], Float[Array, "count"], Float[Array, "count *event"]]:
    """States of a cache at random: their rows, their times, themselves."""
    k_time, k_row = jax.random.split(key)
    s = jax.random.randint(k_time, (count,), 0, paths.shape[0])
    i = jax.random.randint(k_row, (count,), 0, paths.shape[1])
    return masking.share((i, (s + 1).astype(paths.dtype) / paths.shape[0], paths[s, i]))
