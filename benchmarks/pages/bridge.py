"""The page on conditional diffusions: imputation of waves, few-step draws, forecasts, speed."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.harness import jobs
from benchmarks.pages import speed as speed_page
from benchmarks.pages import spirit
from benchmarks.peers import quoted
from jaximpute import registry

Row = dict[str, Any]

INTRODUCTION = """# Results of bridges

Generated from the rows in `benchmarks/results/` by `python -m benchmarks.document`; do not edit.

*CRPS* is CSDI's: a quantile loss at 19 levels, over the sum of the absolute targets. *RMSE* and
*MAE* are of the median of the draws. *50 %*, *80 %* and *95 %* are the shares of targets inside the
central intervals of the draws; calibrated ones hold as many as they say, less a bias of order
1/draws. CPU-seconds are of training and drawing together, compilation included. One seed. A method
that gives a point has no intervals, and its CRPS is that of a point.
"""
EARLIER = (
    "Of an earlier version: {names}. Its draws ended at t = 1 / draw_steps, and not at a noise of "
    "0.005; with a forward policy, paths of training added noise to the context too.\n"
)
LEVELS = ("cover50%", "cover80%", "cover95%")
MONITORS = {
    "pm25": (
        "Fine dust in Beijing",
        "36 stations by the hour in windows of 36 hours; the targets are ST-MVL's gaps in March, "
        "June, September and December. RMSE and MAE in micrograms per cubic metre. Networks with "
        "`base=None` learn from single entries hidden at random, others from other windows' gaps.",
    ),
    "physionet:10": (
        "Intensive care, a tenth hidden",
        "PhysioNet 2012: 35 measurements over 48 hours, four fifths of them never taken. "
        "In standard deviations.",
    ),
    "physionet:50": (
        "Intensive care, half hidden",
        "The same stays, half of what was measured hidden.",
    ),
}
ALL = {"pm25": 82, "physionet:10": 799, "physionet:50": 799}  # windows that papers score
PHASES = {
    "shared": "one phase for all features of a window, as printed",
    "independent": "a phase for each feature, as in the released samples",
}


def read(path: Path) -> list[Row]:
    """The rows of a file, and those on speed beside it."""
    speed = jobs.lines(path.with_name("speed.jsonl"))
    return jobs.lines(path) + [{"table": "speed", **row} for row in speed]


def latest(rows: Sequence[Row]) -> list[Row]:
    """Of rows that measure the same thing, the last."""
    keys = ("table", "phases", "sampler", "evaluations", "rows", "windows", "quick", "seed")
    return list({(called(row), *map(row.get, keys)): row for row in rows}.values())


def called(row: Row) -> str:
    """A method, and the options that are not its defaults."""
    given, name = row.get("options") or {}, row["method"]
    known = registry.options(name) if given else {}
    other = [f"{k}={v}" for k, v in given.items() if k not in known or known[k].default != v]
    return ": ".join([name, ", ".join(other)]) if other else name


def page(rows: Sequence[Row]) -> str:
    """The whole page, from rows of `benchmarks.bridge` and `benchmarks.bridge_speed`."""
    speed = [row for row in rows if row["table"] == "speed"]
    found, parts = latest([row for row in rows if row["table"] != "speed"]), [INTRODUCTION]
    for phases, words in PHASES.items():
        own = [row for row in found if row.get("phases") == phases]
        for quick in (False, True):
            parts += _waves([row for row in own if row["quick"] is quick], words)
    monitored = {name: partial(_monitored, name) for name in MONITORS}
    for name, section in {
        "tones": _tones,
        "terminal": _terminal,
        **monitored,
        "exchange": _exchange,
    }.items():
        own = [row for row in found if row["table"] == name]
        for number in sorted({row["windows"] for row in own}):
            parts += section([row for row in own if row["windows"] == number])
    return "\n".join([*parts, *speed_page.section(speed)])


def _waves(rows: Sequence[Row], words: str) -> list[str]:
    table = [row for row in rows if row["table"] == "waves"]
    if not table:
        return []
    one = table[0]
    size = (
        f"{one['rows']} windows to learn from, {one['windows']} to complete"
        f"{', quick settings' if one['quick'] else ''}."
    )
    parts = [
        f"## Waves: {words}\n\nAfter appendix C.2 of Chen et al. (2023): eight waves, 20 "
        "consecutive steps of each to be imputed. Here these lie at four places, the same in every "
        "window, nothing else is missing, and networks learn from blocks of up to 20 steps hidden "
        f"at random. {size} `oracle` knows the formulas, and its phases by least squares.\n",
        _table(table, ("rmse", "mae", "crps")),
        "Released for CSBI, on other windows with independent phases (quoted): RMSE "
        + ", MAE ".join(f"{v:.4f}" for v in quoted.CSBI_WAVES[:2])
        + f", CRPS {quoted.CSBI_WAVES[2]:.4f}.\n",
        *_settings(table),
    ]
    parts += _histograms([row for row in table if "pit" in row])
    few = [row for row in rows if row["table"] == "samplers"]
    for name in dict.fromkeys(called(row) for row in few):
        parts += _samplers(name, [row for row in few if called(row) == name])
    return parts


def _histograms(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    bins = len(rows[0]["pit"])
    heads = ["method", *(f"{i / bins:g}" for i in range(bins))]
    lines = [
        [called(row), *(f"{count / sum(row['pit']):.1%}" for count in row["pit"])] for row in rows
    ]
    return [
        f"### Where truths fall among their draws\n\nShare of targets by their rank among the "
        f"draws, in {bins} bins from the lowest to the highest: flat if calibrated, a hill if "
        "the draws spread too wide, a valley if not wide enough.\n",
        spirit.table(heads, lines),
    ]


def _samplers(network: str, rows: Sequence[Row]) -> list[str]:
    counts = sorted({row["evaluations"] for row in rows})
    cells = {(row["sampler"], row["evaluations"]): row for row in rows}
    names = list(dict.fromkeys(row["sampler"] for row in rows))
    best = min(row["crps"] for row in rows)
    lines = []
    for count in counts:
        line = [str(count)]
        for name in names:
            row = cells.get((name, count))
            text = "" if row is None else f"{row['crps']:.4f}"
            line.append(f"**{text}**" if row is not None and row["crps"] <= best else text)
        lines.append(line)
    title = {
        "exponential": "exponential, second order",
        "heun": "Heun",
        "sde": "Euler-Maruyama (Algorithm 4)",
    }
    return [
        f"### Draws in few steps\n\nCRPS of one trained network (`{network}`, above) by the number "
        "of times it is asked for a draw: the probability flow by the exponential integrator and "
        "by Heun's method, and the stochastic equation. All end with the mean of the clean rows.\n",
        spirit.table(["evaluations", *(title.get(name, name) for name in names)], lines),
        *_earlier(rows),
    ]


def _tones(rows: Sequence[Row]) -> list[str]:
    one = rows[0]
    return [
        "## Waves of a random frequency\n\nTwo waves, a quarter apart, of one frequency between 1 "
        "and 3 and one phase, in windows of 24 steps; a stretch of up to 20 of each is hidden. A "
        "Gaussian of windows cannot know a frequency, so this shows what is learned on it. "
        f"{one['rows']} windows to learn from, {one['windows']} to complete.\n",
        _table(rows, ("rmse", "mae", "crps")),
        *_settings(rows),
    ]


def _terminal(rows: Sequence[Row]) -> list[str]:
    one, crps = rows[0], {row["method"]: row["crps"] for row in rows}
    verdict = []
    if {"csbi", "csbi0"} <= set(crps):
        share = f"{crps['csbi'] / crps['csbi0']:.2f}"
        verdict = [f"With one, trained as briefly as here, the CRPS is {share} of that without.\n"]
    return [
        "## Waves: noise that ends at 0.3\n\nAs in figure 6 of Chen et al. (2023): where the "
        "process ends, the data are not yet lost in noise, and draws that start from its prior are "
        "off unless a forward policy leads there. 20 steps of Algorithm 4; "
        f"{one['rows']} windows to learn from, {one['windows']} to complete.\n",
        _table(rows, ("rmse", "mae", "crps")),
        *verdict,
        *_settings(rows),
    ]


def _monitored(name: str, rows: Sequence[Row]) -> list[str]:
    title, words = MONITORS[name]
    one = rows[0]
    apart = (
        f" They are of all {ALL[name]} windows. CRPS is divided by the mean size of the targets, "
        "which is another one here: one CRPS does not compare with the other."
    )
    published = "; ".join(
        f"{method} RMSE {rmse}, MAE {mae}, CRPS {crps}"
        for method, (rmse, mae, crps) in quoted.MONITORS[name].items()
    )
    return [
        f"## {title}\n\n{words} {one['rows']} windows to learn from, {one['windows']} to complete "
        f"with {one['targets']} targets.\n",
        _table(rows, ("rmse", "mae", "crps")),
        f"Quoted from Chen et al. (2023), of networks of 4 layers and 64 channels: {published}."
        f"{apart if one['windows'] < ALL[name] else ''}\n",
        *_settings(rows),
    ]


def _exchange(rows: Sequence[Row]) -> list[str]:
    few = rows[0]["windows"] == 5  # as many as the published numbers are of
    published = ", ".join(f"{name} {value}" for name, value in quoted.CSBI_EXCHANGE.items())
    return [
        f"## Exchange rates, {rows[0]['windows']} windows\n\n30 working days ahead from the 48 "
        "before; the first 6071 days are learned from, and the windows follow one another after "
        "them. `random_walk` adds Gaussian steps of each series' size to its last value. Scores "
        "are in the units of the rates.\n",
        _table(rows, ("mae", "crps"), digits=5),
        *([f"Quoted from Table 2 of Chen et al. (2023), CRPS: {published}.\n"] if few else []),
        *_settings(rows),
    ]


def _table(rows: Sequence[Row], scores: Sequence[str], digits: int = 4) -> str:
    rows = sorted(rows, key=lambda row: row["crps"])
    ranked = [row for row in rows if row["method"] != "oracle"]
    best = {score: min(row[score] for row in ranked) for score in scores}
    times, lines = Counter(row["method"] for row in rows), []
    for row in rows:
        name = row["method"] if times[row["method"]] == 1 else called(row)
        cells = [
            f"**{row[s]:.{digits}f}**"
            if row in ranked and row[s] <= best[s]
            else f"{row[s]:.{digits}f}"
            for s in scores
        ]
        cover = [f"{row[level]:.0%}" if level in row else "" for level in LEVELS]
        lines.append([name, *cells, *cover, str(row["draws"]), f"{row['seconds']:.0f}"])
    heads = [score.upper() for score in scores]
    return spirit.table(["method", *heads, "50 %", "80 %", "95 %", "draws", "CPU-s"], lines)


def _settings(rows: Sequence[Row]) -> list[str]:
    set_ = [f"`{called(row)}`" for row in rows if called(row) != row["method"]]
    words = [f"Options other than the defaults: {'; '.join(set_)}.\n"] if set_ else []
    return words + _earlier(rows)


def _earlier(rows: Sequence[Row]) -> list[str]:
    """Which rows are of draws that ended elsewhere."""
    old = [row for row in rows if row["method"] in ("csbi", "csbi0") and "end" not in row]
    names = ", ".join(f"`{name}`" for name in dict.fromkeys(called(row) for row in old))
    return [EARLIER.format(names=names)] if old else []
