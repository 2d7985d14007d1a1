"""Is an accelerator right? What its programs answer, beside the same programs on the CPU.

Run by `benchmarks.gpu`. `covariances`: products and solves in float32, against float64 in NumPy.
Then a method of each kind of data after another, as one program of its `init`, one step and a
completion, on the CPU and on the accelerator: how far the answers are apart, relative to the spread
of the data, with the device's own products in networks and with exact ones; whether observed cells
come back bit for bit, whether the same key gives the same bits twice, and whether the program calls
the host.
"""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.harness import gpu_clock
from benchmarks.harness.gpu_clock import Clock, Row, Section
from jaximpute import metrics, registry
from jaximpute.masking import observe
from jaximpute.maths import gaussians
from jaximpute.methods.simple import _kriging, _ridge
from jaximpute.types import Observed

EXACT = 1e-4  # of covariances, relative to the largest number
POINT = 1e-2  # of a method without a network, in standard deviations of the data
NETWORK = 2e-2  # of one with exact products, and
FAST = 2e-1  # with the device's own, which keep three digits


class Case(NamedTuple):
    """A method made small, and whether its products are a network's."""

    method: str
    kind: str
    network: bool
    options: dict[str, Any]


_CONTEXTS = {"width": 16, "sgd_total": 2, "batch": 8, "contexts_drawn": 2, "feed": "drawn"}
_SMALL = {"width": 8, "layers": 1, "sgd_steps": 2, "batch": 8, "steps": 1}
CASES = (
    Case("mice", "table", False, {"steps": 2}),
    Case("gaussian", "series", False, {}),
    Case("optimal_interpolation", "field", False, {"neighbours": 8, "reach": 4}),
    Case("miri", "image", True, _SMALL | {"ode_steps": 2}),
    Case(
        "csdi", "series", True, _SMALL | {"base": None, "heads": 2, "window": 12, "draw_steps": 3}
    ),
    Case("context_query", "field", True, _CONTEXTS | {"net": "mlp"}),
    Case("spirit", "table", True, {"width": 16, "score_steps": 4, "moves": 2, "batch": 16}),
)
TOY = ("mice", "context_query")  # of the cases: one without a network, one with
SHAPES = {"table": (256, 6), "series": (2, 96, 3), "image": (8, 8, 8, 3), "field": (8, 2, 8, 8, 1)}


def data_of(kind: str) -> Observed:
    """Smooth and correlated, a quarter of it missing."""
    random = np.random.default_rng(0)
    x = random.normal(size=SHAPES[kind])
    for axis in range(kind != "table", x.ndim):
        x = x + 0.7 * np.roll(x, 1, axis)
    x = (x - x.mean()) / x.std()
    return observe(np.where(random.random(x.shape) < 0.25, np.nan, x).astype(np.float32))


PRECISIONS = ("highest", None)  # of products of networks; None is the device's own


class Answer(NamedTuple):
    """A compiled program.

    Attributes:
        run: gives what it completes.
        text: of the program as it was lowered.
        seconds: to trace and to compile it, beside others.
    """

    run: Callable[[], np.ndarray]
    text: str
    seconds: float


def answer(case: Case, device: Any, precision: str | None) -> Answer:
    """Compile `init`, a step and a completion as one program, for a device."""
    data, key = data_of(case.kind), jax.random.key(0)
    method = registry.build(case.method, data, kind=case.kind, options=case.options).method

    def whole(key, data):
        k_init, k_step, k_sample = jax.random.split(key, 3)
        state, _ = method.step(k_step, method.init(k_init, data), data)
        if method.fill is not None:
            return method.fill(state, data)
        return method.estimate(k_sample, state, data)

    begun, there = time.perf_counter(), jax.device_put((key, data), device)
    exact = jax.default_matmul_precision(precision) if precision else contextlib.nullcontext()
    with exact:
        lowered = jax.jit(whole).lower(*there)
    program = lowered.compile()
    seconds = time.perf_counter() - begun
    return Answer(lambda: np.asarray(program(*there)), lowered.as_text(), seconds)


