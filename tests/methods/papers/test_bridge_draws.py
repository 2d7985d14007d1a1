"""Every sampler of a bridge on Gaussians: exact policies, with and without a forward one.

The forward policy known here pulls what is missing towards 0 and, through what is observed, to one
side. With the clock tau, the integral of g^2, and the context at its place without noise,

    d x = (-(r + k) x + B exp(-r tau) c) d tau + dW(tau),

an Ornstein-Uhlenbeck process with a moving centre: r is 0 for a variance-exploding process, and 1/2
for a variance-preserving one.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute.engine.loop import fit
from jaximpute.maths import processes
from jaximpute.methods import csbi
from jaximpute.methods._conditional import Batch
from jaximpute.methods.papers.csbi import bridge as bridges
from jaximpute.methods.papers.csbi import bridge_draws as draws
from jaximpute.types import Net
from tests.helpers import gaussian_series as gaussian

PROCESSES = {"ve": processes.ve(0.05, 4.0), "vp": processes.vp()}
RATE = {"ve": 0.0, "vp": 0.5}
HOLES, SEEN = ~gaussian.MASK, gaussian.MASK
VALUES = (1.0, 0.0, 0.0, -0.5, 0.0, 0.8)
SIDE = np.array([[0.4, -0.2, 0.0], [0.0, 0.3, -0.3], [0.2, 0.2, 0.2]])


class Known:
    """A process, a forward policy of strength `k`, and the backward policy that is exact for it."""

    def __init__(self, name: str, k: float):
        self.process, self.r, self.k = PROCESSES[name], RATE[name], k
        self.side = SIDE * k
        self.mean, self.cov = gaussian.conditional(VALUES)
        self.seen = np.asarray(VALUES)[SEEN]

    def clock(self, t):
        alpha, sigma = self.process.marginal(t)
        return sigma**2 if self.r == 0 else -2 * jnp.log(alpha)

    def law(self, t):
        """Mean `(1, 3)` and covariance of what is missing, at a time of the forward paths."""
        tau, rate = self.clock(t), self.r + self.k
        left = jnp.exp(-rate * tau)
        moved = (jnp.exp(-self.r * tau) - left) / self.k if self.k else 0.0
        spread = -jnp.expm1(-2 * rate * tau) / (2 * rate) if rate else tau
        mean = left * self.mean + moved * (self.side @ self.seen)
        return mean[None], left**2 * jnp.asarray(self.cov) + spread * jnp.eye(3)

    def forward(self, x, t):
        """What it answers in the context must not matter: it is wild."""
        g = self.process.diffusion(t)
        holes = -self.k * x[:, HOLES, 0] + x[:, SEEN, 0] @ self.side.T
        return (30 * g * x).at[:, HOLES, 0].set(g * holes)

    def backward(self, x, t):
        g, (mean, cov) = self.process.diffusion(t), self.law(t)
        score = -jnp.linalg.solve(cov, (x[:, HOLES, 0] - mean).T).T
        alpha, rows = self.process.marginal(t)[0], gaussian.rows(x.shape[0], VALUES)
        held = self.forward(jnp.where(rows.mask, alpha * rows.values, x), t)
        return (-10 * g * x).at[:, HOLES, 0].set(g * score - held[:, HOLES, 0])

    def policies(self, n: int):
        """As a draw asks them: given the context of `n` rows."""
        data = gaussian.rows(n, VALUES)
        rows = Batch(data.values, data.mask, ~data.mask, jnp.zeros((n, gaussian.LENGTH)))
        return rows, *(
            bridges.given(self.process, rows, lambda x, t, z=z: z(x, t[0]))
            for z in (self.backward, self.forward)
        )

    def start(self, key, n: int):
        """Draws of what the forward paths come to."""
        mean, cov = self.law(jnp.ones(()))
        x = jax.random.normal(key, (n, gaussian.LENGTH, 1))
        drawn = x[:, HOLES, 0] @ jnp.linalg.cholesky(cov).T + mean
        return x.at[:, HOLES, 0].set(drawn.astype(x.dtype))


@pytest.fixture(params=PROCESSES)
def name(request):
    return request.param


def moments(known: Known, sampler: str, steps: int):
    """Mean and covariance of the draws of a flow, which moves Gaussians by an affine map."""
    _, back, fore = known.policies(4)
    mean, cov = known.law(jnp.ones(()))
    at = jnp.concatenate([mean, mean + jnp.eye(3)])
    x = 5 * jnp.ones((4, gaussian.LENGTH, 1))  # the context of a start must not matter
    x = x.at[:, HOLES, 0].set(at.astype(x.dtype))
    key = jax.random.key(0)
    found = draws.draw(sampler, known.process, back, fore, key, x, steps=steps)[:, HOLES, 0]
    pull = found[1:] - found[:1]  # row i: where the i-th unit vector goes
    return found[0], pull.T @ cov @ pull


@pytest.mark.parametrize("k", [0.0, 0.7])
@pytest.mark.parametrize("sampler", ["heun", "tsit5", "exponential"])
def test_flows_come_to_the_conditional_as_their_steps_grow(name, sampler, k):
    known = Known(name, k)

    def error(steps):
        mean, cov = moments(known, sampler, steps)
        return max(float(jnp.abs(mean - known.mean).max()), float(jnp.abs(cov - known.cov).max()))

    few, many = error(3), error(120)
    assert many < 0.006
    assert many < few / 3


@pytest.mark.parametrize("k", [0.0, 0.7])
@pytest.mark.parametrize("snr", [0.0, 0.15])
def test_the_stochastic_equation_draws_from_the_conditional(name, snr, k):
    known, n = Known(name, k), 6000
    rows, back, fore = known.policies(n)
    k_start, k_run = jax.random.split(jax.random.key(0))
    x = known.start(k_start, n)
    found = jax.jit(
        lambda x: draws.sde(
            known.process, back, fore, k_run, x, steps=250, snr=snr, where=rows.query
        )
    )(x)
    gaussian.check(found, 0.06)


def test_forward_paths_come_to_their_known_law(name):
    # a pull of 0.7 along the whole of the exploding process would be too stiff for Euler steps
    known, n = Known(name, {"ve": 0.05, "vp": 0.7}[name]), 8000
    rows, _, fore = known.policies(n)
    held = jnp.linalg.cholesky(jnp.asarray(known.cov, jnp.float32))
    clean = jax.random.normal(jax.random.key(0), (n, 3)) @ held.T + known.mean[None]
    x = rows.values.at[:, HOLES, 0].set(clean.astype(jnp.float32))
    bridge = bridges.Bridge(known.process, 200)
    end = bridges.forward_paths(bridge, fore, jax.random.key(1), x)[-1][:, HOLES, 0]
    mean, cov = known.law(jnp.ones(()))
    spread = float(jnp.diag(cov).max())
    np.testing.assert_allclose(end.mean(axis=0), mean[0], atol=4 * (spread / n) ** 0.5)
    np.testing.assert_allclose(np.cov(end.T), cov, atol=0.06 * spread)


@pytest.mark.parametrize("sampler", draws.SAMPLERS)
def test_a_method_with_a_forward_policy_draws_from_the_conditional(name, sampler):
    """From what is observed to what is missing, by the method's own `sample`."""
    known, n = Known(name, 0.7), 4000

    def network(z):
        def apply(params, x, t, cond, key=None):
            return z(x, t[0])

        return Net(lambda key, x, t, cond: {"none": jnp.zeros(1)}, apply)

    # the forward policy leads to its own end, from which draws have to start
    process = known.process._replace(prior=lambda key, shape: known.start(key, shape[0]))
    method = csbi(
        network(known.backward),
        network(known.forward),
        process,
        scaled=False,
        warmup=0,
        sampler=sampler,
        draw_steps={"sde": 250, "exponential": 60}.get(sampler, 120),
    )
    data = gaussian.rows(n, VALUES)
    state = fit(method, jax.random.key(0), data, 0)
    gaussian.check(jax.jit(method.sample)(jax.random.key(1), state, data), 0.05)


