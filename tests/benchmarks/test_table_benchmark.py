"""The benchmark of tables: known holes, known scores, and a page from its rows."""

import numpy as np
import pytest

from benchmarks import tables
from benchmarks.harness import jobs
from benchmarks.problems import mixed
from benchmarks.problems import tables as tables_problems
from jaximpute import OptionError
from tests.benchmarks import pages


@pytest.mark.parametrize("pattern", tables_problems.PATTERNS)
def test_holes_are_the_same_for_the_same_seed(pattern):
    one, same, other = (
        tables_problems.punch("synthetic:500x5", 0.4, s, pattern) for s in (0, 0, 1)
    )
    np.testing.assert_array_equal(one.hidden, same.hidden)
    assert (one.hidden != other.hidden).any()
    with_holes = one.hidden.any(axis=0)
    assert abs(one.hidden[:, with_holes].mean() - 0.4) < 0.06
    np.testing.assert_array_equal(np.isnan(one.holed), one.hidden)
    np.testing.assert_allclose(np.nanstd(one.holed, axis=0), 1)


def test_scores_of_known_completions():
    problem = tables_problems.punch("toy:2000", 0.3, 0)
    right = tables_problems.score(problem, problem.truth, problem.truth)
    assert right["rmse"] == right["draw_rmse"] == 0
    assert right["mmd"] < 1e-3 < right["mmd_apart"] < 0.08  # its floor: two samples differ
    means = np.where(problem.hidden, np.nanmean(problem.holed, axis=0), problem.truth)
    found = tables_problems.score(problem, problem.truth, means)
    # the mixture has variance 4.25, and its mean absolute value is 2
    assert found["rmse"] == 0
    assert found["rmse_all"] == pytest.approx(np.sqrt(0.3 * 4.25), rel=0.04)
    assert found["mae_all"] == pytest.approx(0.6, rel=0.06)
    assert found["mmd"] > 0.25


def test_exact_draws_are_of_the_mixture():
    problem = tables_problems.punch("toy", 0.3, 0)
    found = tables_problems.score(problem, problem.truth, tables_problems.exact_draw(problem, 0))
    assert found["rmse_all"] == pytest.approx(0.933, abs=0.05)
    assert found["mae_all"] == pytest.approx(0.324, abs=0.02)
    assert found["mmd_apart"] < 0.06


def test_rows_become_tables(tmp_path):
    out = tmp_path / "tables.jsonl"
    run = ["--data", "synthetic:100x3", "toy:100", "--ratios", "0.3", "--seeds", "1"]
    made = [*run, "--out", str(out), "--methods", "mean", "sklearn_ridge", "exact"]
    assert tables.main(made) == 0
    rows = jobs.read(out)
    assert [row["method"] for row in rows] == ["mean", "sklearn_ridge"] * 2 + ["exact"]
    assert rows[1]["rmse"] < rows[0]["rmse"]
    text = pages.table("tables", "wine", rows, tmp_path, where={"data": "synthetic:100x3"})
    assert f"| at random | 0.3 | sklearn_ridge | {rows[1]['rmse']:.3f} |" in text
    assert "| exact |" in pages.table("tables", "toy", rows, tmp_path, where={"data": "toy:100"})


def test_an_unknown_method_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(OptionError, match="no method is called 'mria'"):
        tables.main(["--methods", "mria", "--out", str(tmp_path / "x")])


def test_scores_of_mixed_tables():
    problem = mixed.punch("mixed:300", 0.3, 0)
    truth, hidden = problem.truth.values, problem.hidden
    assert abs(hidden.mean() - 0.3) < 0.05
    np.testing.assert_array_equal(problem.holed.mask, problem.truth.mask & ~hidden)
    right = mixed.score(problem, mixed.Answer(truth, truth[None]))
    assert (right["rmse"], right["accuracy"], right["coverage"]) == (0, 1, 1)
    assert right["total_variation"] == 0
    levelled = [i for i, column in enumerate(problem.truth.columns) if column.levels]
    wrong = truth.copy()
    wrong[:, levelled] = 0
    found = mixed.score(problem, mixed.Answer(wrong, truth[:0]))
    assert found["coverage"] is None
    share = np.mean([(truth[hidden[:, i], i] == 0).mean() for i in levelled])
    assert found["total_variation"] == pytest.approx(1 - share)
    assert found["accuracy"] == pytest.approx(share, abs=0.1)


def test_mixed_tables_become_tables(tmp_path):
    out = tmp_path / "tables.jsonl"
    run = ["--data", "mixed:300", "--ratios", "0.3", "--seeds", "1", "--out", str(out)]
    assert tables.main([*run, "--methods", "mean", "knn"]) == 0
    rows = jobs.read(out)
    assert rows[1]["accuracy"] > rows[0]["accuracy"]
    text = pages.table("tables", "categories", rows, tmp_path, where={})
    assert f"{rows[1]['accuracy']:.3f}" in text
