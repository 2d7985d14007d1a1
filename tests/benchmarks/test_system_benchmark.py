"""The benchmark of films: what they obey, how they are scored, and a page from its rows."""

import numpy as np
import pytest

from benchmarks import systems
from benchmarks.harness import jobs, system_worker
from benchmarks.problems import systems as systems_problems
from jaximpute import OptionError
from tests.benchmarks import pages

SMALL = {name: f"{name}:12x4x9x12" for name in ("shallow", "advection", "vortices", "kolmogorov")}


@pytest.mark.parametrize("name", SMALL)
def test_simulated_films_obey_their_laws_and_holes_are_theirs(name):
    spec = SMALL[name] if name in ("shallow", "advection") else SMALL[name].replace("9", "12")
    made = systems_problems.problem(spec, "blocks:5", 1)
    same, other = (systems_problems.problem(spec, "blocks:5", seed) for seed in (1, 2))
    assert len(made.learned.values) == 11
    assert len(made.asked.values) == 1
    np.testing.assert_array_equal(made.where, same.where)
    assert (made.where != other.where).any()
    np.testing.assert_array_equal(made.where, ~np.asarray(made.asked.mask))
    np.testing.assert_array_equal(
        made.where, np.broadcast_to(made.where[:, :1, ..., :1], made.where.shape)
    )
    back = np.where(
        made.where, made.truth, np.asarray(made.asked.values) * made.spread + made.level
    )
    np.testing.assert_allclose(back, made.truth, atol=1e-5)
    for law in made.laws.values():
        assert (
            law(made.truth) < 1e-4 < 1e-2 < law(np.zeros_like(made.truth) + 1 + made.truth[:, ::-1])
        )
    assert np.abs(made.truth[:, 0] - made.truth[:, -1]).max() > 0.1


@pytest.mark.parametrize("name", ["shallow", "advection"])
def test_no_method_is_nearer_than_the_best_answer(name):
    spec = f"{name}:40x2x9x9"
    best, mean = (
        system_worker.measure(jobs.Job(spec, 0.0, 0, method, pattern="pixels:0.2"))
        for method in (system_worker.BEST, "mean")
    )
    assert 1e-4 < best["mse"] < 0.7 * mean["mse"]
    assert best["crps"] == pytest.approx(best["mae"], rel=1e-5)
    hidden = best["targets"] / (4 * 2 * 9 * 9 * (3 if name == "shallow" else 1))
    assert best["mse_all"] == pytest.approx(best["mse"] * hidden, rel=1e-5)


def test_the_spectrum_of_a_wave_and_of_nothing():
    y = np.arange(8) / 8
    wave = np.broadcast_to(np.sin(2 * np.pi * 2 * y)[None, None, :, None, None], (3, 2, 8, 8, 1))
    assert systems_problems.spectrum_error(wave, wave) == 0
    assert systems_problems.spectrum_error(0 * wave, wave) == pytest.approx(1)
    assert systems_problems.spectrum_error(2 * wave, wave) == pytest.approx(3)
    assert systems_problems.spectrum_error(5 + np.roll(wave, 1, 2), wave) == pytest.approx(
        0, abs=1e-12
    )


def test_wrong_names_are_refused_before_anything_runs(tmp_path):
    given = ["--data", SMALL["vortices"], "--out", str(tmp_path / "rows.jsonl"), "--methods"]
    with pytest.raises(OptionError, match="'meen'"):
        systems.main([*given, "meen"])
    with pytest.raises(ValueError, match="is no set of films"):
        systems.main(["--data", "water:3", "--methods", "mean"])
    with pytest.raises(ValueError, match="are no holes"):
        systems_problems.punch("stripes:3")
    assert not systems.possible(system_worker.BEST, SMALL["vortices"])
    assert systems.possible("context_query:paper", SMALL["vortices"])


def test_a_run_writes_rows_and_rows_become_a_page(tmp_path):
    out = tmp_path / "systems.jsonl"
    given = ["--quick", "--data", "advection:40x2x12x12", "--masks", "blocks:5", "--out", str(out)]
    given += ["--methods", "mean", "harmonic", "missdiff", system_worker.BEST]
    assert systems.main([*given, "--options", '{"sgd_total": 2, "batch": 4}']) == 0
    rows = jobs.read(out)
    assert [row["method"] for row in rows] == ["mean", "harmonic", "context_query", "best_possible"]
    assert all(0 < row["mse"] < 9 and row["films"] == 40 for row in rows)
    assert systems.main(given[:-2]) == 0  # those present are skipped
    assert len(out.read_text().splitlines()) == 4
    rows += [row | {"seed": 1, "mse": row["mse"] + 1} for row in rows]
    text = pages.table("systems", "advection", rows, tmp_path, where={})
    assert "| missdiff: sgd_total=2, batch=4 |" in text
    assert "| spectrum | simulation | CPU-s |" in text
    first = text.splitlines()[2]
    assert first.startswith("| 5 of 9 blocks | best_possible |")
    assert "± 0.707" in first
