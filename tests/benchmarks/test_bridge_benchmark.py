"""The benchmark of bridges: its scores, its random walk, and the page made of its rows."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from benchmarks.problems import exchange, monitors, waves, windows
from jaximpute.maths.odes import exponential
from tests.benchmarks import pages


def test_draws_from_the_truths_law_are_calibrated_and_points_have_no_intervals():
    rng = np.random.default_rng(0)
    truth, drawn = rng.normal(size=(60, 50, 8)), rng.normal(size=(99, 60, 50, 8))
    found = windows.score(truth, jnp.asarray(drawn, jnp.float32), waves.targets())
    for level, share in (("cover50%", 0.5), ("cover80%", 0.8)):
        assert abs(found[level] - share) < 0.03
    counts = np.array(found["pit"])
    assert counts.sum() == 60 * 160
    assert abs(counts / counts.sum() - 0.1).max() < 0.02
    point = windows.score(truth, jnp.zeros((1, *truth.shape)), waves.targets())
    assert set(point) == {"rmse", "mae", "crps"}
    assert point["rmse"] == pytest.approx(1, abs=0.02)


def test_a_random_walk_starts_at_the_last_value_and_spreads_like_a_root():
    learned = np.cumsum(2 * np.random.default_rng(0).normal(size=(4000, 3)), axis=0)
    test = learned[: 78 * 5].reshape(5, 78, 3)
    drawn = exchange.random_walk(learned, test, 2000)
    assert drawn.shape == (2000, *test.shape)
    np.testing.assert_array_equal(drawn[7, :, :48], test[:, :48])
    off = drawn[:, :, 48:] - test[None, :, 47:48]
    np.testing.assert_allclose(off.mean(axis=0), 0, atol=1.5)
    spread = 2 * np.sqrt(np.arange(1, 31))[None, :, None]
    np.testing.assert_allclose(off.std(axis=0) / spread, 1, atol=0.1)


def test_windows_follow_what_is_learned_from():
    values = np.arange(8000.0)[:, None] * np.ones(8)
    cut = exchange.windows(values, 5)
    assert cut.shape == (5, 78, 8)
    np.testing.assert_array_equal(cut[:, 48, 0], exchange.LEARNED + 30 * np.arange(5))


@pytest.fixture
def dust(tmp_path, monkeypatch):
    """Two stations over the months of the real file: one value to an hour, and a gap in March."""
    hours = pd.date_range("2014-05-01 01:00", "2015-04-30 23:00", freq="h", name="datetime")
    ground = pd.DataFrame({"a": np.arange(8759.0), "b": np.arange(8759.0) ** 0.5}, hours)
    ground.loc["2014-08-03":"2014-08-04", "a"] = np.nan
    given = ground.copy()
    given.loc["2015-03-30 12:00":"2015-03-31 23:00", "b"] = np.nan
    for frame, name in zip((ground, given), monitors.PM25, strict=True):
        frame.to_csv(tmp_path / name)
    monkeypatch.setenv("JAXIMPUTE_DATA", str(tmp_path))
    return ground


def test_windows_of_dust_are_those_of_the_papers_and_no_hour_counts_twice(dust):
    made = monitors.pm25()
    assert made.learned.values.shape == (4842, 36, 2)
    assert made.truth.shape == (82, 36, 2)
    # the last window of March reaches back over hours that the one before has
    assert made.where.sum() == 36
    assert made.where[-1, :, 1].sum() == made.where[-1, 12:, 1].sum() == 24
    assert not np.asarray(made.asked.mask)[made.where].any()
    calm = dust[~dust.index.month.isin((3, 6, 9, 12))]
    np.testing.assert_allclose(made.level, calm.mean())
    back = np.asarray(made.asked.values) * made.spread + made.level
    known = np.asarray(made.asked.mask)
    np.testing.assert_allclose(back[known], made.truth[known], rtol=1e-4)
    assert len(monitors.pm25(5).truth) == 5
    assert len(monitors.pm25(500).truth) == 82


def test_a_share_of_what_was_measured_of_each_stay_is_hidden(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    values = rng.normal(3, 2, size=(50, 48, 3)).astype(np.float32)
    values[rng.random(values.shape) < 0.6] = np.nan
    values[7] = np.nan  # nothing was measured
    np.savez(tmp_path / monitors.PHYSIONET, values=values)
    monkeypatch.setenv("JAXIMPUTE_DATA", str(tmp_path))
    made = monitors.physionet(0.5)
    assert made.truth.shape == (9, 48, 3)
    assert made.learned.values.shape == (34, 48, 3)
    known = np.asarray(made.asked.mask)
    assert not (known & made.where).any()
    np.testing.assert_array_equal(
        made.where.sum(axis=(1, 2)), (known | made.where).sum(axis=(1, 2)) // 2
    )
    # standard deviations of all that was measured, in stays of both kinds
    units = (values.astype(float) - np.nanmean(values, (0, 1))) / np.nanstd(values, (0, 1))
    off = np.abs(made.truth[made.where][:, None] - units[np.isfinite(units)])
    assert off.min(axis=1).max() < 1e-4


def test_the_exponential_integrator_is_of_second_order():
    """On the flow of N(m, s^2), whose end is known: half the step, a quarter of the error."""
    m, s = 0.5, 0.3

    def clean(x, t):
        return (s**2 * x + m * t**2) / (s**2 + t**2)

    x = jnp.array([3.0, -2.0])
    scale = jnp.sqrt((s**2 + 0.05**2) / (s**2 + 4.0))
    last = m + (x - m) * scale  # the flow keeps quantiles
    errors = []
    for steps in (20, 40):
        times = jnp.exp(jnp.linspace(jnp.log(2.0), jnp.log(0.05), steps + 1))
        done = exponential(clean, lambda t: (1.0, t), x, times)
        errors.append(float(jnp.abs(done - last).max()))
    assert 3.2 < errors[0] / errors[1] < 5


def row(**more):
    common = {"table": "waves", "phases": "shared", "rows": 4, "windows": 2, "quick": True}
    scores = {"rmse": 0.2, "mae": 0.1, "crps": 0.3, "draws": 20, "seconds": 9.0, "seed": 0}
    return {**common, **scores, "options": {}, **more}


def test_rows_become_tables_and_later_rows_replace_earlier_ones(tmp_path):
    drawn = {"cover50%": 0.61, "cover80%": 0.88, "cover95%": 0.97, "pit": [1, 1, 2]}
    sampled = {"table": "samplers", "method": "csbi0", **drawn}
    rows = [
        row(method="csbi0", crps=9.0, options={"warmup": 7}),
        row(method="csbi0", crps=0.05),
        row(method="csbi0", crps=0.041, options={"warmup": 7}, **drawn),
        row(method="linear", crps=0.9),
        row(method="oracle", crps=0.026, **drawn),
        row(sampler="heun", evaluations=9, **{**sampled, "crps": 0.05}),
        row(sampler="sde", evaluations=9, **{**sampled, "crps": 0.5}),
        row(table="terminal", method="csbi", crps=0.0123, options={"sigma_max": 0.3}, quick=False),
        row(table="terminal", method="csbi0", crps=0.0246, options={"sigma_max": 0.3}, quick=False),
        row(table="pm25", phases=None, method="linear", windows=82, targets=20434, crps=0.3),
    ]
    text = pages.table("bridge", "waves-quick", rows, tmp_path)
    assert "9.0000" not in text
    # of the same method, rows of other options stand side by side
    assert (
        "| csbi0: warmup=7 | 0.2000 | 0.1000 | 0.0410 | 61% | 88% | 97% | 20 | 2 |  | 9 |" in text
    )
    assert text.index("| oracle |") < text.index("| csbi0 |") < text.index("| linear |")
    ranks = pages.table("bridge", "ranks-quick", rows, tmp_path)
    assert "| csbi0: warmup=7 | 25.0% | 25.0% | 50.0% |" in ranks
    assert "| 9 | 0.0500 | 0.5000 |" in pages.table("bridge", "few-steps-quick", rows, tmp_path)
    assert "| 9 | 0.50 |" in pages.table("bridge", "terminal", rows, tmp_path)
    assert "| 82 |" in pages.table("bridge", "pm25", rows, tmp_path)
