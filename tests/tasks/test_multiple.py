"""Several completions: random, ordered, of the container's own type, and written to files."""

import numpy as np
import pandas as pd
import pytest

import jaximpute as ji
from tests.helpers.commands import call

SMALL = {"score_steps": 5, "sde_steps": 5, "steps": 1, "width": 16, "start": "mean"}
FLAGS = [word for name, value in SMALL.items() for word in ("--set", f"{name}={value}")]


def frame(rows=40):
    rng = np.random.default_rng(0)
    x = rng.normal(size=rows)
    table = pd.DataFrame(
        {
            "level": x.round(2),
            "number": pd.array((10 * x).round().astype(int), dtype="Int64"),
            "word": pd.array(np.where(x > 0, "up", "down"), dtype="string"),
        }
    )
    table.loc[[1, 5], "level"] = np.nan
    table.loc[[2, 7], "number"] = pd.NA
    table.loc[3, "word"] = pd.NA
    return table


@pytest.fixture
def path(tmp_path):
    frame().to_csv(tmp_path / "in.csv", index=False)
    return tmp_path / "in.csv"


def test_draws_differ_only_where_cells_were_missing():
    holed = frame()
    many = ji.impute_many(holed, "diffusion", draws=4, level=0.5, **SMALL)
    assert len(many.draws) == 4
    for one in (*many.draws, many.median, many.low, many.high):
        pd.testing.assert_frame_equal(one.where(holed.notna()), holed)
        assert not one.isna().any().any()
        assert (one.dtypes == holed.dtypes).all()
    assert len({one.loc[1, "level"] for one in many.draws}) == 4
    for row, name in ((1, "level"), (5, "level"), (2, "number"), (7, "number")):
        drawn = sorted(one.loc[row, name] for one in many.draws)
        # the quarters of four draws, to the nearest of them
        assert many.low.loc[row, name] in drawn[:2]
        assert many.high.loc[row, name] in drawn[2:]
    assert many.low.loc[3, "word"] == many.high.loc[3, "word"] == many.median.loc[3, "word"]
    again = ji.impute_many(holed, "diffusion", draws=4, level=0.5, **SMALL)
    pd.testing.assert_frame_equal(again.draws[3], many.draws[3])


@pytest.mark.fast
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"draws": 0}, "draws is 0; expected at least 1"),
        ({"level": 1.0}, "level is 1.0; expected a share"),
        ({"method": "mean"}, "not random draws; methods that draw: .*diffusion"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments, words):
    with pytest.raises(ji.OptionError, match=words):
        ji.impute_many(frame(), **{"method": "diffusion", **arguments})


def test_draws_below_one_another_or_as_files(path):
    out, folder = path.with_name("out.csv"), path.with_name("draws")
    run = ("impute", path, "--method", "diffusion", "--draws", "2", *FLAGS)
    done = call(*run, "-o", out)
    assert done.exit_code == 0, done.stderr
    long = pd.read_csv(out)
    assert long.columns.tolist() == ["draw", "level", "number", "word"]
    assert long["draw"].tolist() == [1] * 40 + [2] * 40
    assert not long.isna().any().any()
    done = call(*run, "-o", f"{folder}/")
    assert done.exit_code == 0, done.stderr
    assert sorted(file.name for file in folder.iterdir()) == ["draw_1.csv", "draw_2.csv"]
    second = (folder / "draw_2.csv").read_text().splitlines()
    assert [f"2,{line}" for line in second[1:]] == out.read_text().splitlines()[41:]
    refused = call(*run, "-o", f"{folder}/")
    assert refused.exit_code == 1
    assert "draw_1.csv exists; pass --force" in refused.stderr


def test_intervals_are_columns_and_a_picture_shows_them(path):
    out = path.with_name("out.csv")
    done = call(
        *("impute", path, "--method", "diffusion", "--draws", "5", "--interval", "0.6", *FLAGS),
        *("-o", out, "--plot", path.with_name("p.png")),
    )
    assert done.exit_code == 0, done.stderr
    wide = pd.read_csv(out)
    ends = ["level_low", "level_high", "number_low", "number_high"]
    assert wide.columns.tolist() == ["level", "number", "word", *ends]
    for name in ("level", "number"):
        assert (wide[f"{name}_low"] <= wide[name]).all()
        assert (wide[name] <= wide[f"{name}_high"]).all()
        same = wide[f"{name}_low"] == wide[f"{name}_high"]
        assert same[frame()[name].notna()].all()
    assert path.with_name("p.png").stat().st_size > 1000


@pytest.mark.fast
def test_a_column_called_draw_is_not_overwritten(tmp_path):
    (tmp_path / "in.csv").write_text("draw,x\n1,2\n2,\n3,4\n")
    done = call("impute", tmp_path / "in.csv", "--method", "diffusion", "--draws", "2", *FLAGS)
    assert done.exit_code == 3
    assert "has a column 'draw' already" in done.stderr
