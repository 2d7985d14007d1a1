"""The problems: series by name, holes by seed, and how a completion is scored.

Protocol: the whole series; each entry is hidden with probability `ratio`, independently; columns
are standardised by their observed entries; errors are over hidden entries, in those units.
"""

import hashlib
import os
import zlib
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from benchmarks.problems import datasets
from jaximpute import metrics

# standard deviations of the noise that tells the copies of a tiled series apart
_TILE_NOISE = 0.05
# rows of a sample in the energy distance, whose cost is quadratic
_MOST_ROWS = 2000


def local(name: str, about: str) -> Path:
    """A file in the folder that `JAXIMPUTE_DATA` names.

    Args:
        name: of the file.
        about: what it is and where it is from, for the error.

    Raises:
        FileNotFoundError: it is not there.
    """
    path = Path(os.environ.get(datasets.FOLDER, "."), name)
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no {name} in the folder that {datasets.FOLDER} names; {about}"
        )
    return path


class Problem(NamedTuple):
    """A series with holes.

    Attributes:
        truth: `(time, channels)`, complete, in units of the observed entries' deviations.
        holed: the same with NaN where hidden.
        hidden: True where hidden.
    """

    truth: np.ndarray
    holed: np.ndarray
    hidden: np.ndarray


@lru_cache(maxsize=4)
def series(spec: str) -> np.ndarray:
    """`(time, channels)` values by a name such as `etth1`, `etth1:2000`, `etth1*4` or `my.csv`.

    `:2000` takes the first 2000 rows; `*4` repeats the series four times, with a little noise.
    """
    name, times = _split(spec, "*")
    name, rows = _split(name, ":")
    if name.endswith(".csv"):
        import pandas as pd

        values = pd.read_csv(name).select_dtypes("number").to_numpy(np.float64)
    else:
        values = datasets.load(name).values
    values = values[:rows]
    if times is None:
        return values
    noise = np.random.default_rng(0).normal(size=(times * len(values), values.shape[1]))
    return np.tile(values, (times, 1)) + _TILE_NOISE * values.std(axis=0) * noise


def label(spec: str) -> str:
    """The name of a series in rows and tables: without folders."""
    return Path(spec).name.replace(".csv", "")


def fingerprint(values: np.ndarray) -> str:
    """The first digits of a hash of the values."""
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()[:12]


def punch(spec: str, ratio: float, seed: int) -> Problem:
    """The problem for a series, a share of hidden entries and a seed; always the same one."""
    values = series(spec)
    rng = np.random.default_rng([zlib.crc32(label(spec).encode()), round(1000 * ratio), seed])
    hidden = rng.random(values.shape) < ratio
    holed = np.where(hidden, np.nan, values)
    mean, deviation = np.nanmean(holed, axis=0), np.nanstd(holed, axis=0)
    return Problem((values - mean) / deviation, (holed - mean) / deviation, hidden)


def score(problem: Problem, completed: np.ndarray) -> dict[str, float]:
    """Errors of a completion on the hidden entries, and distances between distributions.

    `wasserstein` is the distance of order 1 between hidden values and their completions, averaged
    over columns; `energy_distance` is between true and completed rows that had holes.
    """
    truth, hidden = problem.truth, problem.hidden
    error = (completed - truth)[hidden]
    with_holes = np.flatnonzero(hidden.any(axis=1))
    with_holes = with_holes[:: -(-len(with_holes) // _MOST_ROWS)]
    rows = [jnp.asarray(x[with_holes], jnp.float32) for x in (truth, completed)]
    return {
        "mae": float(np.abs(error).mean()),
        "mse": float((error**2).mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        "wasserstein": float(np.mean(_distances(truth, completed, hidden))),
        "energy_distance": float(metrics.energy_distance(*rows)),
    }


def _distances(truth: np.ndarray, completed: np.ndarray, hidden: np.ndarray) -> list[float]:
    """By column; between samples of one size the optimal plan matches them in order."""
    return [
        np.abs(np.sort(truth[where, i]) - np.sort(completed[where, i])).mean()
        for i, where in enumerate(hidden.T)
        if where.any()
    ]


def _split(spec: str, mark: str) -> tuple[str, int | None]:
    name, found, number = spec.rpartition(mark)
    return (name, int(number)) if found and number.isdigit() else (spec, None)
