"""CSDI against a Gaussian whose noise is known, its chain against a loop, its rows put together."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute import OptionError, masking
from jaximpute.engine.loop import complete, fit
from jaximpute.maths.splits import forecast, random
from jaximpute.methods import _conditional
from jaximpute.methods.relatives.csdi import csdi, quadratic, reverse
from jaximpute.nets import csdi_transformer
from jaximpute.types import Observed
from jaximpute.views import identity, windows
from tests.helpers import gaussian_series as gaussian


@pytest.mark.fast
def test_the_schedule_is_the_papers():
    kept = quadratic(50).kept
    np.testing.assert_allclose(1 - kept[1] / kept[0], 1e-4, rtol=2e-3)
    np.testing.assert_allclose(1 - kept[-1] / kept[-2], 0.5, rtol=1e-5)
    rates = np.sqrt(1 - kept[1:] / kept[:-1])
    np.testing.assert_allclose(np.diff(rates), np.diff(rates).mean(), atol=1e-4)


@pytest.mark.fast
def test_the_reverse_chain_equals_algorithm_2():
    """The printed update, with beta and its posterior variance, on the same noise."""
    kept = quadratic(6).kept
    key, noise_in = jax.random.key(0), lambda x, t: 0.3 * x + 0.01 * t
    start = jax.random.normal(jax.random.key(1), (4, 2))
    x = np.asarray(start)
    keys = jax.random.split(jax.random.key(0), 6)
    for t, k in zip(range(6, 0, -1), keys, strict=True):
        beta = 1 - kept[t] / kept[t - 1]
        x = (x - beta / np.sqrt(1 - kept[t]) * noise_in(x, t)) / np.sqrt(1 - beta)
        variance = (1 - kept[t - 1]) / (1 - kept[t]) * beta
        x = x + np.sqrt(variance) * np.asarray(jax.random.normal(k, x.shape))
    np.testing.assert_allclose(reverse(noise_in, key, start, kept), x, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("steps", [200, 50])
def test_the_exact_noise_draws_from_the_conditional(steps):
    chain = quadratic(200, beta_max=0.1)

    def noise_in(x, t, values):
        kept = jnp.asarray(chain.kept)[jnp.round(200 * t).astype(int)]
        alpha, sigma = jnp.sqrt(kept), jnp.sqrt(1 - kept)
        return -sigma * gaussian.conditional_score(x, values, alpha, sigma)

    data = gaussian.rows(4000)
    net = gaussian.exact(noise_in)

    def draw(key, batch):
        k_start, k_run = jax.random.split(key)

        def noise(x, t):
            return net.apply({}, x, jnp.full(x.shape[:1], t / 200), batch.cond)

        start = jax.random.normal(k_start, batch.values.shape)
        return reverse(noise, k_run, start, chain.kept, steps)

    rows = _conditional.Batch(data.values, data.mask, ~data.mask, jnp.zeros((4000, 6)))
    gaussian.check(draw(jax.random.key(0), rows), 0.04 if steps == 200 else 0.06)


def correlated(n, key):
    level = jax.random.normal(key, (n, 1))
    return level * jnp.array([[1.0, -1.0, 1.0]])


def test_it_learns_a_dependence():
    """Columns that are copies of one another: a hidden one is known from the rest."""
    x = correlated(400, jax.random.key(0))
    mask = jnp.full(x.shape, True).at[:100, 1].set(False)
    data = Observed(jnp.where(mask, x, 0), mask, jnp.ones(400))
    net = csdi_transformer((3,), width=16, layers=2, heads=2)
    method = csdi(net, lr=3e-3, total=600, sgd_steps=300, batch=64, chain_steps=20)
    state = fit(method, jax.random.key(1), data, 2, chunk=1)
    filled = complete(method, jax.random.key(2), state, data)
    error = jnp.abs(filled - x)[:100, 1].mean()
    assert float(error) < 0.3  # 1.13 without using the rest
    np.testing.assert_array_equal(filled[100:], x[100:])


def test_rows_are_put_together_without_averaging():
    """Overlapping windows: each entry from one row, the earlier; in blocks as at once."""
    shape = (3, 7, 2)
    data = Observed(jnp.zeros(shape), jnp.full(shape, False), jnp.ones(3))

    def view(shape):
        return windows(shape, 4, 4)

    def number(key, batch):  # the rows' own positions, then which row
        return jnp.broadcast_to(batch.times[..., None], batch.values.shape) + 10 * batch.values

    marked = data._replace(values=jnp.broadcast_to(jnp.arange(7.0)[None, :, None], shape))
    found = _conditional.complete(number, jax.random.key(0), marked, view)
    # windows start at 0 and 3; step 3 belongs to the first
    expected = [10.0 * i + (i if i < 4 else i - 3) for i in range(7)]
    np.testing.assert_allclose(found[0, :, 0], expected)


def test_blocks_of_rows_complete_all_of_them(monkeypatch):
    monkeypatch.setattr(_conditional, "CHUNK", 4)
    data = Observed(jnp.arange(11.0)[:, None], jnp.full((11, 1), False), jnp.ones(11))
    found = _conditional.complete(
        lambda key, batch: batch.values + 1, jax.random.key(0), data, identity
    )
    np.testing.assert_array_equal(found, data.values + 1)


@pytest.mark.fast
def test_times_follow_the_windows():
    shape = (2, 6, 1)
    times = np.array([0.0, 1.0, 3.0, 4.0, 8.0, 9.0])
    rows = windows(shape, 3, 1)
    found = _conditional.positions(rows, shape, times, jnp.array([0, 2, 5]))
    np.testing.assert_allclose(found, [[0, 1, 3], [0, 1, 5], [0, 2, 3]])


def test_only_rows_with_something_observed_are_learned_from():
    data = masking.from_nan(jnp.array([[1.0, 2.0], [jnp.nan, jnp.nan], [3.0, 4.0]]))
    draw = _conditional.batches(data, identity, random(), 50)
    batch = draw(jax.random.key(0))
    assert (batch.context.sum(axis=1) == 1).all()
    assert (batch.query.sum(axis=1) == 1).all()


def test_centred_rows_do_not_know_their_level_or_scale():
    """A row and its affine image train alike, and are completed to affine images."""
    x = jnp.array([0.0, 3.0, 1.0, 2.0, 7.0, 9.0])[None, :, None]
    mask = (jnp.arange(6) < 4)[None, :, None]
    both = jnp.concatenate([x, 100 + 10 * x])
    data = Observed(jnp.where(mask, both, 0), mask | jnp.full(both.shape, False), jnp.ones(2))
    level, unit = _conditional.reference(both, data.mask)
    np.testing.assert_allclose(level.ravel(), [2.0, 120.0])
    np.testing.assert_allclose(unit.ravel(), [1.25**0.5, 125.0**0.5], rtol=2e-3)

    def draw(key, rows):
        assert rows.values.shape == (2, 6, 1)
        return jnp.ones_like(rows.values)

    done = _conditional.complete(draw, jax.random.key(0), data, identity, centred=True)
    expected = (level + unit)[:, 0, 0]
    np.testing.assert_allclose(done[:, 4:, 0], jnp.stack([expected, expected], axis=1), rtol=1e-6)
    whole = data._replace(values=both, mask=jnp.full(both.shape, True))
    batch = _conditional.batches(whole, identity, forecast(2), 2, centred=True)(jax.random.key(0))
    wanted = (x[0, 4:, 0] - 2.0) / 1.25**0.5  # the same for both rows, but for the floor
    np.testing.assert_allclose(batch.values[:, 4:, 0], jnp.stack([wanted, wanted]), rtol=2e-3)
    with pytest.raises(OptionError, match="centred is for series"):
        _conditional.batches(
            Observed(x[0], mask[0], jnp.ones(6)), identity, random(), 2, centred=True
        )
