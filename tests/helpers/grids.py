"""Gridded files: made, completed by the command, and read again."""

import warnings

import numpy as np
import pandas as pd
import xarray as xr
from typer.testing import CliRunner

from jaximpute.cli import app

DIMS = ("time", "lat", "lon")


def call(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def impute(path, out, *options):
    done = call("impute", path, "-o", out, *options)
    assert done.exit_code == 0, done.output
    return done.stderr


def field(values, dims=DIMS, **attrs):
    coords = {
        dim: pd.date_range("2020-01-01", periods=size) if dim == "time" else np.arange(float(size))
        for dim, size in zip(dims, np.shape(values), strict=True)
    }
    return xr.DataArray(values, coords, dims, attrs=attrs)


def smooth(shape=(4, 6, 7), seed=0):
    t, y, x = np.meshgrid(*(np.linspace(0, 1, n) for n in shape), indexing="ij")
    values = np.sin(3 * x + t) + np.cos(2 * y)
    hidden = np.random.default_rng(seed).random(shape) < 0.25
    hidden[0] = False
    return values, hidden


def save(data, path, **encoding):
    if path.suffix == ".zarr":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of zarr, about its own formats
            data.to_zarr(path, encoding=encoding, consolidated=False)
    else:
        data.to_netcdf(path, engine="h5netcdf", encoding=encoding)


def load(path, **keywords):
    how = {"engine": "zarr", "consolidated": False} if path.suffix == ".zarr" else {}
    with xr.open_dataset(path, **how, **keywords) as data:
        return data.load()
