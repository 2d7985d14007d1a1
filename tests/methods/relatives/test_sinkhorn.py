"""The Sinkhorn imputer: its gradient by differences, and two clusters with a known answer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaximpute as ji
from jaximpute.methods.relatives import _entries
from jaximpute.methods.relatives.sinkhorn import divergence
from tests.helpers.running import complete


def clusters(n=64, holes=16):
    """Rows near (-1, -1, -1) or (1, 1, 1); the last column of some is missing."""
    side = np.where(np.arange(n) % 2, 1.0, -1.0)
    x = side[:, None] + 0.1 * np.random.default_rng(0).normal(size=(n, 3))
    truth = x.copy()
    x[:holes, 2] = np.nan
    return x, truth, side


def test_the_missing_coordinate_goes_to_its_cluster():
    x, truth, side = clusters()
    method = ji.methods.sinkhorn(lr=0.1, batch=16, moves=80, max_iterations=20)
    data = ji.from_nan(jnp.asarray(x, jnp.float32))
    state = ji.fit(method, jax.random.key(0), data, 1, chunk=1)
    filled = np.asarray(ji.complete(method, jax.random.key(1), state, data))[:16, 2]
    assert (np.sign(filled) == side[:16]).all()
    mean = complete(ji.methods.mean(), x)[:16, 2]
    assert np.mean((filled - truth[:16, 2]) ** 2) < 0.5 * np.mean((mean - truth[:16, 2]) ** 2)


def test_the_gradient_is_that_of_the_divergence():
    """Central differences of the converged loss, in entries of rows in one batch, both and none."""
    x = jnp.asarray(np.random.default_rng(1).normal(size=(8, 3)), jnp.float32)
    weight = jnp.ones(8)

    def loss(x):
        return divergence(x, weight, jax.random.key(3), 4, jnp.float32(3.0), 0.3, 1e-6, 2000)

    gradient = jax.jit(jax.grad(loss))(x)
    keys = jax.random.split(jax.random.key(3))
    drawn = [set(np.asarray(_entries.draw(k, weight, 4)).tolist()) for k in keys]
    assert drawn[0] != drawn[1]
    value = jax.jit(loss)
    for row in range(8):
        if not any(row in batch for batch in drawn):
            np.testing.assert_array_equal(gradient[row], 0)
            continue
        ends = [value(x.at[row, 1].add(step)) for step in (0.02, -0.02)]
        np.testing.assert_allclose(gradient[row, 1], (ends[0] - ends[1]) / 0.04, atol=3e-3)
    assert jnp.abs(gradient).max() > 0.05


def test_batches_are_drawn_without_replacement_and_avoid_padding():
    weight = jnp.array([1.0, 0.0, 1.0, 1.0, 0.0, 1.0])
    counts = np.zeros(6)
    for key in jax.random.split(jax.random.key(0), 40):
        rows = np.asarray(_entries.draw(key, weight, 3))
        assert len(set(rows.tolist())) == 3
        counts[rows] += 1
    assert (counts[[1, 4]] == 0).all()
    assert counts[[0, 2, 3, 5]].min() > 15
    # more wanted than real: padding comes last, and weighs nothing
    rows = _entries.draw(jax.random.key(1), weight, 5)
    np.testing.assert_allclose(_entries.masses(weight[rows]), [0.25] * 4 + [0.0])


@pytest.mark.fast
def test_batches_are_halved_for_few_rows():
    assert [_entries.batch_size(128, n) for n in (1, 3, 24, 200, 256, 1000)] == [
        1, 1, 8, 64, 128, 128
    ]  # fmt: skip


@pytest.mark.fast
def test_the_unit_of_distance_is_a_median_over_real_pairs():
    x = np.random.default_rng(2).normal(size=(40, 3)).astype(np.float32)
    weight = np.r_[np.ones(30), np.zeros(10)].astype(np.float32)
    pairs = ((x[:30, None] - x[None, :30]) ** 2).sum(-1)[~np.eye(30, dtype=bool)]
    got = jax.jit(_entries.spread)(jax.random.key(0), jnp.asarray(x), jnp.asarray(weight))
    np.testing.assert_allclose(got, np.median(pairs), rtol=1e-4)
    assert jax.jit(_entries.spread)(jax.random.key(0), jnp.ones((4, 2)), jnp.ones(4)) == 1


def test_few_real_rows_among_padding():
    x, _, _ = clusters(n=20, holes=4)
    weight = jnp.asarray(np.r_[np.ones(5), np.zeros(15)], jnp.float32)
    data = ji.from_nan(jnp.asarray(x, jnp.float32), weight)
    method = ji.methods.sinkhorn(moves=20)
    state = ji.fit(method, jax.random.key(0), data, 1, chunk=1)
    assert np.isfinite(ji.complete(method, jax.random.key(1), state, data)).all()


@pytest.mark.fast
def test_options_out_of_range_are_refused():
    with pytest.raises(ji.OptionError, match="epsilon is 0"):
        ji.methods.sinkhorn(epsilon=0.0)
    with pytest.raises(ji.OptionError, match="moves is 0"):
        ji.methods.sinkhorn(moves=0)
