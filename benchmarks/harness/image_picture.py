"""The picture of completions on the page of images, from rows that keep pixels."""

import base64
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.harness import jobs
from benchmarks.problems import images

SHOWN = ("pixel", 0.4)  # the pattern and share of the picture


def draw(rows: Sequence[jobs.Row], path: Path) -> bool:
    """The picture: originals, holes, and a line of completions for each method.

    Args:
        rows: of the benchmark.
        path: where to write it.

    Returns:
        Whether it was drawn: not if the images or rows with pixels are not at hand.
    """
    kept = [
        row
        for row in rows
        if row.get("shown") and (row["pattern"], row["ratio"]) == SHOWN and not row["seed"]
    ]
    try:
        problem = images.punch(kept[0]["data"], SHOWN[1], 0, SHOWN[0])
    except (IndexError, FileNotFoundError):
        return False
    kept = [row for row in kept if row["data"] == kept[0]["data"]]
    values = {row["method"]: base64.b64decode(row["shown"]) for row in kept}
    strips = {"original": None, "holes": b""} | values
    many = _many(problem.hidden, next(iter(values.values())))
    from jaximpute.plots import new_figure

    figure = new_figure(0.9 * many + 1.2, 0.92 * len(strips))
    panels = figure.subplots(len(strips), many, squeeze=False)
    for (name, pixels), line in zip(strips.items(), panels, strict=True):
        shown = problem.truth[:many].copy()
        if pixels is not None:
            hidden = problem.hidden[:many]
            shown[hidden] = np.frombuffer(pixels, np.uint8) / 255 if pixels else 0
        for axes, image in zip(line, shown, strict=True):
            axes.imshow(image, vmin=0, vmax=1, interpolation="nearest")
            axes.set(xticks=[], yticks=[])
        line[0].set_ylabel(name, fontsize=7, rotation=0, ha="right", va="center")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100, metadata={"Software": None})
    return True


def _many(hidden: np.ndarray, pixels: bytes) -> int:
    """How many images have that many hidden entries."""
    counts = np.cumsum(hidden.reshape(len(hidden), -1).sum(axis=1))
    return int(np.flatnonzero(counts == len(pixels))[0]) + 1
