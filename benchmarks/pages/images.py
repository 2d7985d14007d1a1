"""The page on images: every method on each problem, what wins, and a picture of completions."""

import base64
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.harness import jobs
from benchmarks.pages import spirit, summary
from benchmarks.peers import quoted
from benchmarks.problems import images

INTRODUCTION = """# Results on images

Generated from the rows in `benchmarks/results/` by `python -m benchmarks.document`; do not edit.
`python -m benchmarks.images --quick` measures what is shown here in some minutes of a CPU;
`python -m benchmarks.images --methods miri:best missdiff:best biharmonic neighbour_ridge` is the
full size, 5000 images at 32 x 32 and three masks, and wants a GPU.

`cifar10` is CIFAR-10's training images **as re-encoded in JPEG** by where they were obtained, about
30 dB from the originals: good for comparing methods on the same images, not for comparing with
published numbers. `cifar10:200x16` is the first 200 of them, blocks of 2 x 2 pixels averaged. Holes
are made by a fixed seed for each set, share and pattern, so that all methods fill the same ones.
Pixels are in [0, 1] and completions are clipped to that.

- *PSNR*: mean over images of 10 log10(1 / MSE), over all pixels of the image, those observed (and
  so without error) included; *missing*: over its missing entries alone, which is lower by
  10 log10 of the share missing (7.0, 4.0 and 2.2 dB at 20, 40 and 60 %). Higher is better.
- *SSIM*: structural similarity, Gaussian windows of 11 x 11 pixels with deviation 1.5, cut off at
  the edges, each channel alone; mean over all pixels, and over the missing ones. Higher is better.
- *patch SW*: sliced Wasserstein distance between 7 x 7 patches of completions and of truths, mean
  over the scales of a Laplacian pyramid, times 100. Lower is better.
- *random Fréchet*: Fréchet distance between Gaussians fitted to features of a fixed **random**
  convolutional network; 1 is one standard deviation in each feature. It is not the FID,
  and no number of the one can be set beside one of the other. Lower is better.
- *CPU-s*: of one completion, compilation included.

The first numbers of a method that draws at random (`miri`, `missdiff`) are of *one draw*, which has
about 3 dB less than the conditional mean; its line *mean of 5 draws* has its PSNR and SSIM as an
estimate. **Bold** is the best of a column.
"""
SCORES = ("psnr", "psnr_missing", "ssim", "ssim_missing", "patch_sw", "random_frechet")
HEADS = ("PSNR", "missing", "SSIM", "missing", "patch SW", "random Fréchet")
HIGHER = SCORES[:4]
PATTERNS = {"pixel": "whole pixels missing", "channel": "channels missing on their own"}
DRAWING = ("miri", "missdiff")
AVERAGE = ", mean of 5 draws"


def page(rows: Sequence[jobs.Row], picture: str | None = None) -> str:
    """The whole page, from rows of `benchmarks.images`.

    Args:
        rows: of the benchmark.
        picture: where the picture is, seen from the page; None if there is none.
    """
    found = with_means(summary.frame(rows))
    order = [list(PATTERNS).index(pattern) for pattern in found["pattern"]]
    found = found.assign(order=order).sort_values(["data", "order", "ratio"], kind="stable")
    parts = [INTRODUCTION, in_short(found)]
    if picture:
        parts.append(
            f"![Images, their holes, and completions by each method]({picture})\n\n"
            f"The first images, {SHOWN[1]:.0%} of the pixels missing (black). Draws are random: "
            "they are meant to look like data, not to be closest.\n"
        )
    shortened = {
        f"`{label}` with {', '.join(f'{name}={value}' for name, value in options.items())}"
        for label, options in zip(found["label"], found["options"], strict=True)
        if options and not label.endswith(AVERAGE)
    }
    if shortened:
        parts.append(f"Networks are kept small: {'; '.join(sorted(shortened))}.\n")
    for (data, pattern, ratio), own in found.groupby(["data", "pattern", "ratio"], sort=False):
        parts.append(f"## {data}, {ratio:.0%}, {PATTERNS[pattern]}\n")
        parts.append(_table(own))
        if pattern == "pixel" and ratio in quoted.MIRI_TABLE_1:
            parts += [
                "Quoted from Table 1 of Yu et al. (2025), not run here: the original images at "
                "32 x 32, networks trained for hours on a GPU.\n",
                spirit.table(
                    ["method (quoted)", "PSNR", "SSIM"],
                    [[name, *cells] for name, cells in quoted.MIRI_TABLE_1[ratio].items()],
                ),
            ]
    return "\n".join(parts)


