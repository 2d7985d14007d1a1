"""The page on size: rows, predictions, overhead, starts, kills, files in blocks, and devices."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import jobs
from benchmarks.pages import devices
from benchmarks.pages.spirit import table

Row = dict[str, Any]

INTRODUCTION = """# Size, and what surrounds a run

Generated from the rows in `benchmarks/results/` by `python -m benchmarks.document`; do not edit.

Measured on two processor cores that other work shared: CPU-seconds are of all threads of the
process, seconds by the clock are upper bounds. Data are correlated noise.
"""
# what makes two rows measurements of the same thing
KEYS = {
    "rows": ("method", "rows"),
    "plans": ("method", "shape", "options", "preset"),
    "overhead": ("of", "steps"),
    "startup": ("of",),
    "kills": ("of", "seed"),
    "streams": ("method", "rows", "block_rows", "sample_rows", "cap_mb", "draws"),
    "devices": ("method", "devices"),
    "ceilings": ("device", "net", "shape", "batch", "precision"),
}
NEAR = 1.5  # times the least cost of a row: linear
ASIDE = 0.3  # how far a prediction may be off


def read(path: Path) -> list[Row]:
    """Rows of `scale.jsonl` and of files beside it; of equal ones the last."""
    files = [path, *(path.with_name(f"{name}.jsonl") for name in ("streams", "ceilings"))]
    rows = [row for file in files for row in jobs.lines(file)]
    kept: dict[str, Row] = {}
    for row in rows:
        own = {"of": "run", "draws": 0, **row}
        kept[json.dumps([row["what"], *(own.get(key) for key in KEYS[row["what"]])])] = own
    return list(kept.values())


def page(rows: Sequence[Row]) -> str:
    """The whole page."""
    sections: dict[str, Callable[[list[Row]], str]] = {
        "rows": _rows,
        "plans": _plans,
        "overhead": _overhead,
        "startup": _startup,
        "kills": _kills,
        "streams": _streams,
        "ceilings": _ceilings,
        "devices": devices.section,
    }
    parts = [INTRODUCTION]
    for what, section in sections.items():
        if own := [row for row in rows if row["what"] == what]:
            parts.append(section(own))
    return "\n".join(parts)


def _rows(rows: list[Row]) -> str:
    lines = [
        [
            row["method"],
            f"{row['rows']:,}",
            f"{row['cpu_seconds']:.1f}",
            f"{row['microseconds_per_row']:.1f}",
            f"{row['peak_mb']:.0f}",
        ]
        for row in sorted(rows, key=lambda row: (row["method"], row["rows"]))
    ]
    knees = [
        f"`{method}` {_knee([row for row in rows if row['method'] == method])}"
        for method in sorted({row["method"] for row in rows})
    ]
    return (
        "## Rows\n\nA table of 8 columns. CPU-seconds are of the whole, compilation included; "
        "microseconds are by the clock, once compiled; memory is what the process grew by. Work on "
        "networks is the same for any number of rows.\n\n"
        + table(["method", "rows", "CPU-s", "µs a row", "MB"], lines)
        + f"\nThe knee, from where on each row costs at most {NEAR} times the least: "
        + f"{'; '.join(knees)}.\n"
    )


def _knee(rows: list[Row]) -> str:
    """From which number of rows on time is in proportion to it, as far as was measured."""
    costs = {row["rows"]: row["microseconds_per_row"] for row in rows}
    near = {n for n, cost in costs.items() if cost <= NEAR * min(costs.values())}
    if max(costs) not in near:
        return f"none: rows are dearer where there are {max(costs):,}"
    first = min(n for n in costs if all(m in near for m in costs if m >= n))
    return f"{first:,} rows"


def _plans(rows: list[Row]) -> str:
    lines = []
    for row in rows:
        cells = [_against(row, name) for name in ("cpu_seconds", "seconds", "peak_mb")]
        short = "" if row["steps_done"] >= row["steps"] else f" ({row['steps_done']} taken)"
        shape = " x ".join(map(str, row["shape"]))
        lines.append([row["method"], shape, f"{row['steps']}{short}", *cells])
    within = [
        sum(abs(_ratio(row, name) - 1) <= ASIDE for row in rows)
        for name in ("cpu_seconds", "seconds", "peak_mb")
    ]
    return (
        "## Cost before compute\n\nWhat `jaximpute.plan` predicts in one process, against what the "
        "run takes in another, neither with programs compiled before. Each cell: predicted, "
        f"measured, and in brackets how far off. Of {len(rows)} configurations CPU-seconds are "
        f"within {ASIDE:.0%} in {within[0]}, seconds in {within[1]} (which differ with what else "
        f"the machine does meanwhile), memory in {within[2]}.\n\n"
        + table(["method", "data", "steps", "CPU-s", "seconds", "MB"], lines)
    )


def _against(row: Row, name: str) -> str:
    planned, found = _planned(row, name), row[name]
    return f"{planned:.3g} / {found:.3g} ({_ratio(row, name) - 1:+.0%})"


def _ratio(row: Row, name: str) -> float:
    return _planned(row, name) / row[name]


def _planned(row: Row, name: str) -> float:
    return row["planned_mb" if name == "peak_mb" else f"planned_{name}"]


def _overhead(rows: list[Row]) -> str:
    parts = [
        "## Overhead of hooks, checkpoints and streams\n\nThe same compiled steps of SPIRIT on "
        "2,000 rows, by turns alone, with the curve of losses and a progress bar, and with "
        "checkpoints of the default share besides; and of networks on 8,192 rows in memory, and on "
        "as many others of a file of 200,000 after every chunk of steps (*stream*). CPU-seconds "
        "of all threads, those that read and write included: medians over turns, and between which "
        "quartiles. The first and the last save are made however short a run is.\n"
    ]
    lines = [
        [row["of"], str(row["steps"]), f"{row['cpu_seconds']:.2f}", _over(row)]
        for row in sorted(rows, key=lambda row: ("," in row["of"], row["steps"]))
    ]
    return "\n".join([*parts, table(["run", "steps", "CPU-s", "over alone"], lines)])


def _over(row: Row) -> str:
    if not row["over_alone"]:
        return "–"
    spread = " ({:+.1%}..{:+.1%})".format(*row["spread"]) if "spread" in row else ""
    return f"{row['over_alone']:+.1%}{spread}"


def _startup(rows: list[Row]) -> str:
    lines = [[f"`{r['of']}`", f"{r['seconds']:.2f}", f"{r['least']:.2f}"] for r in rows]
    return (
        "## Starting\n\nSeconds by the clock, median and least, of processes by turns: a Python "
        "that does nothing, the package, and `jaximpute impute` with the preset `fast` on a table "
        "of 100 rows, without (*cold*) and with (*warm*) the compiled programs of an earlier "
        "run.\n\n" + table(["process", "seconds", "least"], lines)
    )


def _ceilings(rows: list[Row]) -> str:
    lines = [
        [
            row["device"],
            f"`{row['net']}`, {' x '.join(map(str, row['shape']))}",
            f"{row['batch']:,}",
            f"{row['parameters'] / 1e6:.2f} M",
            row["precision"],
            f"{row['gflops']:.3g} ({row['of_product']:.0%})",
            f"{row['gb_per_second']:.3g} ({row['of_copy']:.0%})",
        ]
        for row in rows
    ]
    heads = ["device", "network", "batch", "parameters", "precision", "GFLOP/s", "GB/s"]
    return (
        "## Ceilings\n\n`python -m benchmarks.ceilings`: operations and bytes of a learning step "
        "as the compiler counts them, per second by the clock, and in brackets their part of what "
        "a matrix product and a copy reach on the same device in turns with it. A step cannot be "
        "near both; bytes that caches serve can take a step above a copy.\n\n" + table(heads, lines)
    )


def _kills(rows: list[Row]) -> str:
    words = {
        "run": "checkpoints by Orbax",
        "stream": "a file in blocks",
        "draws": "three draws of a file in blocks",
    }
    lines = [
        [
            text,
            str(sum(row["kills"] for row in rows if row["of"] == of)),
            str(sum(row["inside_a_save"] for row in rows if row["of"] == of)),
            "yes" if all(row["identical"] for row in rows if row["of"] == of) else "**no**",
        ]
        for of, text in words.items()
        if any(row["of"] == of for row in rows)
    ]
    return (
        "## Kills\n\nSIGKILL at random moments after each sign of progress, and the same command "
        "again, until the run ends. Then state, completion or file are compared with those of a "
        "run in one piece, bit for bit.\n\n"
        + table(["what", "kills", "inside a save", "identical"], lines)
    )


def _streams(rows: list[Row]) -> str:
    lines = []
    for row in rows:
        draws = f", {row['draws']} draws" if row.get("draws") else ""
        where = f"{row['method']}{draws}, {_size(row['megabytes'])}"
        if "inside_seconds" in row:
            costs = ("inside_seconds", "inside_cpu_seconds", "inside_anonymous_mb")
            lines.append(_stream(f"{where}, in one block", row["rows"], 1, *map(row.get, costs)))
        costs = ("seconds", "cpu_seconds", "peak_anonymous_mb")
        cap = f", own memory held to {row['cap_mb']:,} MB" if row.get("cap_mb") else ""
        lines.append(_stream(where + cap, row["rows"], row["blocks"], *map(row.get, costs)))
    compared = [row["identical"] for row in rows if "identical" in row]
    same = "bit for bit" if all(compared) else "**not bit for bit**"
    words = (
        "A table of 16 columns of float32 as `.npy`, holes in a tenth of the rows. Own memory is "
        "the most that belonged to no file, libraries and compiler included."
    )
    if compared:
        words += f" Where both were run, the result in blocks is that of one block, {same}."
    heads = ["file", "rows", "blocks", "seconds", "CPU-s", "own memory"]
    return f"## Files in blocks\n\n{words}\n\n{table(heads, lines)}"


def _stream(name: str, rows: int, blocks: int, wall: Any, cpu: Any, memory: Any) -> list[str]:
    return [name, f"{rows:,}", f"{blocks:,}", f"{wall:.0f}", f"{cpu:.0f}", f"{memory:.0f} MB"]


def _size(megabytes: float) -> str:
    return f"{megabytes / 1e3:.3g} GB" if megabytes >= 1e3 else f"{megabytes:.0f} MB"
