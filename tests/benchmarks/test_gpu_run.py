"""The run on an accelerator: a toy of it on a CPU, with what it needs and no more."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from benchmarks import gpu
from tests.benchmarks import pages

# what a machine with an accelerator need not have
ABSENT = ("torch", "ott", "pooch", "grain", "zarr", "h5netcdf", "polars", "exponax", "matplotlib")


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> Path:
    """A folder for the path, which hides packages from Python."""
    folder = tmp_path_factory.mktemp("bare")
    (folder / "sitecustomize.py").write_text(
        textwrap.dedent(f"""
            import sys

            class Absent:
                def find_spec(self, name, path=None, target=None):
                    if name.split(".")[0] in {ABSENT!r}:
                        raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

            sys.meta_path.insert(0, Absent())
            """)
    )
    return folder


def run(bare: Path, out: Path, *options: str) -> list[dict]:
    """Rows of a toy, which ends well."""
    paths = os.pathsep.join([str(bare), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", "--toy", "--out", str(out), *options],
        cwd=Path(gpu.__file__).parents[1],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        check=True,
        timeout=900,
    )
    return [json.loads(line) for line in out.read_text().splitlines()]


def test_a_toy_goes_through_all_sections_without_what_it_does_not_need(bare, tmp_path):
    rows = run(bare, tmp_path / "rows.jsonl")
    found = {(row["section"], row["what"]) for row in rows}
    asked = {"right": ("covariance", "method"), "fast": ("compiled", "step", "solve")}
    asked |= {"full": ("learned", "beside"), "many": ("rows", "draws")}
    assert {(name, what) for name, kinds in asked.items() for what in kinds} <= found
    assert not [row for row in rows if row["what"] in ("failed", "cut")]
    assert [row["why"] for row in rows if row["what"] == "skipped"] == ["needs torch"]
    assert all(row["right"] for row in rows if "right" in row)
    assert all(row["toy"] for row in rows)
    # the page is of measured rows alone
    assert "Not measured yet" in pages.table("gpu", "methods", rows, tmp_path)
    full = [row | {"toy": False} for row in rows]
    for name in ("products", "methods", "steps", "compiling", "solves", "full", "many", "draws"):
        assert "Not measured yet" not in pages.table("gpu", name, full, tmp_path)
    shown = pages.table("gpu", "methods", full, tmp_path) + pages.table(
        "gpu", "many", full, tmp_path
    )
    assert all(row["method"] in shown for row in rows if row["what"] in ("method", "rows"))
    assert "needs torch" in pages.table("gpu", "left-out-fast", full, tmp_path)


def test_a_run_that_is_cut_keeps_what_it_has(bare, tmp_path):
    rows = run(bare, tmp_path / "rows.jsonl", "--sections", "right", "--seconds", "1")
    assert rows[-1]["what"] == "ended"
    assert "cut" in {row["what"] for row in rows}
