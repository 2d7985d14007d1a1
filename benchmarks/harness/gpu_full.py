"""What full sizes come to in minutes: CSBI on PM2.5, context-query diffusion, MIRI on CIFAR.

Run by `benchmarks.gpu`. A first short run tells what a step takes; then as many are taken as the
seconds allow, and schedules are those of a run of that length. Scores stand beside those of simple
methods, which run on the CPU. Without measured data the problems are made: waves in place of PM2.5
and of CIFAR's images.
"""

import math
import sys
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import bridge
from benchmarks.harness import gpu_clock
from benchmarks.harness.gpu_clock import Clock, Row, Section
from benchmarks.problems import images as images_problems
from benchmarks.problems import monitors, systems, windows
from jaximpute import registry
from jaximpute.engine import draws, loop
from jaximpute.masking import from_nan
from jaximpute.methods.papers.csbi.algorithm import WARM
from jaximpute.types import Observed

KEPT = 0.75  # of what is left goes into learning; the rest is for compiling again, and for draws
TRACING = 0.4  # of a first step, whose program is compiled; a second takes it from a cache
PAPER = {"width": 64, "layers": 4, "heads": 8}
TINY = {"width": 8, "layers": 1, "heads": 1}
FILMS, FILMS_TOY = "shallow:512x4x64x64", "advection:12x2x8x8"
ROUNDS = 5
BATCH, MOST = 4, 25  # draws at a time, and how often at most


class Pace:
    """A hook that notes when steps end, and stops a run at a time."""

    def __init__(self, clock: Clock, reserve: float = 0.0):
        self.clock, self.reserve, self.times = clock, reserve, [time.monotonic()]

    def __call__(self, t: int, state: Any, info: Any) -> bool:
        del t, state, info
        self.times.append(time.monotonic())
        return self.clock.left() < self.reserve

    @property
    def first(self) -> float:
        """Seconds of the first step, compiling included."""
        return self.times[1] - self.times[0]

    @property
    def each(self) -> float:
        """Seconds of the last step."""
        return self.times[-1] - self.times[-2]

    def room(self) -> int:
        """How many steps there is time for, after tracing once more; 0 where there is none."""
        return max(0, int((KEPT * self.clock.left() - TRACING * self.first) / self.each))


def csbi(section: Section, clock: Clock) -> Iterator[Row]:
    """A row of CSBI after its warm-up, and rows of simple methods on the same windows."""
    table, made = series(section.toy)
    length = made.truth.shape[1]
    own = (TINY if section.toy else PAPER) | {"window": length, "split": "random", "steps": 0}
    own |= {"base": None, "warmup_batch": 4 if section.toy else 64, "warmup_lr": 1e-3}

    def fitted(warmup: int, pace: Pace) -> tuple[registry.Plan, Any]:
        plan = registry.build(
            "csbi0", made.learned, kind="series", options=own | {"warmup": warmup}
        )
        state = loop.fit(plan.method, jax.random.key(0), made.learned, 0, hooks=[pace])
        return plan, jax.block_until_ready(state)

    pace = Pace(clock)
    plan, state = fitted(4 if section.toy else 3 * WARM, pace)
    if not section.toy and (room := pace.room()) > 3:
        pace = Pace(clock, (1 - KEPT) * clock.left())
        plan, state = fitted(WARM * room, pace)
    learned = clock.left()

    def drawn(key: int, number: int) -> tuple[jax.Array, float]:
        begun = time.monotonic()
        found = draws.draw_many(
            plan.method, jax.random.key(key), state, made.asked, number, batch=BATCH
        )
        return jax.block_until_ready(found), time.monotonic() - begun

    many = BATCH
    if not section.toy:
        drawn(0, BATCH)  # compiles
        _, each = drawn(0, BATCH)
        many = BATCH * max(1, min(MOST, int(0.8 * clock.left() / each)))
    found, took = drawn(1, many)
    spread, level = (jnp.asarray(part, jnp.float32) for part in (made.spread, made.level))
    found = found * spread + level
    yield {
        "what": "learned",
        "table": table,
        "method": "csbi0 after its warm-up",
        "steps": (len(pace.times) - 1) * (4 if section.toy else WARM),
        "seconds_a_step": pace.each / (4 if section.toy else WARM),
        "draws": many,
        "draw_seconds": took,
        "seconds_left": learned,
        **scored(made, found),
    }
    cpu = jax.devices("cpu")[0]
    there = made._replace(
        learned=jax.device_put(made.learned, cpu), asked=jax.device_put(made.asked, cpu)
    )
    for method in ("linear",) if section.toy else ("linear", "gaussian"):
        clock.check()
        with jax.default_device(cpu):
            answer = windows.learn(there, method, {}, 0)
            scores = scored(made, windows.drawn(there, answer, 1, 0))
        yield {"what": "beside", "table": table, "method": method, **scores}


def series(toy: bool) -> tuple[str, windows.Problem]:
    """The air of Beijing where it is at hand, else waves."""
    if not toy:
        try:
            return "pm25", monitors.pm25()
        except FileNotFoundError:
            return "waves", bridge.problem("shared", SimpleNamespace(rows=8000, test=100))
    made = bridge.problem("shared", SimpleNamespace(rows=8, test=4))
    short = slice(None), slice(0, 12), slice(0, 2)
    learned, asked = (
        Observed(rows.values[short], rows.mask[short], rows.weight) for rows in made[:2]
    )
    whole = made.truth[short], made.where[short], made.level[:2], made.spread[:2]
    return "waves", windows.Problem(learned, asked, *whole)


