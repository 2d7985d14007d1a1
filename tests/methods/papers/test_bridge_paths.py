"""Paths of a bridge, and what a policy learns on them, against loops and laws that are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute.engine.loop import fit
from jaximpute.maths import processes
from jaximpute.methods import csbi
from jaximpute.methods._conditional import Batch, per_row
from jaximpute.methods.papers.csbi import bridge as bridges
from jaximpute.methods.papers.csbi.bridge import Bridge
from jaximpute.types import Net, Observed

PROCESSES = {"ve": processes.ve(0.05, 4.0), "vp": processes.vp()}


@pytest.fixture(params=PROCESSES)
def process(request):
    return PROCESSES[request.param]


def test_paths_keep_the_process_on_any_grid(process):
    """Ornstein-Uhlenbeck (vp) and Brownian (ve) paths have their marginal variance at each time."""
    for steps, tol in ((5, 0.02 if process is PROCESSES["ve"] else 0.5), (400, 0.05)):
        bridge = Bridge(process, steps)
        x = 0.7 * jax.random.normal(jax.random.key(0), (20_000, 1))
        paths = bridges.forward_paths(bridge, lambda x, t: 0 * x, jax.random.key(1), x)
        alpha, sigma = process.marginal(jnp.arange(1, steps + 1) / steps)
        expected = jnp.sqrt(alpha**2 * 0.49 + sigma**2)
        np.testing.assert_allclose(paths.std(axis=(1, 2)), expected, rtol=tol)


@pytest.mark.parametrize("way", ["forward", "backward"])
def test_paths_equal_a_plain_loop(way):
    """With a policy, on the noise that diffrax draws, which a run without one shows."""
    bridge, x = Bridge(PROCESSES["vp"], 4), jnp.ones((2, 3))
    run = {"forward": bridges.forward_paths, "backward": bridges.backward_paths}[way]
    process, h = bridge.process, 0.25

    def rate(t):  # at the end of the step that is later in time
        return bridges.step_noise(process, jnp.asarray(t), h) ** 2 / process.diffusion(t)

    def steps(z):
        """Pairs of a state and what follows it, without the noise."""
        state = x
        for i in range(4 if way == "forward" else 3):
            if way == "forward":
                t, after = i * h, (i + 1) * h
                yield state, state + h * (process.drift(state, t) + rate(after) * z(state, after))
            else:
                t = 1 - i * h
                yield state, state - h * (process.drift(state, t) - rate(t) * z(state, t))
            state = found[i] if way == "forward" else found[i + 1]

    key = jax.random.key(0)
    found = run(bridge, lambda x, t: jnp.zeros_like(x), key, x)
    still = [move for _, move in steps(lambda x, t: 0 * x)]
    states = found if way == "forward" else found[1:]
    noise = [state - move for state, move in zip(states, still, strict=True)]
    found = run(bridge, lambda x, t: per_row(t, x) * x**2, jax.random.key(0), x)
    moves = [move for _, move in steps(lambda x, t: t * x**2)]
    states = found if way == "forward" else found[1:]
    for state, move, drawn in zip(states, moves, noise, strict=True):
        np.testing.assert_allclose(state, move + drawn, rtol=1e-4, atol=1e-5)


@pytest.mark.fast
def test_policies_see_the_context_held_and_leave_it_alone():
    process, mask = PROCESSES["vp"], jnp.array([[True, False]])
    rows = Batch(jnp.array([[2.0, 0.0]]), mask, ~mask, jnp.zeros((1, 1)))
    z = bridges.given(process, rows, lambda x, t: x)
    alpha, _ = process.marginal(0.5)
    np.testing.assert_allclose(z(jnp.array([[9.0, 7.0]]), jnp.full(1, 0.5)), [[0.0, 7.0]])
    held = bridges.hold(process, rows, jnp.array([[9.0, 7.0]]), jnp.full(1, 0.5))
    np.testing.assert_allclose(held, jnp.array([[2 * alpha, 7.0]]), rtol=1e-6)


def test_the_backward_policy_learns_what_draws_need():
    """Pairs, the second of each known: weights on the two parts of the policy that is exact.

    Forward paths have x' = (-k x + b c) g^2 for what is missing, with the context c held, so that
    its law is a Gaussian whose score is known. With the context noised other weights are best.
    """
    process, k, b, share = processes.ve(0.1, 1.0), 0.5, 2.0, 0.6
    c = jax.random.normal(jax.random.key(8), (512, 1))
    u = share * c + 0.8 * jax.random.normal(jax.random.key(9), (512, 1))
    data = Observed(jnp.concatenate([u, c], axis=1), jnp.full((512, 2), True), jnp.ones(512))

    def split(key, mask):
        context = mask & jnp.array([[False, True]])
        return context, mask & ~context

    def fore(params, x, t, cond, key=None):
        pull = (-k * x[:, :1] + b * x[:, 1:]) * process.diffusion(t)[:, None]
        return jnp.concatenate([pull, 0 * pull], axis=1)

    def back(params, x, t, cond, key=None):
        tau, g = process.marginal(t)[1][:, None] ** 2, process.diffusion(t)[:, None]
        left, c = jnp.exp(-k * tau), cond[0][:, 1:]
        mean = left * share * c + b / k * (1 - left) * c
        score = -(x[:, :1] - mean) / (0.64 * left**2 + (1 - left**2) / (2 * k))
        z = g * (params["score"] * score - params["forward"] * (-k * x[:, :1] + b * c))
        return jnp.concatenate([z, 0 * z], axis=1)

    method = csbi(
        Net(lambda key, x, t, cond: {"score": jnp.zeros(()), "forward": jnp.zeros(())}, back),
        Net(lambda key, x, t, cond: {"none": jnp.zeros(())}, fore),
        process,
        split=split,
        scaled=False,
        sde_steps=60,
        warmup=0,
        lr=0.05,
        total=300,
        sgd_steps=100,
        refreshes=3,
        batch=512,
        cache=512,
    )
    state = fit(method, jax.random.key(0), data, 1)
    for part, total in state.backward.total.items():
        np.testing.assert_allclose(total / state.backward.mass, 1.0, atol=0.1, err_msg=part)
