"""Transport against exact answers: a float64 twin, dual certificates, assignment, closed forms."""

import math
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.special import logsumexp

from jaximpute._errors import OptionError
from jaximpute.maths import transport


def points(seed, n, d=2, scale=0.7):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32) * scale


def costs(x, y):
    return ((np.asarray(x, np.float64)[:, None] - np.asarray(y, np.float64)[None]) ** 2).sum(-1)


def kl(q, b):
    return np.sum(q * np.log(q / b) - q + b)


def twin(x, y, a, b, epsilon, rho, iterations=4000):
    """Sinkhorn in float64: the coupling, its value, and the entropic objective it minimises."""
    cost, g = costs(x, y), np.zeros(len(y))
    damp = [1.0 if math.isinf(r) else r / (r + epsilon) for r in rho]
    for _ in range(iterations):
        f = -damp[0] * epsilon * logsumexp((g - cost) / epsilon + np.log(b), axis=1)
        g = (
            -damp[1]
            * epsilon
            * logsumexp((f[:, None] - cost) / epsilon + np.log(a)[:, None], axis=0)
        )
    f = -damp[0] * epsilon * logsumexp((g - cost) / epsilon + np.log(b), axis=1)
    prior = a[:, None] * b
    plan = prior * np.exp((f[:, None] + g - cost) / epsilon)
    value = (cost * plan).sum()
    for r, mass, wanted in zip(rho, (plan.sum(1), plan.sum(0)), (a, b), strict=True):
        value += 0 if math.isinf(r) else r * kl(mass, wanted)
    return plan, value, value + epsilon * kl(plan, prior)


def certificate(x, y, a, b, plan, rho=1.0):
    """A lower bound of the semi-relaxed value: the dual at g = -rho log(q / b), f = min C - g."""
    q = np.asarray(plan, np.float64).sum(0)
    g = -rho * np.log(np.maximum(q, 1e-30) / b)
    f = (costs(x, y) - g).min(axis=1)
    return a @ f + rho * b @ (1 - np.exp(-g / rho))


def uniform(n):
    return np.full(n, 1 / n)


def semi_relaxed(x, y, b=None, **options):
    b = None if b is None else jnp.asarray(b, jnp.float32)
    return transport.semi_relaxed(jnp.asarray(x), jnp.asarray(y), b=b, **options)


