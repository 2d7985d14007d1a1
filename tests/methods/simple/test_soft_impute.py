"""SoftImpute against its optimality conditions and matrices of known rank."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaximpute as ji
from jaximpute.methods.simple.soft_impute import _solve, shrink
from tests.helpers.running import complete, punch


def _low_rank(n=60, d=8, rank=2):
    rng = np.random.default_rng(9)
    return rng.normal(size=(n, rank)) @ rng.normal(size=(rank, d))


@pytest.mark.fast
@pytest.mark.parametrize("shape", [(9, 4), (4, 9)])
def test_shrinking_lowers_every_singular_value(shape):
    x = np.random.default_rng(0).normal(size=shape)
    u, s, v = np.linalg.svd(x, full_matrices=False)
    expected = u @ np.diag(np.maximum(s - 1.5, 0)) @ v
    np.testing.assert_allclose(
        shrink(jnp.asarray(x, jnp.float32), jnp.float32(1.5)), expected, atol=1e-5
    )


@pytest.mark.fast
def test_the_solution_is_a_minimum():
    """At it, the residual is a subgradient: U V' on the row space, no larger anywhere."""
    x, threshold = punch(_low_rank(), 0.3), 2.0
    data = ji.from_nan(jnp.asarray(x, jnp.float32))
    z = _solve(jnp.zeros_like(data.values), data.values, data.mask, jnp.float32(threshold), 300)
    residual = np.where(data.mask, data.values - z, 0) / threshold
    u, s, v = np.linalg.svd(np.asarray(z), full_matrices=False)
    rank = int((s > 1e-3).sum())
    assert 0 < rank < 8
    np.testing.assert_allclose(u[:, :rank].T @ residual @ v[:rank].T, np.eye(rank), atol=2e-3)
    assert np.linalg.norm(residual, 2) < 1.002


def test_low_rank_tables_are_found():
    full = _low_rank()
    x = punch(full, 0.3)
    hole = np.isnan(x)
    got = complete(ji.methods.soft_impute(), x)
    assert np.mean((got - full)[hole] ** 2) < 0.05 * np.var(full)


def test_series_are_completed_window_by_window():
    t = np.arange(200.0)
    full = np.stack([np.sin(2 * np.pi * t / 24), np.cos(2 * np.pi * t / 24 + 1)], axis=1)[None]
    x = punch(full, 0.3)
    hole = np.isnan(x)
    got = complete(ji.methods.soft_impute(length=24), x)
    assert np.mean((got - full)[hole] ** 2) < 0.02
    np.testing.assert_array_equal(got[~hole], full.astype(np.float32)[~hole])


def test_padding_rows_count_nothing():
    x = punch(_low_rank(), 0.3)
    weight = np.r_[np.ones(55), np.zeros(5)].astype(np.float32)
    loud = x.copy()
    loud[55:] *= 100
    got, expected = (complete(ji.methods.soft_impute(), a, weight) for a in (loud, x))
    np.testing.assert_allclose(got[:55], expected[:55], atol=1e-4)


@pytest.mark.fast
def test_options_out_of_range_are_refused():
    with pytest.raises(ji.OptionError, match="thresholds 1"):
        ji.methods.soft_impute(thresholds=1)