def methods(section: Section, clock: Clock) -> Iterator[Row]:
    """A row for each method and precision of products; programs are compiled side by side."""
    cpu, here = jax.devices("cpu")[0], jax.devices()[0]
    cases = [case for case in CASES if not section.toy or case.method in TOY]
    with ThreadPoolExecutor(1 if section.toy else 12) as pool:
        asked = [
            (
                case,
                pool.submit(answer, case, cpu, None),
                [
                    (precision, pool.submit(answer, case, here, precision))
                    for precision in (PRECISIONS if case.network else (None,))
                ],
            )
            for case in cases
        ]
        try:
            for case, expected, found in asked:
                for precision, one in found:
                    yield compared(case, clock.wait(expected), clock.wait(one), precision)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def compared(case: Case, expected: Answer, found: Answer, precision: str | None) -> Row:
    """How far an answer is from the CPU's, and what must hold exactly."""
    data = data_of(case.kind)
    seen, values = np.asarray(data.mask), np.asarray(data.values)
    one, again = found.run(), found.run()
    apart = float(np.abs(one - expected.run())[~seen].max())
    most = POINT if not case.network else NETWORK if precision else FAST
    exactly = {
        "observed_identical": one[seen].tobytes() == values[seen].tobytes(),
        "repeatable": one.tobytes() == again.tobytes(),
        "no_callback": "callback" not in found.text,
    }
    return {
        "what": "method",
        "method": case.method,
        "kind": case.kind,
        "products": precision or "the device's own",
        "apart": apart,
        "tolerance": most,
        **exactly,
        "right": apart <= most and all(exactly.values()),
        "compile_seconds": found.seconds,
    }


def covariances(section: Section, clock: Clock) -> Iterator[Row]:
    """Rows of products and solves that a factorisation feeds on, or that feed one."""
    del clock
    d, n = (16, 64) if section.toy else (96, 512)
    random = np.random.default_rng(0)
    x = random.normal(size=(n, d)) @ random.normal(size=(d, d)) + 3.0
    mask = random.random(x.shape) < 0.7
    # what float64 is given is what float32 can hold
    x = x.astype(np.float32)
    mean, cov = x.mean(0), (np.cov(x.T) + np.eye(d)).astype(np.float32)
    for name, found, expected in (
        ("gram", jax.jit(lambda x: _ridge.exact(x.T, x))(x), np64(x).T @ np64(x)),
        (
            "conditional mean",
            jax.jit(gaussians.conditional_mean)(x, mask, mean, cov),
            conditional(np64(x), mask, np64(mean), np64(cov)),
        ),
        ("squared distances", jax.jit(metrics.squared_distances)(x, x), distances(np64(x))),
        ("kriging", *kriged()),
        ("a product as the device likes it", jax.jit(lambda x: x.T @ x)(x), np64(x).T @ np64(x)),
    ):
        apart = float(np.abs(np64(found) - expected).max() / np.abs(expected).max())
        asked = not name.startswith("a product")
        row = {"what": "covariance", "product": name, "apart": apart, "size": [n, d]}
        yield row | ({"tolerance": EXACT, "right": apart <= EXACT} if asked else {})


def np64(x: Any) -> np.ndarray:
    return np.asarray(x, np.float64)


def conditional(x, mask, mean, cov) -> np.ndarray:
    """Row by row, by NumPy."""
    out = []
    for row, seen in zip(x, mask, strict=True):
        solved = np.linalg.solve(cov[np.ix_(seen, seen)], (row - mean)[seen])
        out.append(mean + cov[:, seen] @ solved)
    return np.array(out)


def distances(x) -> np.ndarray:
    return ((x[:, None] - x[None]) ** 2).sum(-1)


def kriged() -> tuple[jax.Array, np.ndarray]:
    """Simple kriging of a stretch of one channel in the middle of a series with a gap."""
    time_, lags, ridge = 600, 64, np.array([0.05], np.float32)
    autocov = np.exp(-np.arange(lags) / 9.0).astype(np.float32)[:, None, None]
    mask = np.ones((1, time_, 1), bool)
    mask[:, 40:56] = False
    x = np.where(mask, np.sin(np.arange(time_) / 5)[None, :, None], 0).astype(np.float32)
    block, _ = _kriging.sizes(1, time_)

    @jax.jit
    def ours(x, mask):
        zero = jnp.zeros((), jnp.int32)
        which = _kriging.entries(_kriging.known(mask), zero, zero + 42, zero)
        near = x[0][jnp.minimum(which.step, time_ - 1), which.channel]
        return _kriging.krige(near, which, autocov, ridge, block)[0, :, 0]

    step, wanted = np.flatnonzero(mask[0, :, 0]), 42 + np.arange(block)

    def covariance(a, b):
        lag = np.abs(a[:, None] - b[None])
        return np.where(lag < lags, np64(autocov)[np.minimum(lag, lags - 1), 0, 0], 0)

    matrix = covariance(step, step) + np64(ridge) * np.eye(len(step))
    return ours(x, mask), covariance(wanted, step) @ np.linalg.solve(matrix, np64(x)[0, step, 0])


if __name__ == "__main__":
    sys.exit(gpu_clock.main({"covariances": (1.0, covariances), "methods": (9.0, methods)}))