A, B = np.array([0.1, 0.4, 0.3, 0.2]), np.array([0.3, 0.1, 0.2, 0.25, 0.15])
PROBLEMS = {
    "balanced": (transport.balanced, (math.inf, math.inf), {}),
    "semi_relaxed": (transport.semi_relaxed, (math.inf, 0.7), {"rho": 0.7}),
    "unbalanced": (transport.unbalanced, (0.7, 0.7), {"rho": 0.7}),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_coupling_value_and_gradient_are_those_of_the_twin(name):
    solve, rho, options = PROBLEMS[name]
    x, y, epsilon = points(0, 4), points(1, 5) + np.float32(0.3), 0.2
    a, b = jnp.asarray(A, jnp.float32), jnp.asarray(B, jnp.float32)

    def value(x, y):
        got = solve(x, y, epsilon=epsilon, a=a, b=b, threshold=1e-5, **options)
        return got.value, got

    (got_x, got_y), got = jax.jit(jax.grad(value, (0, 1), has_aux=True))(x, y)
    assert got.converged
    plan, cost, _ = twin(x, y, A, B, epsilon, rho)
    np.testing.assert_allclose(got.coupling, plan, atol=1e-4)
    np.testing.assert_allclose(got.value, cost, rtol=1e-3)

    # the envelope gradient is that of the entropic objective, here by central differences
    step = 1e-4
    for which, gradient in ((0, got_x), (1, got_y)):
        for i, j in ((0, 0), (3, 1)):
            ends = []
            for sign in (1, -1):
                moved = [x.astype(np.float64), y.astype(np.float64)]
                moved[which][i, j] += sign * step
                ends.append(twin(*moved, A, B, epsilon, rho, iterations=300)[2])
            np.testing.assert_allclose(
                gradient[i, j], (ends[0] - ends[1]) / (2 * step), rtol=2e-3, atol=2e-4
            )


def test_semi_relaxed_is_optimal_by_its_dual():
    x, y = points(2, 6), points(3, 7) * 1.5
    gaps = []
    for epsilon in (0.1, 0.02, 0.005):
        got = semi_relaxed(x, y, epsilon=epsilon, max_iterations=20_000)
        assert got.converged
        np.testing.assert_allclose(got.coupling.sum(1), 1 / 6, rtol=1e-4)  # the hard marginal
        gaps.append(float(got.value) - certificate(x, y, uniform(6), uniform(7), got.coupling))
    assert all(gap > -1e-4 for gap in gaps)
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 2e-3


def test_semi_relaxed_from_one_point_is_a_soft_minimum():
    x, y = np.zeros((1, 2), np.float32), points(4, 5)
    epsilon, rho = 0.05, 0.8
    c = costs(x, y)[0]
    got = semi_relaxed(x, y, B, epsilon=epsilon, rho=rho)
    q = B * np.exp(-c / (rho + epsilon))
    q /= q.sum()
    np.testing.assert_allclose(got.coupling[0], q, rtol=1e-3)
    np.testing.assert_allclose(got.value, q @ c + rho * kl(q, B), rtol=1e-4)
    assert (
        abs(float(got.value) + rho * logsumexp(-c / rho, b=B)) < 1e-3
    )  # its limit, -log E exp(-c)


def test_semi_relaxed_grows_into_exact_transport_with_rho():
    x, y = points(5, 8), points(6, 8) + np.float32(0.5)
    cost = costs(x, y)
    exact = cost[linear_sum_assignment(cost)].mean()
    values = [
        float(semi_relaxed(x, y, epsilon=0.02, rho=rho, max_iterations=40_000).value)
        for rho in (0.1, 1.0, 100.0, math.inf)
    ]
    assert values == sorted(values)
    assert values[0] < 0.8 * exact
    np.testing.assert_allclose(values[2:], exact, rtol=0.02)


def test_balanced_finds_the_assignment():
    x, y = points(7, 8), points(8, 8)
    rows, columns = linear_sum_assignment(costs(x, y))
    got = transport.balanced(jnp.asarray(x), jnp.asarray(y), epsilon=0.005)
    assert got.converged
    assert (np.argmax(got.coupling, axis=1)[rows] == columns).all()
    np.testing.assert_allclose(got.coupling.sum(0), 1 / 8, rtol=0.01)


def test_points_without_mass_are_not_there():
    x, y = points(9, 4), points(10, 5)
    b = np.array([0.5, 0.0, 0.25, 0.25, 0.0])
    there = b > 0
    full = semi_relaxed(x, y, b, epsilon=0.1)
    small = semi_relaxed(x, y[there], b[there], epsilon=0.1)
    np.testing.assert_allclose(full.value, small.value, rtol=1e-4)
    np.testing.assert_allclose(full.coupling[:, there], small.coupling, atol=1e-5)
    assert (full.coupling[:, ~there] == 0).all()


def contaminated(y, zeta, z):
    target = np.concatenate([y, np.asarray(z, np.float32)[None]])
    return target, np.append((1 - zeta) * uniform(len(y)), zeta)


def log_bound(s0, far, zeta):
    return s0 - np.log(1 - zeta * (1 - np.exp(-(far - s0))))


def printed_bound(s0, far, zeta):
    """Eq. (9) of the paper, constant included."""
    constant = -(1 - zeta) * np.log(1 - zeta) - zeta * np.log(zeta)
    return (1 - zeta) * s0 + zeta * (1 - np.exp(-far)) + constant


def test_outliers_saturate_semi_relaxed_but_not_balanced_transport():
    x, y, zeta = points(11, 8), points(12, 9), 0.1
    clean = float(semi_relaxed(x, y, epsilon=0.02).value)
    relaxed, rigid = [], []
    for distance in (1, 2, 4, 8, 16):
        z = [distance, 0]
        target, b = contaminated(y, zeta, z)
        got = semi_relaxed(x, target, b, epsilon=0.02)
        relaxed.append(float(got.value))
        rigid.append(float(semi_relaxed(x, target, b, epsilon=0.02, rho=math.inf).value))
        far = costs(x, [z]).mean()
        assert relaxed[-1] <= log_bound(clean, far, zeta) + 5e-3
    # far away the bound is attained, and distance no longer counts
    np.testing.assert_allclose(relaxed[-2:], clean - np.log(1 - zeta), atol=2e-3)
    assert rigid[-1] > 20 * relaxed[-1]
    assert rigid[-1] > 3 * rigid[-2]  # the square of the distance


def test_the_bound_printed_in_the_paper_is_violated():
    zeta, z = 0.1, [30.0, 0.0]
    # one point to one point, in closed form: S = -log sum b exp(-c)
    s_clean, s_dirty = 5.0, -np.log((1 - zeta) * np.exp(-5.0))
    np.testing.assert_allclose(s_dirty, log_bound(s_clean, 900.0, zeta))
    assert s_dirty > printed_bound(s_clean, 900.0, zeta) + 0.1

    # two clouds, certified: a lower bound of the discrepancy exceeds an upper bound of the claim
    x, y = points(13, 6, scale=0.2), points(14, 6, scale=0.2) + np.array([2.5, 0], np.float32)
    clean = semi_relaxed(x, y, epsilon=0.01, max_iterations=20_000)
    target, b = contaminated(y, zeta, z)
    dirty = semi_relaxed(x, target, b, epsilon=0.01, max_iterations=20_000)
    lower = certificate(x, target, uniform(6), b, dirty.coupling)
    far = costs(x, [z]).mean()
    assert lower > printed_bound(float(clean.value), far, zeta) + 0.1
    assert lower <= log_bound(float(clean.value), far, zeta)


def fig1_toy():
    """Fig. 1: two modes of unequal mass on both sides, and outliers above the target's middle."""
    rng = np.random.default_rng(15)

    def cloud(n, centre):
        return rng.normal(size=(n, 2)) * 0.4 + np.array(centre)

    source = np.concatenate([cloud(12, (-3, 0)), cloud(28, (3, 0))])
    target = np.concatenate([cloud(22, (-3, 0.5)), cloud(14, (3, 0.5)), cloud(4, (0, 6))])
    return source.astype(np.float32), target.astype(np.float32)


def test_figure_1_transport_feeds_outliers_and_crosses_modes_and_spt_does_neither():
    source, target = fig1_toy()
    outlier = target[:, 1] > 4
    cross = (source[:, 0, None] > 0) != (target[None, :, 0] > 0)

    def shares(plan):
        plan = np.asarray(plan)
        return plan[:, outlier].sum(), plan[:, ~outlier][cross[:, ~outlier]].sum()

    rigid = transport.balanced(jnp.asarray(source), jnp.asarray(target), epsilon=0.1)
    to_outliers, crossing = shares(rigid.coupling)
    np.testing.assert_allclose(to_outliers, 0.1, rtol=0.02)  # their whole mass
    assert crossing > 0.2  # the right mode of the source is too heavy for the target's

    spt = semi_relaxed(source, target, epsilon=0.1)
    assert spt.converged
    assert max(shares(spt.coupling)) < 1e-6
    np.testing.assert_allclose(spt.coupling.sum(1), 1 / 40, rtol=1e-3)


def test_sinkhorn_divergence_of_a_shift_is_its_squared_length():
    x, shift = jnp.asarray(points(16, 10)), jnp.array([0.6, -0.8])

    def divergence(y):
        return transport.sinkhorn_divergence(x, y, epsilon=0.1)

    value, gradient = jax.jit(jax.value_and_grad(divergence))(x + shift[None])
    np.testing.assert_allclose(value, 1.0, rtol=1e-3)
    np.testing.assert_allclose(gradient, jnp.tile(2 * shift / 10, (10, 1)), atol=2e-3)
    assert abs(divergence(x)) < 1e-4


def test_stopping_early_is_reported():
    got = semi_relaxed(points(17, 6), points(18, 6), epsilon=0.01, max_iterations=10)
    assert not got.converged


@pytest.mark.fast
def test_options_out_of_range_are_named():
    x = jnp.zeros((2, 1))
    with pytest.raises(OptionError, match="epsilon is 0"):
        transport.balanced(x, x, epsilon=0.0)
    with pytest.raises(OptionError, match="epsilon is -1"):
        transport.sinkhorn_divergence(x, x, epsilon=-1.0)
    with pytest.raises(OptionError, match="rho is 0"):
        transport.semi_relaxed(x, x, epsilon=0.1, rho=0.0)


def test_importing_transport_does_not_import_ott():
    code = "import sys, jaximpute.maths.transport; sys.exit('ott' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
