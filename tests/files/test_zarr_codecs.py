"""Stores packed by codecs that are not here, or that run what they hold, are refused by name."""

import json
import pickle

import numpy as np
import pytest

import jaximpute as ji
from jaximpute.files import grids

xarray = pytest.importorskip("xarray")
zarr = pytest.importorskip("zarr")


def _store(path, version: int = 2, **how):
    values = np.arange(6.0).reshape(2, 3)
    dataset = xarray.Dataset({"x": (("a", "b"), values)})
    dataset.to_zarr(path, zarr_format=version, consolidated=False, **how)
    return path / "x" / (".zarray" if version == 2 else "zarr.json")


def _change(file, **about):
    file.write_text(json.dumps(json.loads(file.read_text()) | about))


def test_what_a_store_would_run_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    about = _store(tmp_path / "s.zarr")
    _change(about, filters=[{"id": "pickle", "protocol": 5}], dtype="|O", compressor=None)
    for chunk in about.parent.glob("[0-9]*"):
        chunk.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ji.DataError, match=r"'x' in .* codec 'pickle', which runs"):
        grids.read_dataset(str(tmp_path / "s.zarr"))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("version", [2, 3])
def test_codecs_that_are_not_installed_are_named(tmp_path, version):
    about = _store(tmp_path / "s.zarr", version)
    if version == 2:
        _change(about, compressor={"id": "squeeze", "level": 3})
    else:
        codecs = [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "squeeze"}]
        _change(about, codecs=codecs)
    with pytest.raises(ji.DataError, match=r"'x' in .* codec 'squeeze', which is not installed"):
        grids.read_dataset(str(tmp_path / "s.zarr"))


def test_codecs_within_shards_and_consolidated_metadata_are_looked_at(tmp_path):
    about = _store(tmp_path / "s.zarr", 3)
    inner = {"codecs": [{"name": "numcodecs.pickle"}], "chunk_shape": [1, 1], "index_codecs": []}
    _change(about, codecs=[{"name": "sharding_indexed", "configuration": inner}])
    with pytest.raises(ji.DataError, match=r"codec 'numcodecs\.pickle', which runs"):
        grids.read_dataset(str(tmp_path / "s.zarr"))
    _store(tmp_path / "c.zarr")
    held = {"metadata": {"x/.zarray": {"filters": [{"id": "pickle"}]}}}
    (tmp_path / "c.zarr" / ".zmetadata").write_text(json.dumps(held))
    with pytest.raises(ji.DataError, match=r"'x' in .* codec 'pickle'"):
        grids.read_dataset(str(tmp_path / "c.zarr"))


@pytest.mark.parametrize("version", [2, 3])
def test_usual_codecs_are_read(tmp_path, version):
    codecs = zarr.codecs
    for i, one in enumerate((codecs.ZstdCodec(), codecs.BloscCodec(), codecs.GzipCodec())):
        path = tmp_path / f"{i}.zarr"
        how = {} if version == 2 else {"encoding": {"x": {"compressors": (one,)}}}
        _store(path, version, **how)
        assert float(grids.read_dataset(str(path))["x"].sum()) == 15.0


def test_damaged_metadata_are_still_an_error_of_the_store(tmp_path):
    about = _store(tmp_path / "s.zarr")
    about.write_text("[1, 2")
    with pytest.raises(ji.DataError, match=r"s\.zarr"):
        grids.read_dataset(str(tmp_path / "s.zarr"))
