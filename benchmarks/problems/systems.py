"""The problems of `benchmarks.systems`: films of simulated equations and of real fields, and holes.

Each film has holes of its own, the same in all its frames and variables. Methods learn from films
with holes and complete others, the last of the set. Values are standardised by what is observed.
"""

import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.problems.series import local
from jaximpute import masking, missing
from jaximpute.physics import advection, bayes, initial, navier_stokes, shallow_water
from jaximpute.types import Observed

ERA5 = "era5_t2m_uk_2019_03.npz"
OSTIA = "ostia_monthly.nc"
CANDIDATES = 8  # parameters that a simulated film may have, so that the best answer is known
HOURS = 3  # of a film of ERA5, as in the paper
SECONDS = 2.0  # of a film of a flow, in its own units
DT = 0.005
_NOISE = 1e-3

Law = Callable[[np.ndarray], float]


class Films(NamedTuple):
    """A set of films.

    Attributes:
        x: `(films, frames, y, x, variables)`, NaN where nobody knows.
        asked: how many at the end are completed; None = all that are learned from.
        laws: scores of completed films, by name, beside errors.
        waves: for each candidate what each mode of the start makes of a film; None if not linear.
    """

    x: np.ndarray
    asked: int | None
    laws: dict[str, Law]
    waves: Any = None


class Problem(NamedTuple):
    """Films with holes.

    Attributes:
        learned: films to learn from, standardised.
        asked: films to complete, standardised.
        truth: of the films to complete, in their own units.
        where: entries that are scored: hidden, and known to somebody.
        level: means of the variables.
        spread: their standard deviations.
        laws: see `Films`.
        best: the best possible answer, in the films' units; None if nobody knows it.
    """

    learned: Observed
    asked: Observed
    truth: np.ndarray
    where: np.ndarray
    level: np.ndarray
    spread: np.ndarray
    laws: dict[str, Law]
    best: Callable[[], np.ndarray] | None


@lru_cache(maxsize=1)  # its array is large
def films(spec: str) -> Films:
    """Films by name, such as `shallow:576x8x16x16`, `era5` or `era5:64`.

    Args:
        spec: `shallow`, `advection`, `vortices` or `kolmogorov` with the numbers of films, frames,
            rows and columns; `era5`, maybe with a number of films; or `ostia`.

    Raises:
        ValueError: no such set, or not four numbers.
        FileNotFoundError: no such file in the folder that `JAXIMPUTE_DATA` names.
    """
    name, _, size = spec.partition(":")
    if name == "era5":
        return _era5(int(size) if size else None)
    if name == "ostia":
        return _ostia()
    made = {"shallow": _shallow, "advection": _advection}
    flows = {"vortices": navier_stokes.Flow(), "kolmogorov": navier_stokes.KOLMOGOROV}
    numbers = [int(part) for part in size.split("x")] if size else []
    if name not in made | flows or len(numbers) != 4:
        raise ValueError(
            f"'{spec}' is no set of films; expected {', '.join(made | flows)} with films, frames, "
            "rows and columns, such as shallow:576x8x16x16, or era5 or ostia"
        )
    key = jax.random.fold_in(jax.random.key(2026), zlib.crc32(name.encode()))
    if name in flows:
        return _flow(key, flows[name], *numbers)
    return made[name](key, *numbers)


def problem(spec: str, masks: str, seed: int) -> Problem:
    """Films with holes.

    Args:
        spec: see `films`.
        masks: `pixels:0.3` (share of places observed), or `blocks:5` (of 9).
        seed: of the holes.
    """
    made = films(spec)
    x = made.x
    hide = punch(masks)
    seen = np.asarray(hide(jax.random.key(seed), jnp.zeros(x.shape, jnp.float32)))
    known = np.isfinite(x)
    holed = np.where(seen & known, x, np.nan)
    last = slice(0 if made.asked is None else len(x) - made.asked, None)
    first = slice(None) if made.asked is None else slice(0, -made.asked)
    level, spread = (
        f(holed[first], axis=(0, 1, 2, 3), dtype=np.float64) for f in (np.nanmean, np.nanstd)
    )

    def observed(part: np.ndarray) -> Observed:
        return masking.from_nan(jnp.asarray((part - level) / spread, jnp.float32))

    def best() -> np.ndarray:
        known = masking.from_nan(jnp.asarray(holed[last], jnp.float32))
        found = bayes.posterior(made.waves, known.values, known.mask, noise=_NOISE)
        return np.asarray(found.mean)

    return Problem(
        observed(holed[first]),
        observed(holed[last]),
        np.where(known[last], x[last], 0),
        (known & ~seen)[last],
        level,
        spread,
        made.laws,
        None if made.waves is None else best,
    )


def punch(masks: str) -> missing.Missing:
    """Holes by name; see `problem`."""
    kind, _, much = masks.partition(":")
    if kind == "pixels":
        return missing.pixels(1 - float(much))
    if kind == "blocks":
        return missing.blocks(int(much))
    raise ValueError(f"'{masks}' are no holes; expected such as pixels:0.3 or blocks:5")


