"""Transformed matching: plans and gradients against twins, and clusters with a known answer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment, minimize

import jaximpute as ji
from jaximpute.methods.relatives._plans import relaxed_plan, sinkhorn_plan
from jaximpute.methods.relatives.tdm import matching
from jaximpute.nets import real_nvp


def costs(seed, n=6, m=6):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, 2)), rng.normal(size=(m, 2)) + 0.3
    return np.linalg.norm(x[:, None] - y[None], axis=-1)


def uniform(n):
    return jnp.full(n, 1 / n)


def test_a_sharp_plan_is_the_assignment():
    cost = costs(0)
    plan = sinkhorn_plan(jnp.asarray(cost, jnp.float32), uniform(6), uniform(6), 0.005, 2000)
    rows, columns = linear_sum_assignment(cost)
    assert (np.argmax(plan, axis=1)[rows] == columns).all()
    np.testing.assert_allclose(jnp.sum(plan * cost), cost[rows, columns].mean(), rtol=5e-3)
    np.testing.assert_allclose(plan.sum(1), 1 / 6, rtol=1e-4)


@pytest.mark.fast
def test_points_without_mass_take_no_part():
    cost = jnp.asarray(costs(1), jnp.float32)
    b = jnp.array([0.5, 0.0, 0.25, 0.25, 0.0, 0.0])
    plan = sinkhorn_plan(cost, uniform(6), b, 0.1, 200)
    small = sinkhorn_plan(cost[:, b > 0], uniform(6), b[b > 0], 0.1, 200)
    np.testing.assert_array_equal(plan[:, b == 0], 0)
    np.testing.assert_allclose(plan[:, b > 0], small, atol=1e-6)
    assert np.isfinite(plan).all()


def test_the_relaxed_plan_minimises_its_objective():
    """Against a quasi-Newton method on the logarithms of the plan, in float64."""
    cost, rho = costs(2, 4, 5), 0.6
    a, b = np.full(4, 1 / 4), np.full(5, 1 / 5)

    def kl(q, p):
        return np.sum(q * np.log(q / p) - q + p)

    def objective(plan):
        return np.sum(plan * cost) + rho * (kl(plan.sum(1), a) + kl(plan.sum(0), b))

    best = min(
        minimize(
            lambda v: objective(np.exp(v).reshape(4, 5)),
            np.random.default_rng(seed).normal(size=20) - 4,
        ).fun
        for seed in range(3)
    )
    plan = relaxed_plan(jnp.asarray(cost, jnp.float32), uniform(4), uniform(5), rho, 3000)
    np.testing.assert_allclose(objective(np.asarray(plan, np.float64) + 1e-12), best, rtol=1e-3)
    early = relaxed_plan(jnp.asarray(cost, jnp.float32), uniform(4), uniform(5), rho, 3)
    assert objective(np.asarray(early, np.float64)) > best + 1e-3
    assert 0.2 < plan.sum() < 0.95  # mass is given up


def test_the_gradient_is_that_of_the_cost_of_the_plan():
    net = real_nvp(3, blocks=1)
    x = jnp.asarray(np.random.default_rng(3).normal(size=(8, 3)), jnp.float32)
    params = net.init(jax.random.key(0), x[:1], jnp.zeros(1), ())

    def loss(x):
        return matching(net, x, params, jnp.ones(8), jax.random.key(5), 4, 0.002, 1000)

    # sharp enough to be exact transport, where the plan stays as it is under small changes
    value, gradient = jax.jit(loss), jax.jit(jax.grad(loss))(x)
    assert np.isfinite(gradient).all()
    assert jnp.abs(gradient).max() > 0.05
    for row, column in ((int(jnp.abs(gradient).max(axis=1).argmax()), 0), (0, 1), (5, 2)):
        ends = [value(x.at[row, column].add(step)) for step in (2e-3, -2e-3)]
        np.testing.assert_allclose(
            gradient[row, column], (ends[0] - ends[1]) / 4e-3, rtol=0.06, atol=5e-3
        )


def test_the_missing_coordinate_goes_to_its_cluster():
    side = np.where(np.arange(64) % 2, 1.0, -1.0)
    x = side[:, None] + 0.1 * np.random.default_rng(0).normal(size=(64, 3))
    x[:16, 2] = np.nan
    data = ji.from_nan(jnp.asarray(x, jnp.float32))
    method = ji.methods.tdm(real_nvp(3, blocks=1), lr=0.05, batch=32, moves=300)
    state = ji.fit(method, jax.random.key(0), data, 1, chunk=1)
    filled = np.asarray(ji.complete(method, jax.random.key(1), state, data))[:16, 2]
    assert np.mean((filled - side[:16]) ** 2) < 0.4  # the mean has 1


@pytest.mark.fast
def test_one_column_cannot_be_coupled():
    data = ji.from_nan(jnp.array([[1.0], [jnp.nan]]))
    with pytest.raises(ji.OptionError, match="at least 2 columns"):
        ji.registry.build("tdm", data, kind="table")
