"""Measured series with holes of their own: the air of Beijing, and stays in intensive care.

Prepared as for CSDI and CSBI, so that scores can stand beside theirs; where these choose at random,
the choice here is another of the same kind.
"""

import csv
import gzip
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

from benchmarks.problems.series import local
from benchmarks.problems.windows import Problem
from jaximpute.masking import from_nan
from jaximpute.types import Observed

PM25 = ("pm25_ground.csv.gz", "pm25_missing.csv.gz")
PHYSIONET = "physionet2012_set_a.npz"
LENGTH = 36  # hours of a window of `pm25`
TESTED, VALIDATED = (3, 6, 9, 12), 1  # months


def pm25(windows: int | None = None) -> Problem:
    """Fine dust at 36 stations, by the hour: the gaps of ST-MVL in four months are the targets.

    Windows of 36 hours cross no month. Those to complete follow one another through March, June,
    September and December, and the last of a month reaches back over hours which then do not count
    twice; those to learn from start at every hour of seven others, January being set apart.
    Stations are standardised by what is observed outside the four months.

    Args:
        windows: complete only so many of the 82, evenly chosen.

    Raises:
        FileNotFoundError: no such file in the folder that `JAXIMPUTE_DATA` names.
    """
    (hours, ground), (_, gaps) = (_hourly(name) for name in PM25)
    months = hours.astype("datetime64[M]")
    of_year = months.astype(int) % 12 + 1
    calm = ground[~np.isin(of_year, TESTED)]
    level, spread = np.nanmean(calm, axis=0), np.nanstd(calm, axis=0, ddof=1)
    truth, given = ((values - level) / spread for values in (ground, gaps))
    learned, asked, scored = [], [], []
    for month in np.unique(months):
        (at,) = np.nonzero(months == month)
        first, last = at[0], at[-1] + 1 - LENGTH
        if of_year[first] in TESTED:
            for start in range(first, at[-1] + 1, LENGTH):
                own = slice(min(start, last), min(start, last) + LENGTH)
                asked.append(own)
                scored.append(np.arange(own.start, own.stop) >= start)
        elif of_year[first] != VALIDATED:
            learned += [slice(start, start + LENGTH) for start in range(first, last + 1)]
    number = min(windows or len(asked), len(asked))
    chosen = np.linspace(0, len(asked) - 1, number).round().astype(int)
    whole, known = (np.stack([v[asked[i]] for i in chosen]) for v in (truth, given))
    counted = np.stack([scored[i] for i in chosen])[..., None]
    return Problem(
        _observed(np.stack([truth[own] for own in learned])),
        _observed(known),
        np.where(np.isnan(whole), 0, whole) * spread + level,
        np.isfinite(whole) & np.isnan(known) & counted,
        level,
        spread,
    )


def physionet(ratio: float, stays: int | None = None, seed: int = 1) -> Problem:
    """Two days of 35 measurements by the hour, four fifths of which were never taken.

    Of each stay a share of what was measured is hidden. Measurements are standardised by all of
    the data, as the published numbers are, and scores are in these units. An eighth of the stays
    that are not for testing is set apart, so that as many are learned from as there.

    Args:
        ratio: share of observed entries hidden, in (0, 1).
        stays: complete only the first so many of the 799 for testing.
        seed: of the split into stays and of the hidden entries.

    Raises:
        FileNotFoundError: no such file in the folder that `JAXIMPUTE_DATA` names.
    """
    about = "it holds array values, hours by measurements, of PhysioNet's challenge of 2012, set A"
    with np.load(local(PHYSIONET, about), allow_pickle=False) as file:
        values = file["values"].astype(np.float64)
    values = values[np.isfinite(values).any(axis=(1, 2))]
    values = (values - np.nanmean(values, axis=(0, 1))) / np.nanstd(values, axis=(0, 1))
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(values))
    test, learned = np.split(order, [len(values) // 5])
    learned = learned[: int(0.7 * len(values))]
    truth = values[test]
    where = np.zeros(truth.shape, bool)
    for stay, hidden in zip(truth, where, strict=True):
        at = np.flatnonzero(np.isfinite(stay))
        hidden.flat[rng.choice(at, int(ratio * len(at)), replace=False)] = True
    truth, where = truth[:stays], where[:stays]
    channels = truth.shape[-1]
    return Problem(
        _observed(values[learned]),
        _observed(np.where(where, np.nan, truth)),
        np.where(np.isnan(truth), 0, truth),
        where,
        np.zeros(channels),
        np.ones(channels),
    )


SETS: dict[str, Callable[[int | None], Problem]] = {
    "pm25": pm25,
    "physionet:10": lambda stays: physionet(0.1, stays),
    "physionet:50": lambda stays: physionet(0.5, stays),
}


def _observed(z: np.ndarray) -> Observed:
    # not `observe`: of a few stays, a measurement may never have been taken
    return from_nan(jnp.asarray(z, jnp.float32))


def _hourly(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Hours, and values by hour and station, NaN where the cell is empty."""
    path = local(name, "it is of the ST-MVL release of Microsoft Research, as CSV")
    with gzip.open(path, "rt", newline="") as file:
        _, *lines = csv.reader(file)
    hours = [line[0].replace("/", "-").replace(" ", "T") for line in lines]
    values = [[float(cell) if cell else np.nan for cell in line[1:]] for line in lines]
    return np.array(hours, "datetime64[h]"), np.array(values)