def spectrum_error(x: np.ndarray, truth: np.ndarray) -> float:
    r"""How far the energy in each shell of wavenumbers is from the truth's.

    .. math:: \sum_k |\hat E_k - E_k| / \sum_k E_k

    averaged over variables; 1 for films that are constant. The mean over places is left out.

    Args:
        x: `(films, frames, y, x, variables)`.
        truth: of the same shape.
    """
    crests = np.hypot(
        *np.meshgrid(*(np.fft.fftfreq(n, 1 / n) for n in x.shape[2:4]), indexing="ij")
    )
    shell = np.rint(crests).astype(int).ravel()

    def energies(film: np.ndarray) -> np.ndarray:
        power = np.abs(np.fft.fft2(film, axes=(2, 3))) ** 2
        each = power.mean((0, 1)).reshape(-1, film.shape[-1])
        return np.stack([np.bincount(shell, one)[1:] for one in each.T])

    found, expected = energies(x), energies(truth)
    return float((np.abs(found - expected).sum(1) / expected.sum(1)).mean())


def _asked(n: int) -> int:
    """A tenth of the films is completed, but not so many that slow methods never end."""
    return min(max(n // 10, 1), 64)


def _shallow(key: jax.Array, n: int, frames: int, y: int, x: int) -> Films:
    waters = jax.vmap(shallow_water.random_water)(_candidates(key))

    def run(surface, which):
        water = jax.tree.map(lambda a: a[which] if jnp.ndim(a) else a, waters)
        return shallow_water.c_grid(shallow_water.at_rest(surface), water, frames)

    made, which = _linear(key, run, n, (y, x))
    asked = _asked(n)

    def feasibility(completed: np.ndarray) -> float:
        own = jax.tree.map(lambda a: a[which[-asked:]] if jnp.ndim(a) else a, waters)
        axes = jax.tree.map(lambda a: 0 if jnp.ndim(a) else None, waters)
        score = jax.vmap(shallow_water.feasibility, (0, axes))
        return float(score(jnp.asarray(completed), own).mean())

    return Films(made, asked, {"feasibility": feasibility}, _waves(run, (y, x)))


def _advection(key: jax.Array, n: int, frames: int, y: int, x: int) -> Films:
    angle = 2 * np.pi * jnp.arange(CANDIDATES) / CANDIDATES
    speed = jax.random.uniform(jax.random.fold_in(key, 0), (CANDIDATES,), minval=0.5, maxval=2.5)
    winds = speed[:, None] * jnp.stack([jnp.sin(angle), jnp.cos(angle)], axis=-1)

    def run(first, which):
        return advection.advect(first, winds[which], frames)[..., None]

    made, which = _linear(key, run, n, (y, x))
    asked, truth = _asked(n), made

    def simulation(completed: np.ndarray) -> float:
        """The first frame as completed, carried along exactly, against the true film."""
        carried = jax.vmap(run)(jnp.asarray(completed[:, 0, ..., 0]), which[-asked:])
        return float(((carried - truth[-asked:]) ** 2).mean())

    return Films(made, asked, {"simulation": simulation}, _waves(run, (y, x)))


def _candidates(key: jax.Array) -> jax.Array:
    return jax.random.split(jax.random.fold_in(key, 0), CANDIDATES)


def _linear(
    key: jax.Array, run: Callable, n: int, shape: tuple[int, int]
) -> tuple[np.ndarray, jax.Array]:
    """Films from random starts under random candidates, and which these are."""
    amplitude = initial.band(shape, high=4)

    def film(key):
        k_which, k_start = jax.random.split(key)
        which = jax.random.randint(k_which, (), 0, CANDIDATES)
        return run(initial.field(k_start, amplitude), which), which

    made, which = jax.jit(lambda k: initial.many(film, k, n))(jax.random.fold_in(key, 1))
    return np.asarray(made), which


def _waves(run: Callable, shape: tuple[int, int]) -> jax.Array:
    modes = jnp.asarray(initial.modes(initial.band(shape, high=4)), jnp.float32)
    each = lambda which: jax.lax.map(lambda mode: run(mode, which), modes)  # noqa: E731
    return jax.jit(lambda: jax.lax.map(each, jnp.arange(CANDIDATES)))()


def _flow(key: jax.Array, flow: navier_stokes.Flow, n: int, frames: int, y: int, x: int) -> Films:
    substeps = max(round(SECONDS / DT / frames), 1)
    before = round(SECONDS / DT / substeps) if flow.force else 0  # until the force has shaped it

    def film(key):
        first = navier_stokes.random_vorticity(key, (y, x))
        seen = navier_stokes.simulate(first, flow, before + frames, dt=DT, substeps=substeps)
        return seen[before:, ..., None]

    made = jax.jit(lambda k: initial.many(film, k, n))(key)
    return Films(np.asarray(made), _asked(n), {})


def _era5(windows: int | None) -> Films:
    about = "it holds array t2m, hourly 2 m temperature of ERA5 over the UK, March 2019"
    with np.load(local(ERA5, about), allow_pickle=False) as file:
        hours = file["t2m"].astype(np.float32)
    x = hours[: len(hours) // HOURS * HOURS].reshape(-1, HOURS, *hours.shape[1:])[:windows]
    return Films(x[..., None], _asked(len(x)), {})


def _ostia() -> Films:
    import xarray

    about = "it is monthly OSTIA sea-surface temperature, in the sample data of Iris"
    with xarray.open_dataset(local(OSTIA, about), decode_times=False) as file:
        months = file["surface_temperature"].values.astype(np.float32)  # NaN on land
    return Films(months[:, None, :, :, None], None, {})
