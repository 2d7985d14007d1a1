"""One completion of a table in a process of its own: a job as JSON comes in, its row goes out."""

import json
import sys
import time
from typing import Any

import jax
import numpy as np

from benchmarks.harness import jobs
from benchmarks.harness.worker import peak_mb, trace
from benchmarks.peers import outside
from benchmarks.problems import mixed as mixed_problems
from benchmarks.problems import tables
from jaximpute import masking, registry
from jaximpute.engine import loop
from jaximpute.engine.draws import draw_many
from jaximpute.engine.threads import one_thread

# whose mean is the best possible estimate
DRAWS = 10


def measure(job: jobs.Job) -> dict[str, Any]:
    """What a job's method makes of its problem, and what that costs.

    Seconds are from the data to the estimate, compilation included. The draw of a method that draws
    is not counted.
    """
    if mixed_problems.is_mixed(job.data):
        return mixed(job)
    problem = tables.punch(job.data, job.ratio, job.seed, job.pattern)
    curves: dict[str, list[float]] = {}
    wall, cpu = time.perf_counter(), time.process_time()
    if job.method == "exact":
        draws = [tables.exact_draw(problem, 100 * job.seed + i) for i in range(DRAWS + 1)]
        estimate, draw = np.mean(draws[1:], axis=0), draws[0]
        cost = _since(wall, cpu)
    elif job.method in outside.PEERS:
        estimate, draw = outside.PEERS[job.method](problem.holed, job.seed)
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
            if plan.method.sample is not None:
                draw = np.asarray(draw_many(plan.method, key_draws, state, data, 1))[0]
    return {**tables.score(problem, estimate, draw), **cost, "curves": curves}


def mixed(job: jobs.Job) -> dict[str, Any]:
    """The same for a table with categories, by `tasks.filling.fill`; the draws count as well."""
    problem = mixed_problems.punch(job.data, job.ratio, job.seed, job.pattern)
    wall, cpu = time.perf_counter(), time.process_time()
    answer = mixed_problems.complete(problem, job.method, job.preset, job.options, job.seed)
    return {**mixed_problems.score(problem, answer), **_since(wall, cpu), "curves": {}}


def _since(wall: float, cpu: float) -> dict[str, float]:
    return {
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "peak_mb": peak_mb(),
    }


if __name__ == "__main__":
    json.dump(measure(jobs.Job(**json.load(sys.stdin))), sys.stdout)
