"""PSW-I: spectra against NumPy's, its gradient by differences, and a tone that is filled in."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaximpute as ji
from jaximpute.methods.relatives._entries import draw
from jaximpute.methods.relatives._plans import relaxed_plan
from jaximpute.methods.relatives.psw_i import discrepancy, spectrum_costs
from jaximpute.views import windows


def batch(seed, n, time=6, channels=2):
    x = np.random.default_rng(seed).normal(size=(n, time, channels))
    return jnp.asarray(x, jnp.float32)


@pytest.mark.parametrize("time", [6, 7])
def test_distances_are_those_of_the_whole_spectrum(time):
    x, y = batch(0, 3, time), batch(1, 4, time)
    f, g = (np.fft.fft(np.asarray(z), axis=1, norm="ortho") for z in (x, y))
    apart = np.abs(f[:, None] - g[None])
    np.testing.assert_allclose(spectrum_costs(x, y), apart.sum((2, 3)), rtol=1e-4)
    np.testing.assert_allclose(spectrum_costs(x, y, "squared"), (apart**2).sum((2, 3)), rtol=1e-4)


@pytest.mark.fast
def test_the_whole_band_squared_is_the_euclidean_distance():
    x, y = batch(2, 3), batch(3, 5)
    euclidean = ((np.asarray(x)[:, None] - np.asarray(y)[None]) ** 2).sum((2, 3))
    np.testing.assert_allclose(spectrum_costs(x, y, "squared"), euclidean, rtol=1e-4)


@pytest.mark.fast
def test_equal_windows_have_no_direction():
    x = batch(4, 3)
    slope = jax.grad(lambda y: spectrum_costs(x, y).trace())(x)
    np.testing.assert_array_equal(slope, 0)


def test_the_gradient_is_that_of_the_cost_with_the_plan_held():
    x, rows = batch(5, 1, 16), windows((1, 16, 2), 6)
    keys = jax.random.split(jax.random.key(2))
    i, j = (draw(k, jnp.ones(rows.size), 4) for k in keys)

    def loss(x):
        return discrepancy(x, rows, jnp.ones(rows.size), jax.random.key(2), 4, 0.5, 50, "modulus")

    first = np.asarray(spectrum_costs(rows.take(x, i), rows.take(x, j)), np.float64)
    quarter = jnp.full(4, 0.25)
    plan = relaxed_plan(jnp.asarray(first / first.max(), jnp.float32), quarter, quarter, 0.5, 50)

    def twin(x):
        """The spectra by NumPy, in float64, under that plan."""
        one, two = (np.stack([x[0, s : s + 6] for s in np.asarray(k)]) for k in (i, j))
        f, g = np.fft.fft(one, axis=1, norm="ortho"), np.fft.fft(two, axis=1, norm="ortho")
        return np.sum(np.asarray(plan) * np.abs(f[:, None] - g[None]).sum((2, 3))) / first.max()

    gradient, exact = jax.jit(jax.grad(loss))(x), np.asarray(x, np.float64)
    for step, channel in ((3, 0), (7, 1), (10, 0)):
        ends = []
        for sign in (1e-5, -1e-5):
            moved = exact.copy()
            moved[0, step, channel] += sign
            ends.append(twin(moved))
        np.testing.assert_allclose(
            gradient[0, step, channel], (ends[0] - ends[1]) / 2e-5, rtol=1e-3, atol=1e-4
        )
    assert jnp.abs(gradient).max() > 0.01


def test_a_tone_is_filled_in_better_than_by_lines():
    t = np.arange(240.0)
    truth = np.stack([np.sin(2 * np.pi * t / 12), np.cos(2 * np.pi * t / 12)], axis=1)[None]
    hole = np.random.default_rng(0).random(truth.shape) < 0.5
    data = ji.from_nan(jnp.asarray(np.where(hole, np.nan, truth), jnp.float32))
    view = partial(windows, length=12)
    method = ji.methods.psw_i(ji.methods.linear(), view, batch=64, pairs=1, moves=60, iterations=20)
    errors = []
    for steps in (0, 1):
        state = ji.fit(method, jax.random.key(0), data, steps, chunk=1)
        filled = np.asarray(ji.complete(method, jax.random.key(1), state, data))
        errors.append(np.abs(filled - truth)[hole].mean())
    assert errors[1] < 0.8 * errors[0]


@pytest.mark.fast
def test_options_out_of_range_are_refused():
    view = partial(windows, length=4)
    with pytest.raises(ji.OptionError, match="rho is 0"):
        ji.methods.psw_i(ji.methods.linear(), view, rho=0.0)
    with pytest.raises(ji.OptionError, match="distance is 'time'"):
        ji.methods.psw_i(ji.methods.linear(), view, distance="time")
    with pytest.raises(ji.OptionError, match="no `estimate`"):
        ji.methods.psw_i(ji.methods.soft_impute(), view)
