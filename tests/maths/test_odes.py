"""Fixed-step solvers against closed forms, their order, and a plain loop."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute import OptionError
from jaximpute.maths.odes import EVALUATIONS, integrate


def slow(velocity, x, t0, t1, steps, solver, project):
    """Euler and Heun, step by step."""
    h = (t1 - t0) / steps
    for k in range(steps):
        t = jnp.asarray(t0 + k * h)
        v = velocity(x, t)
        if solver == "heun":
            v = (v + velocity(x + h * v, t + h)) / 2
        x = project(t + h, x + h * v)
    return x


def swing(x, t):
    """A field that depends on time and couples the entries."""
    return jnp.cos(3 * t) * x[::-1] - t * x


@pytest.mark.parametrize("solver", ["euler", "heun"])
@pytest.mark.parametrize(("t0", "t1"), [(0.0, 1.0), (1.0, 0.25)])
def test_it_equals_a_plain_loop(solver, t0, t1):
    x = jnp.array([[1.0, -2.0], [0.5, 3.0]])

    def project(t, x):
        return jnp.clip(x, -2.0 + t, 1.8)

    fast = integrate(swing, x, t0=t0, t1=t1, steps=7, solver=solver, project=project)
    np.testing.assert_allclose(fast, slow(swing, x, t0, t1, 7, solver, project), rtol=2e-6)
    free = integrate(swing, x, t0=t0, t1=t1, steps=7, solver=solver)
    np.testing.assert_allclose(
        free, slow(swing, x, t0, t1, 7, solver, lambda t, x: x), rtol=2e-6, atol=1e-6
    )
    assert np.abs(fast - free).max() > 0.1


@pytest.mark.parametrize(("solver", "order", "steps"), [("euler", 1, 32), ("heun", 2, 16)])
def test_the_order_of_convergence(solver, order, steps):
    def error(steps):
        x = integrate(lambda x, t: x + t, jnp.ones(1), steps=steps, solver=solver)
        return abs(float(x[0]) - (2 * np.exp(1.0) - 2))

    np.testing.assert_allclose(np.log2(error(steps) / error(2 * steps)), order, atol=0.15)


@pytest.mark.parametrize("project", [None, lambda t, x: x])
def test_tsit5_is_exact_to_rounding_with_few_steps(project):
    """Forwards and back, with and without a projection (which must not disturb its stages)."""
    x = jnp.array([1.0, 2.0])
    there = integrate(lambda x, t: -3 * x * t, x, steps=8, solver="tsit5", project=project)
    np.testing.assert_allclose(there, x * np.exp(-1.5), rtol=1e-5)
    back = integrate(
        lambda x, t: -3 * x * t, there, t0=1.0, t1=0.0, steps=8, solver="tsit5", project=project
    )
    np.testing.assert_allclose(back, x, rtol=1e-5)


def test_a_projection_that_moves_the_state_is_felt_by_every_solver():
    """dx/dt = x, halved after each of 4 steps: the next step must start from the halved state."""
    for solver, tolerance in {"euler": 0.5, "heun": 0.05, "tsit5": 1e-5}.items():
        x = integrate(
            lambda x, t: x, jnp.ones(1), steps=4, solver=solver, project=lambda t, x: x / 2
        )
        np.testing.assert_allclose(x, np.exp(1.0) / 16, rtol=tolerance)


def test_the_number_of_steps_and_their_times_are_exact():
    """Counted in float32, 1/700 is not: a run must neither miss its end nor add a tiny step."""
    times = []
    jax.block_until_ready(
        integrate(
            lambda x, t: jnp.ones_like(x),
            jnp.zeros(1),
            steps=700,
            solver="euler",
            project=lambda t, x: (jax.debug.callback(lambda t: times.append(float(t)), t), x)[1],
        )
    )
    jax.effects_barrier()
    np.testing.assert_allclose(sorted(times), np.arange(1, 701) / 700, rtol=1e-6)


def test_it_runs_under_vmap_and_keeps_the_type():
    x = jnp.arange(6.0).reshape(3, 2)
    each = jax.vmap(lambda row: integrate(swing, row, steps=3))(x)
    np.testing.assert_allclose(each[1], integrate(swing, x[1], steps=3), rtol=1e-6)
    half = integrate(swing, x.astype(jnp.bfloat16), steps=3)
    assert half.dtype == jnp.bfloat16
    assert set(EVALUATIONS) == {"euler", "heun", "tsit5"}


@pytest.mark.fast
def test_bad_options():
    with pytest.raises(OptionError, match="euler, heun, tsit5"):
        integrate(swing, jnp.ones(2), steps=2, solver="rk45")
    with pytest.raises(OptionError, match="steps is 0"):
        integrate(swing, jnp.ones(2), steps=0)
