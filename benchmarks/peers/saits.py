"""SAITS on one series: `python saits.py holed.npy completed.npy '{"window": 24, ...}'`.

Needs numpy and PyPOTS only. Trained on overlapping windows of the holed series itself; where
windows overlap their answers are averaged. The last line printed is the cost, as JSON.
"""

import json
import os
import resource
import sys
import time

# one thread: CPU seconds are compared, and threads that wait for each other would count twice
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np  # noqa: E402


def complete(
    holed: np.ndarray, *, window: int, stride: int, lr: float, seed: int, **options
) -> np.ndarray:
    """The series `(time, channels)` with its NaN filled; observed entries as they are."""
    from pypots.imputation import SAITS
    from pypots.optim import Adam
    from pypots.utils.random import set_random_seed

    set_random_seed(seed)
    starts = np.arange(0, len(holed) - window + 1, stride)
    if starts[-1] != len(holed) - window:
        starts = np.append(starts, len(holed) - window)
    steps = starts[:, None] + np.arange(window)
    model = SAITS(
        n_steps=window,
        n_features=holed.shape[1],
        optimizer=Adam(lr=lr),
        device="cpu",
        verbose=False,
        **options,
    )
    model.fit({"X": holed[steps]})
    filled = model.predict({"X": holed[steps]})["imputation"]
    total, count = np.zeros(holed.shape), np.zeros((len(holed), 1))
    np.add.at(total, steps, filled)
    np.add.at(count, steps, 1)
    return np.where(np.isnan(holed), total / count, holed)


def main() -> None:
    given, made, settings = sys.argv[1:]
    holed, options = np.load(given), json.loads(settings)
    import pypots.imputation  # noqa: F401  (its import is not part of the cost)

    wall, cpu = time.perf_counter(), time.process_time()
    np.save(made, complete(holed, **options))
    unit = 1 if sys.platform == "darwin" else 1024
    cost = {
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6,
    }
    print(json.dumps(cost))


if __name__ == "__main__":
    main()