@pytest.mark.parametrize("spread", [0.03, 0.1, 1.0])
def test_draws_in_few_steps_are_as_wide_as_the_data(name, spread):
    """Where the conditional spread is small, it must not depend on the number of steps."""
    process = {"ve": processes.ve(), "vp": processes.vp()}[name]

    def back(x, t):
        alpha, sigma = (bridges.per_row(part, x) for part in process.marginal(t))
        total = (alpha * spread) ** 2 + sigma**2
        return -bridges.per_row(process.diffusion(t), x) * x / total

    def width(steps):
        alpha, sigma = process.marginal(jnp.ones(()))
        x = jnp.sqrt((alpha * spread) ** 2 + sigma**2) * jnp.ones((1, 1))
        zero = jnp.zeros_like
        return float(
            draws.exponential_flow(process, back, lambda x, t: zero(x), x, steps=steps)[0, 0]
        )

    assert abs(width(8) / spread - 1) < 0.12
    assert abs(width(60) / spread - 1) < 0.03


@pytest.mark.parametrize("process", [*PROCESSES.values(), processes.sub_vp(), processes.edm()])
def test_draws_end_at_one_noise_level(process):
    alpha, sigma = process.marginal(jnp.asarray(draws.last_time(process)))
    np.testing.assert_allclose(sigma / alpha, draws.LAST_NOISE, rtol=0.02)
    for steps in (1, 2, 9):
        times = draws.falling_times(process, steps)
        assert times.shape == (steps,)
        assert times[0] == 1
        alpha, sigma = process.marginal(times)
        gaps = jnp.diff(jnp.log(sigma / alpha))
        np.testing.assert_allclose(gaps, gaps[:1].repeat(steps - 1), rtol=0.05)


def test_langevin_does_not_look_at_the_context():
    """What a policy answers for entries that are known changes no draw, and moves none of them."""
    known = Known("ve", 0.7)
    rows, back, fore = known.policies(50)
    x = known.start(jax.random.key(0), 50)

    def run(size):
        def wild(x, t):
            return jnp.where(rows.context, size * x, back(x, t))

        return draws.sde(
            known.process, wild, fore, jax.random.key(1), x, steps=5, snr=0.2, where=rows.query
        )[:, HOLES, 0]

    np.testing.assert_allclose(run(0.0), run(10.0), rtol=1e-5)
