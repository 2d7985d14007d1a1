"""Methods along time against scipy, pandas and plain loops."""

import numpy as np
import pandas as pd
import pytest
from scipy.interpolate import Akima1DInterpolator, PchipInterpolator

import jaximpute as ji
from tests.helpers.running import complete, punch

LENGTH = 40
TIMES = np.cumsum(np.random.default_rng(3).uniform(0.3, 2.0, LENGTH)) + 1e6
BOTH_CLOCKS = pytest.mark.parametrize("times", [None, TIMES], ids=["regular", "irregular"])


def _series():
    """Two series of five channels: few and many gaps, two observations, one, none."""
    rng = np.random.default_rng(2)
    x = np.cumsum(rng.normal(size=(2, LENGTH, 5)), axis=1)
    x[:, 10:20, 1] = 1.0  # flat stretches are where the cubic rules branch
    x = punch(x, 0.5)
    x[:, :3, 0] = x[:, -2:, 0] = np.nan
    two, one = x[:, [5, 30], 2].copy(), x[:, 7, 3].copy()
    x[:, :, 2:5] = np.nan
    x[:, [5, 30], 2] = np.where(np.isnan(two), 1.5, two)
    x[:, 7, 3] = np.where(np.isnan(one), -0.5, one)
    x[0, 4, 4] = 2.0  # never observed in the second series
    return x


def _twin(make, x, times):
    """Interpolate each channel's observed points, constant beyond them."""
    t = np.arange(LENGTH) if times is None else times - times[0]
    out = np.empty_like(x)
    for i, j in np.ndindex(x.shape[0], x.shape[2]):
        known = ~np.isnan(x[i, :, j])
        if known.sum() < 2:
            out[i, :, j] = x[i, known, j][0] if known.any() else 2.0
            continue
        inside = np.clip(t, t[known][0], t[known][-1])
        out[i, :, j] = make(t[known], x[i, known, j])(inside)
    return out


def _scipy_akima(t, y):
    return Akima1DInterpolator(t, y) if len(t) > 2 else lambda s: np.interp(s, t, y)


SCIPY = {
    "linear": lambda t, y: lambda s: np.interp(s, t, y),
    "pchip": lambda t, y: PchipInterpolator(t, y),
    "akima": _scipy_akima,
}


@BOTH_CLOCKS
@pytest.mark.parametrize("name", SCIPY)
def test_equals_scipy(name, times):
    x = _series()
    got = complete(getattr(ji.methods, name)(times=times), x)
    np.testing.assert_allclose(got, _twin(SCIPY[name], x, times), atol=3e-5)


@pytest.mark.fast
@pytest.mark.parametrize("name", ["locf", "nocb"])
def test_carrying_equals_pandas(name):
    x = _series()
    got = complete(getattr(ji.methods, name)(), x)
    for i in range(2):
        frame = pd.DataFrame(x[i])
        carried = frame.ffill().bfill() if name == "locf" else frame.bfill().ffill()
        np.testing.assert_allclose(got[i], carried.fillna(2.0), rtol=1e-6)


def _slow_average(x, t, width, tau):
    """The sweeps of the moving average as loops over one channel."""
    x = x.copy()
    while np.isnan(x).any() and not np.isnan(x).all():
        before = x.copy()
        for i in np.flatnonzero(np.isnan(before)):
            near = [k for k in range(i - width // 2, i + width // 2 + 1) if 0 <= k < len(x)]
            near = [k for k in near if not np.isnan(before[k])]
            if near:
                x[i] = np.average(before[near], weights=np.exp(-np.abs(t[near] - t[i]) / tau))
    return x


@pytest.mark.fast
@BOTH_CLOCKS
def test_moving_average_equals_its_loop(times):
    x = _series()
    got = complete(ji.methods.moving_average(width=5, tau=1.5, times=times), x)
    t = np.arange(LENGTH) if times is None else times
    for i, j in np.ndindex(2, 5):
        expected = np.nan_to_num(_slow_average(x[i, :, j], t, 5, 1.5), nan=2.0)
        np.testing.assert_allclose(got[i, :, j], expected, atol=1e-5)


def test_moving_average_crosses_a_gap_that_is_long_in_time():
    x = np.array([1.0, np.nan, 3.0]).reshape(1, 3, 1)
    got = complete(ji.methods.moving_average(times=np.array([0.0, 5e3, 1e4])), x)
    np.testing.assert_allclose(got[0, 1, 0], 2.0, rtol=1e-6)


@pytest.mark.parametrize("name", ["locf", "nocb", "linear", "pchip", "akima", "moving_average"])
def test_one_step_is_enough(name):
    got = complete(getattr(ji.methods, name)(), np.array([[[1.0]], [[np.nan]]]))
    assert got.ravel().tolist() == [1.0, 1.0]


@pytest.mark.fast
@pytest.mark.parametrize("times", [[0.0, 2.0, 1.0], [0.0, 1.0, 1.0], [0.0, np.nan, 1.0], [[0.0]]])
def test_times_that_do_not_increase_are_refused(times):
    with pytest.raises(ji.TimeError, match="times"):
        ji.methods.linear(times=np.array(times))


@pytest.mark.fast
def test_times_of_another_length_and_tables_are_refused():
    method = ji.methods.linear(times=np.arange(3.0))
    with pytest.raises(ji.TimeError, match="3 steps and the series 4"):
        complete(method, np.ones((1, 4, 1)))
    with pytest.raises(ji.DataError, match="n, time, channels"):
        complete(ji.methods.linear(), np.ones((3, 2)))


@pytest.mark.fast
def test_windows_without_a_neighbour_are_refused():
    with pytest.raises(ji.OptionError, match="width is 1"):
        ji.methods.moving_average(width=1)
    with pytest.raises(ji.OptionError, match="tau is 0"):
        ji.methods.moving_average(tau=0.0)
