"""`inspect` on fields, the audit behind it, and what cannot be learned or read."""

import warnings

import jax
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import jaximpute as ji
from jaximpute import registry
from jaximpute.cli import app
from jaximpute.data import frames
from jaximpute.engine import runs
from jaximpute.tasks.survey import survey

xr = pytest.importorskip("xarray")
pytest.importorskip("h5netcdf")
RUNNER = CliRunner()


def call(*arguments):
    return RUNNER.invoke(app, [str(argument) for argument in arguments])


def field(mask, **coords):
    """A variable, NaN outside a mask of `(member, time, lat, lon)`."""
    values = np.random.default_rng(0).normal(size=mask.shape).astype(np.float32)
    shape = mask.shape
    named = {"time": pd.date_range("2020-03-01", periods=shape[1]), "lat": np.arange(shape[2]) / 2}
    return xr.DataArray(
        np.where(mask, values, np.nan),
        dims=("member", "time", "lat", "lon"),
        coords={**named, **coords},
        name="sst",
    )


def blocks(n, seen, size=10):
    """`(n, 1, size, size)`: of a 2 x 2 grid of blocks, `seen` are observed."""
    order = np.argsort(np.random.default_rng(0).random((n, 4)), axis=1).reshape(n, 2, 2)
    return (order < seen).repeat(size // 2, 1).repeat(size // 2, 2)[:, None]


def test_shares_by_variable_and_frame():
    mask = np.ones((1, 3, 4, 5), bool)
    mask[..., 0] = False
    mask[0, 1, :2, 1:] = False
    mask[0, 2] = False
    found = survey(frames.read(field(mask)), key=jax.random.key(0), partitions=())
    (holes,) = found.holes
    assert (holes.name, holes.worst, holes.empty) == ("sst", 2, 1)
    assert holes.never == pytest.approx(0.2)
    assert holes.missing == pytest.approx(1 - 24 / 60)
    assert holes.frames == pytest.approx((0, 0.5, 1))
    assert found.moving
    assert not found.audits


def test_the_partition_that_asks_is_suggested_and_refusals_are_named():
    whole = survey(
        frames.read(field(blocks(32, 2).repeat(2, 1))),
        key=jax.random.key(0),
        partitions=("pixel", "own", "block"),
        draws=256,
    )
    assert not whole.moving
    assert whole.tile is None
    assert whole.places == 100  # static holes are looked at once
    assert whole.audits[0].partition == whole.suggested == "own"
    worst = next(one for one in whole.audits if one.partition == "pixel")
    assert worst.refused > 0
    assert worst.minimum == 0
    assert worst.named[0].startswith("(lat=")
    assert "time" not in worst.named[0]


def test_a_place_no_sample_shows_at_that_time_is_refused_by_all():
    mask = np.random.default_rng(1).random((40, 2, 3, 3)) < 0.5
    mask[:, 1, 2, 0] = False
    found = survey(frames.read(field(mask)), key=jax.random.key(0), partitions=("own",), draws=256)
    assert found.suggested is None
    assert found.audits[0].named == ("(time=2020-03-02T00:00, lat=1.0, lon=0; sst)",)


def test_inspect_prints_holes_audit_and_a_command_that_runs(tmp_path):
    source = tmp_path / "sst.nc"
    mask = np.random.default_rng(0).random((1, 8, 12, 8)) < 0.6
    mask[..., 0] = False
    sea = field(mask).isel(member=0).to_dataset()
    sea.to_netcdf(source, engine="h5netcdf")
    done = call("inspect", source, "--dims", "time,lat,lon")
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0] == "field, 1 sample of 8 time x 12 lat x 8 lon"
    row = next(line.split() for line in lines if line.startswith("sst"))
    assert row[1:3] == [f"{100 * (1 - mask.mean()):.1f}%", "12.5%"]
    assert row[6].startswith("2020-03-0")
    assert "holes differ between frames" in lines
    assert any("tiles of 4 x 6 x 4" in line for line in lines)
    audited = [line.split()[0] for line in lines[lines.index("") :] if len(line.split()) == 4]
    assert {"own", "mixed", "pixel", "block", "swath"} <= set(audited)
    command = next(line for line in lines if line.startswith("  jaximpute impute"))
    options = dict(part.split("=", 1) for part in command.replace("'", "").split("--set ")[1:])
    registry.check("context_query", kind="field", options={"partition": options["partition"]})
    assert eval(options["tile"]) == [4, 6, 4]


@pytest.mark.fast
@pytest.mark.parametrize(
    ("mask", "words"),
    [(np.ones((1, 2, 3, 3), bool), "nothing is missing"), (np.zeros((1, 2, 3, 3), bool), "land")],
)
def test_fields_of_which_nothing_can_be_said(tmp_path, mask, words):
    field(mask).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    done = call("inspect", tmp_path / "a.nc")
    assert (done.exit_code, words in done.output, "suggested" in done.output) == (0, True, False)


@pytest.mark.fast
def test_inspect_takes_arrays_and_images(tmp_path):
    np.save(tmp_path / "images.npy", np.where(np.eye(4)[None, :, :, None] > 0, np.nan, 1.0))
    done = call("inspect", tmp_path / "images.npy")
    assert done.exit_code == 0, done.output
    assert "image, 1 sample of 4 y x 4 x" in done.output
    assert "--method harmonic" in done.output


@pytest.mark.fast
def test_wrong_dimensions_and_plots_are_refused(tmp_path):
    source = tmp_path / "sst.nc"
    mask = np.ones((1, 2, 3, 3), bool)
    field(mask).rename(lat="row", lon="column").to_netcdf(source, engine="h5netcdf")
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    for file, more, code, words in [
        (source, [], 3, "name them"),
        (source, ["--dims", "time,row,colum"], 2, "did you mean 'column'"),
        (source, ["--dims", "row,row"], 2, "rows and columns"),
        (source, ["--dims", "time,row,column", "--plot", tmp_path / "p.png"], 2, "not of fields"),
        (tmp_path / "a.csv", ["--dims", "time,row,column"], 2, "this is none"),
    ]:
        done = call("inspect", file, *more)
        assert (done.exit_code, words in done.output) == (code, True), done.output


@pytest.mark.fast
def test_a_spectral_network_refuses_an_uneven_grid():
    mask = np.random.default_rng(0).random((1, 2, 4, 4)) < 0.7
    sea = field(mask, lat=[0.0, 1.0, 2.0, 9.0], lon=np.arange(4.0))
    with pytest.raises(ji.OptionError, match=r"Fourier modes, and the steps of lat differ"):
        ji.impute(sea, "context_query", net="fno")


@pytest.mark.fast
def test_places_that_nothing_shows_are_mentioned_where_they_are_filled(monkeypatch):
    x = np.ones((4, 2, 3, 3, 1))
    x[..., 0, 1, 0] = np.nan
    x[0, 0, 2, 2] = 2
    monkeypatch.setattr(
        runs, "completions", lambda plan, seed, data, *rest, **kw: ([np.asarray(data.values)], {})
    )
    with pytest.warns(ji.ImputationWarning, match="1 places .* row 0, column 1"):
        ji.impute(x, "context_query")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ji.impute(x, "mean")
        sea = np.zeros((3, 3), bool)
        sea[0, 1] = True
        with pytest.warns(ji.ImputationWarning, match="never_impute"):
            ji.impute(x, "context_query", never_impute=sea)
