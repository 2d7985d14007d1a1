"""Tables with categories beside numbers: by name, holes by seed, and how they are scored."""

import zlib
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from benchmarks.peers import outside
from benchmarks.problems.series import local
from benchmarks.problems.tables import PATTERNS
from jaximpute import registry
from jaximpute.data import codec as coding
from jaximpute.data import frames
from jaximpute.data.frames import Frame
from jaximpute.data.layout import lay_out
from jaximpute.tasks import filling

NAMES = ("penguins", "mixed:1000")
# of a method that draws: the range of so many covers nine tenths, if the truth is one more
DRAWS = 19


class Problem(NamedTuple):
    """A table with holes.

    Attributes:
        truth: the table.
        holed: the same, with further cells missing.
        hidden: `(rows, columns)`, True where a cell was hidden.
    """

    truth: Frame
    holed: Frame
    hidden: np.ndarray


class Answer(NamedTuple):
    """Completed cells, coded like `Frame.values`, and draws of them, if any."""

    values: np.ndarray
    draws: np.ndarray


def is_mixed(spec: str) -> bool:
    """Whether a name is of a table with categories."""
    return spec.partition(":")[0] in ("penguins", "mixed")


@lru_cache(maxsize=4)
def table(spec: str) -> Frame:
    """A table by name: `penguins`, or `mixed:1000` with so many rows.

    `penguins` are 344 birds of Palmer Station: species, island and sex, four measures, the year.
    `mixed` has six numbers and four categories made from three hidden numbers; a category of five
    levels and a boolean depend on products of them, and a number means another thing in each level.

    Raises:
        FileNotFoundError: no such file in the folder that `JAXIMPUTE_DATA` names.
    """
    name, _, size = spec.partition(":")
    if name == "mixed":
        return frames.read(_made(int(size)))
    about = "it is the table of https://allisonhorst.github.io/palmerpenguins, as CSV"
    return frames.read(pd.read_csv(local("penguins.csv", about)))


def punch(spec: str, ratio: float, seed: int, pattern: str = "mcar") -> Problem:
    """The problem for a table, a share of hidden cells, a seed and a pattern; always the same."""
    truth = table(spec)
    number = zlib.crc32(f"{spec} {ratio} {pattern}".encode())
    key = jax.random.fold_in(jax.random.key(seed), number)
    x = (truth.values - np.nanmean(truth.values, axis=0)) / np.nanstd(truth.values, axis=0)
    shown = PATTERNS[pattern](ratio)(key, jnp.asarray(np.nan_to_num(x), jnp.float32))
    hidden = ~np.asarray(shown) & truth.mask
    holed = truth._replace(values=np.where(hidden, np.nan, truth.values))
    return Problem(truth, holed, hidden)


def complete(problem: Problem, method: str, preset: str, options: dict, seed: int) -> Answer:
    """What a method makes of a problem; a peer sees plain columns of numbers and indicators."""
    if method in outside.PEERS:
        laid = lay_out(problem.holed)
        made = outside.PEERS[method](laid.matrix.astype(float), seed)[0]
        values = coding.decode(laid.codec, made, problem.holed.values)
        return Answer(values, np.empty((0, *values.shape)))
    draws = DRAWS if registry.entry(method).draws else 0
    filled = filling.fill(
        problem.holed, method, seed=seed, preset=preset, options=options, draws=draws
    )
    return Answer(filled.values, filled.draws)


def score(problem: Problem, answer: Answer) -> dict[str, float | None]:
    """How right numbers and levels are, how alike in distribution, and how sure the draws.

    Returns:
        `mae`, `mse` and `rmse` over hidden numbers, in standard deviations of the column;
        `accuracy`, the share of hidden levels that are right; `total_variation` between hidden
        levels and one completion, a draw if there are any, mean over columns; `coverage`, the share
        of hidden numbers within the range of the draws, None without.
    """
    truth, hidden = problem.truth, problem.hidden
    levelled = np.array([bool(column.levels) for column in truth.columns])
    scale = np.nanstd(problem.holed.values, axis=0)
    numbers = hidden & ~levelled[None]
    error = ((answer.values - truth.values) / scale)[numbers]
    one = answer.draws[0] if len(answer.draws) else answer.values
    apart, coverage = [], None
    for i in np.flatnonzero(levelled & hidden.any(axis=0)):
        codes = np.arange(len(truth.columns[i].levels))[:, None]
        shares = [(x[hidden[:, i], i] == codes).mean(axis=1) for x in (truth.values, one)]
        apart.append(np.abs(shares[0] - shares[1]).sum() / 2)
    if len(answer.draws):
        low, high = answer.draws.min(axis=0), answer.draws.max(axis=0)
        coverage = float(((low <= truth.values) & (truth.values <= high))[numbers].mean())
    levels = hidden & levelled[None]
    return {
        "mae": float(np.abs(error).mean()),
        "mse": float((error**2).mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        "accuracy": float((answer.values == truth.values)[levels].mean()),
        "total_variation": float(np.mean(apart)),
        "coverage": coverage,
    }


def _made(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, rows))

    def noise(size: float) -> np.ndarray:
        return size * rng.normal(size=rows)

    kind = np.argmax([a + noise(0.5), b + noise(0.5), c - 0.3 + noise(0.5)], axis=0)
    region = np.digitize(a * b + noise(0.4), [-1.0, -0.2, 0.3, 1.0])
    return pd.DataFrame(
        {
            "income": np.exp(0.6 * a + noise(0.3)),
            "age": 40 + 10 * b + noise(4),
            "score": np.choose(kind, [a, -b, c * a]) + noise(0.3),
            "wave": np.sin(2 * c) + noise(0.2),
            "rate": 1 / (1 + np.exp(-a - b + noise(0.4))),
            "visits": rng.poisson(np.exp(0.5 + 0.5 * c)),
            "kind": np.array(["red", "green", "blue"])[kind],
            "region": np.array(["north", "east", "south", "west", "isles"])[region],
            "member": a * c + noise(0.4) > 0,
            "rare": np.where(b + noise(0.5) > 1.9, "yes", "no"),
        }
    )
