"""Gridded files of which little was seen come right by the default call."""

import numpy as np
import pytest

pytest.importorskip("xarray")
pytest.importorskip("h5netcdf")

from tests.helpers.grids import field, impute, load, save


@pytest.mark.parametrize(("share", "frames", "side"), [(0.02, 12, 20), (0.1, 6, 14)])
def test_a_file_with_few_cells_seen_comes_right_by_the_default_call(tmp_path, share, frames, side):
    places = np.arange(frames), np.arange(side), np.arange(side)
    t, y, x = np.meshgrid(*places, indexing="ij")
    values = 10 + 0.2 * y + 2 * np.sin(x / 4 + t / 3) + 2 * np.cos(y / 5)
    seen = np.random.default_rng(0).random(values.shape) < share
    sea = field(np.where(seen, values, np.nan)).to_dataset(name="sst")
    path, out, level = (tmp_path / f"{name}.nc" for name in ("in", "out", "level"))
    save(sea, path)
    impute(path, out, "--fill-unseen")
    impute(path, level, "--fill-unseen", "--method", "mean")
    filled, mean = load(out).sst.values, load(level).sst.values
    np.testing.assert_array_equal(filled[seen], values[seen])
    assert np.isfinite(filled).all()
    errors = [np.sqrt(np.mean((one - values)[~seen] ** 2)) for one in (filled, mean)]
    assert errors[0] < 0.5 * errors[1]
