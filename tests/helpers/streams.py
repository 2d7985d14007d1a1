"""A table with holes, and how tests of streams complete its file."""

from pathlib import Path

import numpy as np

from jaximpute.streaming import impute_file

ROWS = 60


def rows(n: int = ROWS, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 3)) @ random.normal(size=(3, 3)) + [0, 50, -3]
    return np.where(random.random(x.shape) < 0.25, np.nan, x).astype(np.float32)


def run(path: Path, out: str = "out.npy", method: str = "mean", **keywords) -> np.ndarray:
    chosen = {"k": 3} if method == "knn" else {}  # any row's answer depends on its cells
    target = path.with_name(out)
    impute_file.impute_file(
        str(path), str(target), method, **{"block_rows": 16, **chosen, **keywords}
    )
    return np.load(target)


class Stop(Exception):
    """In the middle of a run."""


def stop_after(blocks: int):
    def watch(done: int, total: int) -> None:
        if done == blocks:
            raise Stop

    return watch
