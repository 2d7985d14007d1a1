"""One imputation in a process of its own: a job as JSON comes in on stdin, its row goes out.

So compilation, CPU time and peak memory are those of this job, and of nothing before it.
"""

import json
import resource
import sys
import time
from typing import Any

import jax
import numpy as np

from benchmarks.harness import jobs
from benchmarks.problems import series
from jaximpute import masking, registry
from jaximpute.engine import loop
from jaximpute.types import Hook, Info, Observed


def trace(curves: dict[str, list[float]]) -> Hook:
    """A hook that keeps the loss and every metric of every step (the paper's Figure 4)."""

    def keep(t: int, state: Any, info: Info) -> bool:
        for name, values in {"loss": info.loss, **info.metrics}.items():
            curves.setdefault(name, []).extend(float(value) for value in np.ravel(values))
        return False

    return keep


def measure(job: jobs.Job) -> dict[str, Any]:
    """What a job's method makes of its problem, and what that costs; see `complete`."""
    problem = series.punch(job.data, job.ratio, job.seed)
    completed, cost = complete(job, problem.holed)
    more = split(job, masking.observe(problem.holed[None])) if job.split else {}
    return {**series.score(problem, completed), **cost, **more}


def complete(job: jobs.Job, holed: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
    """A series completed by a job's method, and what that costs.

    Seconds are from the data to the completion, compilation included; the import of the libraries
    is not. Peak memory is of the whole process, the libraries included.
    """
    data = masking.observe(holed[None])
    curves: dict[str, list[float]] = {}
    wall, cpu = time.perf_counter(), time.process_time()
    plan = _build(job, data)
    key_fit, key_complete = jax.random.split(jax.random.key(job.seed))
    watching = [trace(curves), *plan.hooks]
    state = loop.fit(plan.method, key_fit, data, plan.steps, chunk=plan.chunk, hooks=watching)
    completed = np.asarray(loop.complete(plan.method, key_complete, state, data))[0]
    return completed, {
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "peak_mb": peak_mb(),
        "curves": curves,
    }


def split(job: jobs.Job, data: Observed) -> dict[str, float]:
    """CPU seconds of the two stages in one warm pass of SPIRIT (the paper's Figure 5).

    A pass is timed whole, with a single score step and with a single move: what the whole costs
    beyond the one is score learning, and beyond the other, the recursion.
    """
    whole = _build(job, data).method
    k_init, k_run = jax.random.split(jax.random.key(job.seed))
    state = jax.jit(whole.init)(k_init, data)

    def seconds(**changed: int) -> float:
        method = _build(job._replace(options={**job.options, **changed}), data).method
        for _ in range(2):  # the first compiles
            mine = jax.block_until_ready(jax.tree.map(jax.numpy.copy, state))
            started = time.process_time()
            jax.block_until_ready(loop.run(method, k_run, mine, data, 0, 1))
        return time.process_time() - started

    pass_seconds = seconds()
    return {
        "pass_cpu_seconds": pass_seconds,
        "score_cpu_seconds": pass_seconds - seconds(score_steps=1),
        "recursion_cpu_seconds": pass_seconds - seconds(moves=1),
    }


def _build(job: jobs.Job, data: Observed) -> registry.Plan:
    return registry.build(job.method, data, kind="series", preset=job.preset, options=job.options)


def peak_mb() -> float:
    """Peak memory of this process."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


if __name__ == "__main__":
    json.dump(measure(jobs.Job(**json.load(sys.stdin))), sys.stdout)
