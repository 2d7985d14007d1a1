"""The benchmark of fields: the least error, draws guided by an equation, and a page from rows."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import fields, guidance
from benchmarks.problems import fields as fields_problems
from tests.benchmarks import pages

ROW = {
    "masks": "blocks:5",
    "net": "mlp",
    "steps": 1500,
    "at_delta": 0.9,
    "best": 0.05,
    "cpu_seconds": 40.0,
    "field_mean": 1.0,
}


def test_the_least_error_is_that_of_the_exact_answer():
    basis = fields_problems.modes(8, 2, (0.0, 1.5), cut=2.5)
    x = fields_problems.fields(0, 400, basis, (2, 8, 8, 1))
    assert x.var() == pytest.approx(1, abs=0.05)
    mask = np.broadcast_to(fields_problems.pixel_masks(1, 1, 8, 0.1), (1, 2, 8, 8, 1))
    seen, rest = basis[mask.ravel()], basis[~mask.ravel()]
    noise = 0.05
    weights = rest @ seen.T @ np.linalg.inv(seen @ seen.T + noise**2 * np.eye(len(seen)))
    flat = x.reshape(400, -1)
    shown = flat[:, mask.ravel()] + noise * np.random.default_rng(2).normal(size=(400, len(seen)))
    error = ((shown @ weights.T - flat[:, ~mask.ravel()]) ** 2).mean()
    assert error > 0.01
    assert fields_problems.best_error(basis, mask, noise) == pytest.approx(error, rel=0.1)


def test_block_masks_show_as_many_blocks_as_asked():
    masks = fields_problems.block_masks(0, 5, 12, 5)
    assert masks.shape == (5, 1, 12, 12, 1)
    np.testing.assert_array_equal(masks.mean(axis=(1, 2, 3, 4)), 5 / 9)


def test_the_residual_of_a_field_that_is_carried_along_is_small():
    basis = fields_problems.modes(fields.SIZE, fields.FRAMES, fields.WIND, cut=4.5)
    film = jnp.asarray(fields_problems.fields(0, 1, basis, fields.SHAPE)[0])
    assert guidance.residual(film) < 1e-6 * guidance.residual(film[::-1])


def test_guided_draws_are_measured_and_become_a_section(tmp_path, monkeypatch):
    monkeypatch.setattr(fields, "TRAIN", 64)
    monkeypatch.setattr(fields, "TEST", 4)
    out = tmp_path / "guidance.jsonl"
    given = ["--quick", "--strengths", "0", "0.2", "--draws", "3", "--out", str(out)]
    with jax.debug_key_reuse(False):  # the same draws with and without guidance are meant
        assert guidance.main(given) == 0
    plain, guided = (json.loads(line) for line in out.read_text().splitlines())
    assert guided["residual"] < 0.8 * plain["residual"]
    assert guided["residual_truth"] == plain["residual_truth"] > 0
    assert plain["mse_mean"] < plain["mse_draw"]
    rows = [row | {"quick": False, "seed": seed} for row in (plain, guided) for seed in (0, 1)]
    text = pages.table("fields", "guided", rows, tmp_path)
    assert f"| 0.2 | {guided['mse_draw']:.3f} ± 0.000 |" in text


def test_rows_become_tables_and_later_rows_replace_earlier_ones(tmp_path):
    def row(partition, seed, **errors):
        return ROW | {"partition": partition, "seed": seed, "mse": errors}

    rows = [
        row("missdiff", 0, M=0.7),
        row("block", 0, K10=0.9, M=0.9),
        row("block", 0, K10=0.2, M=0.1),
        row("block", 1, K10=0.4, M=0.3),
        row("block", 0, K10=0.1, M=0.05) | {"steps": 6000},
        row("harmonic", 0, **{"-": 0.5}) | {"net": "none", "steps": 0},
    ]
    text = pages.table("fields", "fields", rows, tmp_path)
    line = "| block | mlp | – | 1500 | 0.9 | 0.300 ± 0.141 (6.0) |  | 0.200 ± 0.141 (4.0) | 40 |"
    assert line in text
    assert text.index("| 6000 |") < text.index("| 1500 |") < text.index("| missdiff")
    assert "| harmonic | 0.500 (10.0) | 40 |" in pages.table("fields", "classical", rows, tmp_path)
