"""The benchmarks: the same holes every time, rows kept and not repeated, and the tables."""

import gzip
import hashlib
import sys

import numpy as np
import pandas as pd
import pytest

from benchmarks import gaps, series
from benchmarks.harness import gap_worker
from benchmarks.harness import jobs as harness_jobs
from benchmarks.problems import datasets
from benchmarks.problems import series as series_problems
from jaximpute import DataError, MissingExtraError, OptionError
from tests.benchmarks import pages


@pytest.fixture
def csv(tmp_path):
    t = np.arange(300.0)
    frame = pd.DataFrame(
        {"date": [f"day {i:.0f}" for i in t], "a": np.sin(t / 9), "b": 5 + np.cos(t / 7)}
    )
    path = tmp_path / "waves.csv"
    frame.to_csv(path, index=False)
    return str(path)


@pytest.mark.fast
def test_holes_are_the_same_for_the_same_seed_and_scaled_by_what_is_observed(csv):
    one, same, other = (series_problems.punch(csv, 0.3, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.hidden, same.hidden)
    assert (one.hidden != other.hidden).any()
    assert abs(one.hidden.mean() - 0.3) < 0.06
    np.testing.assert_allclose(np.nanmean(one.holed, axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(np.nanstd(one.holed, axis=0), 1)
    np.testing.assert_array_equal(np.isnan(one.holed), one.hidden)


@pytest.mark.fast
def test_a_series_can_be_cut_and_repeated(csv):
    assert series_problems.series(f"{csv}:100").shape == (100, 2)
    longer = series_problems.series(f"{csv}*3")
    assert longer.shape == (900, 2)
    assert 0.01 < np.abs(longer[:300] - series_problems.series(csv)).mean() < 0.1
    assert series_problems.label(f"{csv}:100") == "waves:100"


@pytest.mark.fast
def test_scores_count_hidden_entries_only(csv):
    problem = series_problems.punch(csv, 0.3, 0)
    completed = np.where(problem.hidden, problem.truth + 0.5, 1e6)
    # the energy distance alone is between whole rows
    found = series_problems.score(problem, np.where(problem.hidden, completed, problem.truth))
    assert found["mae"] == pytest.approx(0.5)
    assert found["mse"] == pytest.approx(0.25)
    assert found["wasserstein"] == pytest.approx(0.5)
    assert series_problems.score(problem, completed)["rmse"] == pytest.approx(0.5)
    assert series_problems.score(problem, problem.truth)["energy_distance"] == pytest.approx(
        0, abs=1e-4
    )


def test_rows_are_kept_not_repeated_and_become_tables(csv, tmp_path, capsys):
    out = tmp_path / "series.jsonl"
    run = ["--data", csv, "--ratios", "0.3", "--seeds", "1", "--out", str(out)]
    assert series.main([*run, "--methods", "mean"]) == 0
    assert series.main([*run, "--methods", "mean", "linear"]) == 0
    rows = harness_jobs.read(out)
    assert [row["method"] for row in rows] == ["mean", "linear"]
    assert len(out.read_text().splitlines()) == 2
    assert "1 rows present, 1 to measure" in capsys.readouterr().out
    assert rows[1]["mae"] < 0.1 < 0.5 < rows[0]["mae"] < 1.2  # linear fills slow waves well
    assert all(row["cpu_seconds"] > 0 and row["peak_mb"] > 50 for row in rows)
    assert str(tmp_path) not in out.read_text()

    # one mask has no spread: nothing is surely ahead by it
    text = pages.table("series", "etth1", rows, tmp_path, where={})
    assert f"| linear | {rows[1]['mae']:.4f} | {rows[1]['mse']:.4f} |" in text


@pytest.mark.fast
@pytest.mark.parametrize("place", gap_worker.PLACES)
def test_long_gaps_have_the_lengths_they_are_scored_by(csv, tmp_path, place):
    frame = pd.concat([pd.read_csv(csv)] * 5)
    frame.iloc[5, 1] = np.nan
    frame.to_csv(tmp_path / "long.csv", index=False)
    spec = str(tmp_path / "long.csv")
    problem, where = gap_worker.punch(spec, place, 0)
    same, other = (gap_worker.punch(spec, place, seed)[0].holed for seed in (0, 1))
    np.testing.assert_array_equal(problem.holed, same)
    assert np.shape(problem.holed) != np.shape(other) or (np.isnan(other) != problem.hidden).any()
    hidden = problem.hidden
    assert hidden.sum() == (168 if place == "end" else 264) * 2
    assert hidden[-1].any() == (place == "end")
    assert (hidden[:, 0] == hidden[:, 1]).all() == (place != "each")
    for steps, found in where.items():
        assert found[:, 1].sum() == steps
        assert not (found & ~hidden).any()
        first = np.flatnonzero(found[:, 1])[0]
        assert not hidden[first - 1, 1]
        assert found[first : first + steps, 1].all()


@pytest.mark.fast
def test_the_last_season_goes_on():
    x = np.tile([[1.0], [2.0], [3.0]], (6, 1))
    holed = x.copy()
    holed[:4], holed[7:9], holed[13:] = np.nan, np.nan, np.nan
    np.testing.assert_array_equal(gap_worker.last_season(holed, 3), x)
    short = np.array([[1.0], [np.nan], [3.0]])
    assert gap_worker.last_season(short, 5).tolist() == [[1.0], [2.0], [3.0]]


def test_long_gaps_become_rows_and_a_table(csv, tmp_path, monkeypatch):
    monkeypatch.setitem(gap_worker.SEASONS, "waves", 50)
    out = tmp_path / "gaps.jsonl"
    run = ["--data", csv, "--seeds", "1", "--places", "end", "--out", str(out)]
    assert gaps.main([*run, "--methods", "linear", "seasonal"]) == 0
    rows = harness_jobs.read(out)
    assert [row["method"] for row in rows] == ["linear", "seasonal"]
    assert set(rows[0]["by_length"]) == {"24", "72", "168"}
    assert rows[0]["rmse"] == pytest.approx(rows[0]["by_length"]["168"]["rmse"])
    text = pages.table("series", "gaps-etth1", rows, tmp_path, where={})
    assert "| method | to the end, 24 | to the end, 72 | to the end, 168 | CPU-s |" in text
    assert f" | {rows[0]['rmse']:.3f} | " in text
    with pytest.raises(OptionError, match="no method is called 'liner'"):
        gaps.main([*run, "--methods", "liner"])


@pytest.mark.fast
def test_a_method_that_fails_leaves_no_row(tmp_path, capsys):
    def explode(job):
        raise RuntimeError("no memory")

    jobs = [harness_jobs.Job("waves", 0.1, 0, "mean")]
    out = tmp_path / "rows.jsonl"
    assert harness_jobs.run(jobs, out, how=explode, known=lambda job: row("mean", 0)) == 1
    assert "no memory" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.fast
def test_an_unknown_method_is_refused_before_anything_runs(csv, tmp_path):
    with pytest.raises(OptionError, match="no method is called 'liner'"):
        series.main(["--data", csv, "--methods", "mean", "liner", "--out", str(tmp_path / "x")])


@pytest.mark.fast
def test_settings_hold_defaults_of_the_method_and_of_its_start():
    plain, paper = (
        harness_jobs.Job("etth1", 0.3, 0, "spirit", preset) for preset in ("balanced", "paper")
    )
    assert harness_jobs.settings(plain)["weights"] is False
    assert harness_jobs.settings(paper)["weights"] is True
    start = harness_jobs.settings(plain)["start"]
    assert harness_jobs.settings(plain)["start_settings"] == harness_jobs.settings(
        plain._replace(method=start, preset="balanced")
    )


def row(method, seed, ratio=0.3, mae=1.0, **more):
    return {
        "data": "etth1",
        "data_sha": "0",
        "ratio": ratio,
        "seed": seed,
        "method": method,
        "preset": "balanced",
        "options": {},
        "split": False,
        "settings": {
            "start": "gaussian",
            "weights": True,
            "weight_norm": "sum",
            "dissipative": "none",
            "eta": 0.002,
        },
        "version": "1",
        "mae": mae,
        "mse": mae**2,
        "wasserstein": mae / 2,
        "cpu_seconds": 3.0,
        "peak_mb": 100.0,
        "curves": {},
        **more,
    }


@pytest.mark.fast
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_dataset_is_read_from_a_folder_plain_or_gzipped(pack, tmp_path, monkeypatch):
    text = b"date,a,b\n2016-07-01,1.0,2.5\n2016-07-02,3.0,4.0\n"
    source = datasets.Source("https://example.org/two.csv", hashlib.sha256(text).hexdigest())
    monkeypatch.setitem(datasets.SOURCES, "two", source)
    monkeypatch.setenv(datasets.FOLDER, str(tmp_path))
    (tmp_path / ("two.csv" if pack is bytes else "two.csv.gz")).write_bytes(pack(text))
    found = datasets.load("two")
    np.testing.assert_array_equal(found.values, [[1.0, 2.5], [3.0, 4.0]])
    assert found.names == ("a", "b")


@pytest.mark.fast
def test_a_download_without_pooch_names_the_extra(monkeypatch):
    monkeypatch.delenv(datasets.FOLDER, raising=False)
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(MissingExtraError, match=r"jaximpute\[data\]"):
        datasets.load("etth1")


@pytest.mark.fast
def test_a_file_that_is_not_the_expected_one_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv(datasets.FOLDER, str(tmp_path))
    (tmp_path / "ETTh1.csv").write_text("date,a\n0,1.0\n")
    with pytest.raises(DataError, match=r"ETTh1\.csv is not the file that was expected"):
        datasets.load("etth1")
    with pytest.raises(OptionError, match="valid: etth1, ettm1, exchange"):
        datasets.load("etth2")
