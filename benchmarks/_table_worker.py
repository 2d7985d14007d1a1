"""One completion of a table in a process of its own: a job as JSON comes in, its row goes out."""

import json
import sys
import time
from typing import Any

import jax
import numpy as np

from benchmarks import _jobs, _mixed, _outside, _tables
from benchmarks._worker import peak_mb, trace
from jaximpute import loop, masking, registry
from jaximpute._threads import one_thread
from jaximpute.draws import draw_many

# whose mean is the estimate of a method that draws
DRAWS = 10


def measure(job: _jobs.Job) -> dict[str, Any]:
    """What a job's method makes of its problem, and what that costs.

    Seconds are from the data to one completion, compilation included. The further draws of a method
    that draws are counted apart.
    """
    if _mixed.is_mixed(job.data):
        return mixed(job)
    problem = _tables.punch(job.data, job.ratio, job.seed, job.pattern)
    curves: dict[str, list[float]] = {}
    wall, cpu = time.perf_counter(), time.process_time()
    if job.method == "exact":
        draws = [_tables.exact_draw(problem, 100 * job.seed + i) for i in range(DRAWS + 1)]
        estimate, draw = np.mean(draws[1:], axis=0), draws[0]
        cost = _since(wall, cpu)
    elif job.method in _outside.PEERS:
        estimate, draw = _outside.PEERS[job.method](problem.holed, job.seed)
        cost = _since(wall, cpu)
    else:
        data = masking.observe(problem.holed)
        plan = registry.build(
            job.method, data, kind="table", preset=job.preset, options=job.options
        )
        key_fit, key_complete, key_draws = jax.random.split(jax.random.key(job.seed), 3)
        hooks = [trace(curves), *plan.hooks]
        with one_thread():
            state = loop.fit(plan.method, key_fit, data, plan.steps, chunk=plan.chunk, hooks=hooks)
            draw = estimate = np.asarray(loop.complete(plan.method, key_complete, state, data))
            cost = _since(wall, cpu)
            if plan.method.tag == "draws" and plan.method.sample is not None:
                many = draw_many(plan.method, key_draws, state, data, DRAWS)
                estimate = np.asarray(many).mean(axis=0)
    return {**_tables.score(problem, estimate, draw), **cost, "curves": curves}


def mixed(job: _jobs.Job) -> dict[str, Any]:
    """The same for a table with categories, by `api.fill`; the draws count as well."""
    problem = _mixed.punch(job.data, job.ratio, job.seed, job.pattern)
    wall, cpu = time.perf_counter(), time.process_time()
    answer = _mixed.complete(problem, job.method, job.preset, job.options, job.seed)
    return {**_mixed.score(problem, answer), **_since(wall, cpu), "curves": {}}


def _since(wall: float, cpu: float) -> dict[str, float]:
    return {
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "peak_mb": peak_mb(),
    }


if __name__ == "__main__":
    json.dump(measure(_jobs.Job(**json.load(sys.stdin))), sys.stdout)
