"""One method on one set of films in a process of its own: a job as JSON comes in, its row goes out.

Jobs name their holes by `pattern`, such as `blocks:5`.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.harness import jobs
from benchmarks.harness.worker import peak_mb
from benchmarks.peers import inpainting
from benchmarks.problems import systems
from benchmarks.problems.systems import Problem
from jaximpute import registry
from jaximpute.engine import loop
from jaximpute.engine.draws import draw_many
from jaximpute.metrics import crps_from_draws
from jaximpute.types import Observed

# of other libraries, frame by frame
OUTSIDE = {
    "telea": lambda x: inpainting.opencv(x, "telea"),
    "navier_stokes": lambda x: inpainting.opencv(x, "navier_stokes"),
    "scikit_biharmonic": inpainting.scikit_biharmonic,
}
BEST = "best_possible"
DRAWS = 10
# what a covariance is learned from: more films say the same, at some cost
FEW = 256
CLASSICAL = ("optimal_interpolation", "kriging")


def measure(job: jobs.Job) -> dict[str, Any]:
    """What a job's method makes of its films, and what that costs.

    Seconds are from the films to their completion, compilation included. A method that draws is
    scored by the mean of several draws, and by its CRPS besides.
    """
    made = systems.problem(job.data, job.pattern, job.seed)
    wall, cpu = time.perf_counter(), time.process_time()
    draws, told = _draws(job, made)
    cost = {
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "peak_mb": peak_mb(),
    }
    return scores(made, draws) | cost | ({"told": told} if told else {})


def scores(made: Problem, draws: np.ndarray) -> dict[str, Any]:
    """How near completions come to the truth, in standard deviations of what is observed.

    Args:
        made: the problem.
        draws: `(draws, films, frames, y, x, variables)`, in the films' units; a single one is a
            point estimate, whose CRPS is its MAE.
    """
    truth, where = made.truth, made.where
    whole = np.where(made.asked.mask, truth, draws)  # observed entries as they are, to the last bit
    mean = whole.mean(axis=0)
    error = (mean - truth) / made.spread
    counted = where | np.asarray(made.asked.mask)
    scaled = [jnp.asarray(x / made.spread, jnp.float32) for x in (truth, whole)]
    found = {
        "targets": int(where.sum()),
        "mae": float(np.abs(error)[where].mean()),
        "mse": float((error**2)[where].mean()),
        "mse_all": float((error**2)[counted].mean()),
        "crps": float(crps_from_draws(*scaled, jnp.asarray(where), fair=len(draws) > 1)),
    }
    if counted.all():  # on land there is no spectrum
        found["spectrum"] = systems.spectrum_error(whole[0] / made.spread, truth / made.spread)
    return found | {name: law(whole[0]) for name, law in made.laws.items()}


def _draws(job: jobs.Job, made: Problem) -> tuple[np.ndarray, dict[str, Any]]:
    """Completions, and what a method tells of what it chose."""
    if job.method == BEST:
        if made.best is None:
            raise RuntimeError("nobody knows the best possible answer for these films")
        return made.best()[None], {}
    if job.method in OUTSIDE:
        return _outside(OUTSIDE[job.method], np.where(made.asked.mask, made.truth, np.nan)), {}
    learned = Observed(*(leaf[:FEW] for leaf in made.learned))
    learned = learned if job.method in CLASSICAL else made.learned
    options = dict(job.options)
    asked = options.pop("answer", "estimate")
    plan = registry.build(
        job.method, learned, kind="field", preset=job.preset, options=options, answer=asked
    )
    k_fit, k_complete = jax.random.split(jax.random.key(job.seed))
    state = loop.fit(plan.method, k_fit, learned, plan.steps, chunk=plan.chunk, hooks=plan.hooks)
    if asked == "draw":
        draws = draw_many(plan.method, k_complete, state, made.asked, DRAWS)
    else:
        draws = loop.complete(plan.method, k_complete, state, made.asked)[None]
    told = {} if plan.tells is None else plan.tells(state)
    return np.asarray(draws) * made.spread + made.level, told


def _outside(fill: Callable[[np.ndarray], np.ndarray], holed: np.ndarray) -> np.ndarray:
    channels = np.moveaxis(holed, -1, 0)
    frames = channels.reshape(len(channels), -1, *holed.shape[2:4])
    try:
        filled = np.stack([fill(one) for one in frames])
    except ImportError as error:
        raise RuntimeError(f"{error}; pip install 'jaximpute[peers]'") from error
    return np.moveaxis(filled.reshape(channels.shape), 0, -1)[None]


if __name__ == "__main__":
    json.dump(measure(jobs.Job(**json.load(sys.stdin))), sys.stdout)
