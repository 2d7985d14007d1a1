"""The problems of `benchmarks.tables`: tables by name, holes by seed, and how they are scored."""

import zlib
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.problems.series import Problem, local
from jaximpute import metrics, missing

UCI = ("wine", "energy", "parkinsons", "stock", "housing", "forest", "bike")
PATTERNS = {
    "mcar": missing.mcar,
    "mar": missing.mar,
    "mnar": missing.mnar_self,
}
# rows of a sample in the distances between distributions, whose cost is quadratic
_MOST_ROWS = 2000
_PAIRS = 10  # of random samples in `mmd_apart`


@lru_cache(maxsize=4)
def table(spec: str) -> np.ndarray:
    """`(rows, columns)` values by a name: a set of `UCI`, `toy`, or `synthetic:1000x20`.

    `toy` is the mixture of the MIRI paper's Table 3: two clusters of 3000 points around (-2, -2)
    and (2, 2), with deviation 0.5; `toy:600` has so many points in all. `synthetic` tables are
    noisy waves over two hidden numbers. `wine:500` takes the first 500 rows.

    Raises:
        FileNotFoundError: no such file in the folder that `JAXIMPUTE_DATA` names.
    """
    name, _, size = spec.partition(":")
    if name == "toy":
        return _mixture(int(size or 6000))
    if name == "synthetic":
        rows, columns = map(int, size.split("x"))
        return _waves(rows, columns)
    about = f"it holds array X of the set '{name}' of https://github.com/treforevans/uci_datasets"
    with np.load(local(f"uci_{name}.npz", about), allow_pickle=False) as file:
        values = file["X"]
    values = values[:, values.std(axis=0) > 0]
    return values[: int(size) if size else None]


def punch(spec: str, ratio: float, seed: int, pattern: str = "mcar") -> Problem:
    """The problem for a table, a share of hidden entries, a seed and a pattern; always the same.

    Columns are standardised by their observed entries, except the toy's, whose units are the
    paper's.
    """
    values = table(spec)
    number = zlib.crc32(f"{spec} {ratio} {pattern}".encode())
    key = jax.random.fold_in(jax.random.key(seed), number)
    spread = (values - values.mean(axis=0)) / values.std(axis=0)
    hidden = ~np.asarray(PATTERNS[pattern](ratio)(key, jnp.asarray(spread, jnp.float32)))
    holed = np.where(hidden, np.nan, values)
    mean, deviation = np.nanmean(holed, axis=0), np.nanstd(holed, axis=0)
    if spec.startswith("toy"):
        mean, deviation = 0.0, 1.0
    return Problem((values - mean) / deviation, (holed - mean) / deviation, hidden)


def score(problem: Problem, estimate: np.ndarray, draw: np.ndarray) -> dict[str, float]:
    """Errors of an estimate, and distances between a completion and the truth.

    Args:
        problem: see `punch`.
        estimate: what a method reports for each entry: for one that draws, the mean of its draws.
        draw: one completion, random if the method draws.

    Returns:
        `mae`, `mse` and `rmse` of the estimate over hidden entries; `draw_mae` and `draw_rmse` of
        the completion; and of whole rows, completed against true ones: `mmd`, the root of the
        biased squared discrepancy with a Gaussian kernel of bandwidth 1 between the same (at most
        2000) rows of both; `mmd_apart`, the same between random samples of 1000
        rows of each (mean over ten pairs);
        `energy_distance`; and `sliced_wasserstein`. `rmse_all` and `mae_all` count every entry of
        the completion, observed ones as right.
    """
    truth, hidden = problem.truth, problem.hidden
    errors, drawn = (estimate - truth)[hidden], (draw - truth)[hidden]
    rate = hidden.mean()
    step = -(-len(truth) // _MOST_ROWS)
    x, y = (jnp.asarray(a[::step], jnp.float32) for a in (draw, truth))
    rng = np.random.default_rng(0)
    few = min(1000, len(truth))
    apart = [
        [jnp.asarray(a[rng.choice(len(a), few, replace=False)], jnp.float32) for a in (draw, truth)]
        for _ in range(_PAIRS)
    ]
    return {
        "mae": float(np.abs(errors).mean()),
        "mse": float((errors**2).mean()),
        "rmse": float(np.sqrt((errors**2).mean())),
        "draw_mae": float(np.abs(drawn).mean()),
        "draw_rmse": float(np.sqrt((drawn**2).mean())),
        "rmse_all": float(np.sqrt(rate * (drawn**2).mean())),
        "mae_all": float(rate * np.abs(drawn).mean()),
        "mmd": _root(metrics.mmd(x, y, bandwidth=1.0)),
        "mmd_apart": float(np.mean([_root(metrics.mmd(*pair, bandwidth=1.0)) for pair in apart])),
        "energy_distance": float(metrics.energy_distance(x, y)),
        "sliced_wasserstein": float(metrics.sliced_wasserstein(jax.random.key(0), x, y)),
    }


def exact_draw(problem: Problem, seed: int) -> np.ndarray:
    """The toy's missing entries drawn from what they are, given the observed ones."""
    rng = np.random.default_rng([seed, 1])
    known, x = ~problem.hidden, problem.holed
    centres, deviation = np.array([[-2.0], [2.0]]), 0.5
    # (cluster, row): the clusters are equally likely before a row is seen
    fit = -0.5 * np.where(known, (x[None] - centres[..., None]) ** 2, 0).sum(-1) / deviation**2
    second = rng.random(len(x)) < 1 / (1 + np.exp(fit[0] - fit[1]))
    drawn = np.where(second, 2.0, -2.0)[:, None] + deviation * rng.normal(size=x.shape)
    return np.where(known, x, drawn)


def _root(squared: jax.Array) -> float:
    return float(np.sqrt(max(float(squared), 0.0)))


def _mixture(points: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    centre = np.repeat([-2.0, 2.0], [points // 2, points - points // 2])
    return rng.permutation(centre[:, None] + 0.5 * rng.normal(size=(points, 2)))


def _waves(rows: int, columns: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(rows, 2))
    angles, phases = rng.normal(size=(2, columns)), rng.uniform(0, 6, columns)
    return np.sin(hidden @ angles + phases) + 0.1 * rng.normal(size=(rows, columns))