def scored(made: windows.Problem, found: jax.Array) -> Row:
    scores = windows.score(made.truth, found, made.where)
    return {name: scores[name] for name in ("mae", "rmse", "crps")}


def fields(section: Section, clock: Clock) -> Iterator[Row]:
    """A row of context-query diffusion, and one of a membrane through what is seen."""
    spec = FILMS_TOY if section.toy else FILMS
    made = systems.problem(spec, "blocks:5", 0)
    own = {"net": "unet", "tile": None, "feed": "drawn", "contexts_drawn": 2 if section.toy else 10}
    own |= {"width": 8, "batch": 4} if section.toy else {"width": 64, "batch": 64}

    def fitted(total: int, pace: Pace) -> tuple[registry.Plan, Any]:
        options = own | {"sgd_total": total}
        plan = registry.build("context_query", made.learned, kind="field", options=options)
        state = loop.fit(plan.method, jax.random.key(0), made.learned, plan.steps, hooks=[pace])
        return plan, jax.block_until_ready(state)

    pace, short = Pace(clock), 2 if section.toy else 150
    plan, state = fitted(short, pace)
    together = math.ceil(short / (len(pace.times) - 1))  # in one compiled loop
    if not section.toy and (room := together * pace.room()) > short:
        pace = Pace(clock, (1 - KEPT) * clock.left())
        plan, state = fitted(room, pace)
    begun = time.monotonic()
    found = loop.complete(plan.method, jax.random.key(1), state, made.asked)
    row = errors(made, np.asarray(found))
    yield {
        "what": "learned",
        "table": spec,
        "method": "context_query",
        "steps": (len(pace.times) - 1) * together,
        "seconds_a_step": pace.each / together,
        "draw_seconds": time.monotonic() - begun,
        "seconds_left": clock.left(),
        **row,
    }
    clock.check()
    yield {"what": "beside", "table": spec, **simply("harmonic", "field", made.asked, made)}


def errors(made: Any, found: np.ndarray) -> Row:
    """Of hidden entries, in standard deviations of what is observed."""
    error = (found - (made.truth - made.level) / made.spread)[made.where]
    return {"mae": float(np.abs(error).mean()), "rmse": float(np.sqrt((error**2).mean()))}


def simply(method: str, kind: str, data: Observed, made: Any) -> Row:
    """A method without options, on the CPU."""
    cpu = jax.devices("cpu")[0]
    with jax.default_device(cpu):
        there = jax.device_put(data, cpu)
        plan = registry.build(method, there, kind=kind)
        state = loop.fit(plan.method, jax.random.key(0), there, plan.steps)
        found = np.asarray(loop.complete(plan.method, jax.random.key(1), state, there))
    return {"method": method, **errors(made, found)}


def images(section: Section, clock: Clock) -> Iterator[Row]:
    """A row of MIRI on images of which most pixels are hidden, and one of a simple method."""
    spec, problem = pictures(section.toy)
    data = from_nan(jnp.asarray(problem.holed, jnp.float32))
    made = SimpleNamespace(
        truth=problem.truth, where=problem.hidden, level=np.float32(0), spread=np.float32(1)
    )
    own = {"width": 64, "layers": 1, "ode_steps": 2} if section.toy else {}
    rounds = 1 if section.toy else ROUNDS
    plan = registry.build("miri", data, kind="image", options=own | {"steps": rounds})
    key, begun = jax.random.key(0), time.monotonic()
    state = jax.jit(plan.method.init)(key, data)
    program = jax.jit(plan.method.step).lower(key, state, data).compile()
    compiled = time.monotonic() - begun

    def taken(steps: int) -> tuple[Any, float]:
        begun = time.monotonic()
        after, _ = program(key, state._replace(sgd_steps=jnp.asarray(steps, jnp.int32)), data)
        return jax.block_until_ready(after), time.monotonic() - begun

    short = 2 if section.toy else 100
    taken(1)  # what a first call sets up
    (_, one), (_, more) = taken(1), taken(1 + short)
    each, number = max((more - one) / short, 1e-6), short
    if not section.toy:
        number = max(1, int((KEPT * clock.left() / rounds - one) / each))
    state = state._replace(sgd_steps=jnp.asarray(number, jnp.int32))
    done = 0
    for done in range(1, rounds + 1):
        state, _ = program(jax.random.fold_in(key, done), state, data)
        jax.block_until_ready(state)
        if clock.left() < one + number * each:
            break
    found = np.asarray(plan.method.sample(jax.random.key(2), state, data))
    yield {
        "what": "learned",
        "table": spec,
        "method": "miri",
        "rounds": done,
        "steps": done * number,
        "seconds_a_step": each,
        "round_seconds_beside_steps": one,
        "compile_seconds": compiled,
        "seconds_left": clock.left(),
        **errors(made, found),
    }
    clock.check()
    yield {"what": "beside", "table": spec, **simply("harmonic", "image", data, made)}


def pictures(toy: bool) -> tuple[str, Any]:
    """CIFAR where it is at hand, else waves."""
    for spec in ("waves:8x4",) if toy else ("cifar10", "waves:2048x32"):
        try:
            return spec, images_problems.punch(spec, 0.6, 0)
        except FileNotFoundError:
            continue
    raise FileNotFoundError("there are no images")


if __name__ == "__main__":
    sys.exit(
        gpu_clock.main({"series": (3.0, csbi), "fields": (2.0, fields), "images": (1.5, images)})
    )