def with_means(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows, and for methods that draw another one of the mean of several draws."""
    if "mean_psnr" not in rows:
        return rows
    extra = rows[rows["mean_psnr"].notna()].copy()
    extra[["patch_sw", "random_frechet", "cpu_seconds", "ssim_missing"]] = np.nan
    for name in ("psnr", "psnr_missing", "ssim"):
        extra[name] = extra[f"mean_{name}"]
    extra["label"] += AVERAGE
    return pd.concat([rows, extra], ignore_index=True)


def in_short(rows: pd.DataFrame) -> str:
    """Who wins by each score in how many problems, and how MIRI stands beside simple methods."""
    means = rows.groupby(["data", "pattern", "ratio", "label"])[list(SCORES)].mean()
    lines = []
    for score, head in (("psnr_missing", "PSNR"), ("ssim", "SSIM"), ("patch_sw", "patch SW")):
        wide = means[score].unstack("label").dropna(axis=1, how="all").dropna()
        if wide.empty:  # no problem on which all have been measured
            continue
        best = wide.idxmax(axis=1) if score in HIGHER else wide.idxmin(axis=1)
        counted = [f"`{name}` in {many}" for name, many in best.value_counts().items()]
        lines.append(f"- Best {head} of {len(best)} problems: {', '.join(counted)}.")
    labels = sorted(set(rows["label"]))
    for label in labels:
        if label.removesuffix(AVERAGE).partition(":")[0] not in DRAWING:
            continue
        lines += [
            _beside(means[score].unstack("label"), label, score, head)
            for score, head in (("psnr_missing", "PSNR"), ("patch_sw", "patch SW"))
            if not (score == "patch_sw" and label.endswith(AVERAGE))
        ]
    return "## In short\n\n" + "\n".join(line for line in lines if line) + "\n"


def _beside(wide: pd.DataFrame, label: str, score: str, head: str) -> str:
    """One sentence: against which simple methods a method loses, and by how much."""
    parts = []
    for other in ("mean", "harmonic", "biharmonic", "neighbour_ridge"):
        if other not in wide or label not in wide:
            continue
        pairs = wide[[label, other]].dropna()
        change = (pairs[label] - pairs[other]).mean()
        wins = int(((pairs[label] > pairs[other]) == (score in HIGHER)).sum())
        verb = "beats" if wins == len(pairs) else "loses to" if not wins else "is mixed with"
        parts.append(f"{verb} `{other}` ({wins} of {len(pairs)}, {change:+.1f})")
    if not parts:
        return ""
    return f"- By {head}, `{label}` {'; '.join(parts)}."


def _table(rows: pd.DataFrame) -> str:
    groups = rows.groupby("label")
    means, spread = groups[list(SCORES)].mean(), groups[list(SCORES)].std()
    seconds = groups["cpu_seconds"].mean()
    lines = []
    for label in means.sort_values("psnr", ascending=False).index:
        cells = []
        for score in SCORES:
            mean, deviation = means.loc[label, score], spread.loc[label, score]
            if pd.isna(mean):
                cells.append("")
                continue
            digits = 2 if score in ("psnr", "psnr_missing", "patch_sw") else 3
            cell = f"{mean:.{digits}f}"
            cell += "" if pd.isna(deviation) else f" ± {deviation:.{digits}f}"
            best = means[score].max() if score in HIGHER else means[score].min()
            cells.append(f"**{cell}**" if mean == best else cell)
        cost = "" if pd.isna(seconds[label]) else f"{seconds[label]:.0f}"
        lines.append([label, *cells, cost])
    return spirit.table(["method", *HEADS, "CPU-s"], lines)


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
