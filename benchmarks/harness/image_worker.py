"""One completion of images in a process of its own: a job as JSON comes in, its row goes out."""

import base64
import json
import sys
import time
from typing import Any

import jax
import numpy as np

from benchmarks.harness import image_scores, jobs
from benchmarks.harness.worker import peak_mb, trace
from benchmarks.problems import images
from jaximpute import masking, registry
from jaximpute.engine import loop
from jaximpute.engine.draws import draw_many
from jaximpute.engine.threads import one_thread

# whose mean is scored besides, of a method that draws
DRAWS = 5
SHOWN = 6  # images in the picture


def measure(job: jobs.Job) -> dict[str, Any]:
    """What a job's method makes of its images, and what that costs.

    Seconds are from the images to one completion, compilation included. The further draws of a
    method that draws are counted apart.
    """
    problem = images.punch(job.data, job.ratio, job.seed, job.pattern)
    curves: dict[str, list[float]] = {}
    wall, cpu = time.perf_counter(), time.process_time()
    mean, deviation = (f(problem.holed, axis=(0, 1, 2)) for f in (np.nanmean, np.nanstd))
    data = masking.observe(((problem.holed - mean) / deviation).astype(np.float32))
    plan = registry.build(job.method, data, kind="image", preset=job.preset, options=job.options)
    key_fit, key_complete, key_draws = jax.random.split(jax.random.key(job.seed), 3)
    hooks = [trace(curves), *plan.hooks]
    with one_thread():
        state = loop.fit(plan.method, key_fit, data, plan.steps, chunk=plan.chunk, hooks=hooks)
        estimate = loop.complete(plan.method, key_complete, state, data)
        estimate = completed = np.asarray(estimate) * deviation + mean
        if plan.method.sample is not None:
            drawn = draw_many(plan.method, key_draws, state, data, 1)[0]
            completed = np.asarray(drawn) * deviation + mean
        cost = {
            "seconds": time.perf_counter() - wall,
            "cpu_seconds": time.process_time() - cpu,
            "peak_mb": peak_mb(),
        }
        found = image_scores.score(problem, completed)
        if plan.method.sample is not None:
            of_mean = image_scores.score(problem, estimate)
            found |= {f"mean_{name}": of_mean[name] for name in ("psnr", "psnr_missing", "ssim")}
    return {**found, **cost, "curves": curves, **_shown(job, problem.hidden, completed)}


def _shown(job: jobs.Job, hidden: np.ndarray, completed: np.ndarray) -> dict[str, str]:
    """The hidden entries of the first images as bytes, from which the picture can be drawn."""
    if job.seed:
        return {}
    first = np.clip(completed[:SHOWN], 0, 1)[hidden[:SHOWN]]
    return {"shown": base64.b64encode(np.rint(255 * first).astype(np.uint8)).decode()}


if __name__ == "__main__":
    json.dump(measure(jobs.Job(**json.load(sys.stdin))), sys.stdout)
