"""The smoother against a dense Gaussian, and the noise against a known one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaximpute as ji
from tests.helpers.running import complete, punch

FLAT = 1e7  # variance of the first level, in place of an improper prior


def _dense(y, t, ratio):
    """Expected level at every step given the observed ones, through one covariance matrix."""
    known = ~np.isnan(y)
    walk = FLAT + np.minimum.outer(t - t[0], t - t[0])
    noisy = walk[np.ix_(known, known)] + ratio * np.eye(known.sum())
    return walk[:, known] @ np.linalg.solve(noisy, y[known])


def _dense_log_likelihood(y, t, ratio):
    """Of the differences between neighbouring observations, which the flat prior cannot touch."""
    known = np.flatnonzero(~np.isnan(y))
    if len(known) < 2:
        return 0.0, 0.0, 0
    walk = np.minimum.outer(t - t[0], t - t[0])[np.ix_(known, known)]
    contrast = np.diff(np.eye(len(known)), axis=0)
    cov = contrast @ (walk + ratio * np.eye(len(known))) @ contrast.T
    residual = contrast @ y[known]
    return np.linalg.slogdet(cov)[1], residual @ np.linalg.solve(cov, residual), len(residual)


def _series():
    rng = np.random.default_rng(5)
    x = np.cumsum(rng.normal(size=(2, 30, 3)), axis=1) + rng.normal(size=(2, 30, 3))
    x = punch(x, 0.4)
    x[:, :4, 0] = x[:, -3:, 0] = np.nan
    x[1, :, 2] = np.nan
    return x


TIMES = np.cumsum(np.random.default_rng(6).uniform(0.2, 3.0, 30))


@pytest.mark.parametrize("times", [None, TIMES], ids=["regular", "irregular"])
@pytest.mark.parametrize("ratio", [0.0, 0.5])
def test_levels_equal_the_dense_conditional(times, ratio):
    x = _series()
    got = complete(ji.methods.kalman(ratios=[ratio], times=times), x)
    t = np.arange(30.0) if times is None else times
    for i, j in np.ndindex(2, 3):
        missing = np.isnan(x[i, :, j])
        if missing.all():
            np.testing.assert_allclose(got[i, :, j], np.nanmean(x[..., j]), rtol=1e-5)
        else:
            expected = _dense(x[i, :, j], t, ratio)[missing]
            np.testing.assert_allclose(got[i, missing, j], expected, atol=1e-4)


def test_the_ratio_is_the_most_likely_of_the_grid():
    x, grid = _series(), [0.0, 0.1, 0.3, 1.0, 3.0, 10.0]
    method = ji.methods.kalman(ratios=grid, times=TIMES)
    state = jax.jit(method.init)(jax.random.key(0), ji.from_nan(jnp.asarray(x)))
    for j in range(3):
        scores = []
        for ratio in grid:
            parts = [_dense_log_likelihood(x[i, :, j], TIMES, ratio) for i in range(2)]
            logs, squares, count = (sum(part) for part in zip(*parts, strict=True))
            scores.append(-0.5 * (logs + count * np.log(squares / count)))
        assert float(state.ratio[j]) == np.float32(grid[int(np.argmax(scores))])


def test_noise_is_found_in_a_long_series():
    rng = np.random.default_rng(7)
    x = np.cumsum(rng.normal(size=(1, 3000, 1)), axis=1) + np.sqrt(10) * rng.normal(
        size=(1, 3000, 1)
    )
    state = jax.jit(ji.methods.kalman().init)(jax.random.key(0), ji.from_nan(jnp.asarray(x)))
    assert float(state.ratio[0]) == 10.0


def test_padding_series_count_nothing():
    x = _series()
    padded = np.concatenate([x, 50 * np.sin(np.arange(90.0)).reshape(1, 30, 3)])
    got = complete(ji.methods.kalman(), padded, np.array([1, 1, 0], np.float32))[:2]
    np.testing.assert_allclose(got, complete(ji.methods.kalman(), x), rtol=1e-5)


@pytest.mark.fast
def test_ratios_out_of_range_are_refused():
    with pytest.raises(ji.OptionError, match="ratios"):
        ji.methods.kalman(ratios=[-1.0])
