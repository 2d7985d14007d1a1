"""The page on accelerators: right, fast, full size, many; or that it has not been measured."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import jobs
from benchmarks.pages.spirit import table

Row = dict[str, Any]

INTRODUCTION = """# On an accelerator

Generated from the rows in `benchmarks/results/` by `python -m benchmarks.document`; do not edit.

`python -m benchmarks.gpu` makes these rows on one card in minutes. Rows are of the last run that
got to them. Seconds are by the clock.
"""
UNKNOWN = "Not measured yet.\n"
CAUSES = ("products", "attention", "normalisation", "layout", "elementwise", "update")
CAUSES += ("other", "launches")
MODES = ("eager", "compiled")  # of PyTorch


def read(path: Path) -> list[Row]:
    """Rows of `gpu.jsonl`: of each step of a section on a device, those of its last run."""
    rows = [row for row in jobs.lines(path) if not row["toy"]]
    last: dict[tuple[Any, ...], str] = {}
    for row in rows:
        last[_step(row)] = max(row["run"], last.get(_step(row), ""))
    return [row for row in rows if row["run"] == last[_step(row)]]


def _step(row: Row) -> tuple[Any, ...]:
    return row.get("device"), row["section"], row["of"]


def page(rows: Sequence[Row]) -> str:
    """The whole page; without rows it says of each section that it has not been measured."""
    sections: dict[str, tuple[str, Callable[[list[Row]], str]]] = {
        "right": ("Right", _right),
        "fast": ("Fast", _fast),
        "full": ("Full size, in minutes", _full),
        "many": ("Many", _many),
    }
    parts = [INTRODUCTION + _devices(rows)]
    for name, (title, write) in sections.items():
        own = [row for row in rows if row["section"] == name]
        measured = [row for row in own if row["what"] not in ("skipped", "cut", "failed", "ended")]
        text = write(own) if measured else UNKNOWN
        parts.append(f"## {title}\n\n{text}{_left_out(own)}")
    return "\n".join(parts)


def _devices(rows: Sequence[Row]) -> str:
    found = {
        (row["device"], row["versions"]["jax"], row["run"][:10]) for row in rows if "device" in row
    }
    lines = [f"- {device}, jax {jax}, {day}" for device, jax, day in sorted(found)]
    return "\n" + "\n".join(lines) + "\n" if lines else ""


def _left_out(rows: list[Row]) -> str:
    """What a section has no rows of, and why."""
    lines = [
        f"- {_name(row)}: {row['what']}; {row['why']}"
        for row in rows
        if row["what"] in ("skipped", "cut", "failed")
    ]
    return "\nLeft out:\n\n" + "\n".join(dict.fromkeys(lines)) + "\n" if lines else ""


def _name(row: Row) -> str:
    parts = [row["of"], row.get("precision"), row.get("torch_mode")]
    return ", ".join(part for part in parts if part)


def _right(rows: list[Row]) -> str:
    products = [
        [row["product"], f"{row['apart']:.1e}", _under(row)]
        for row in rows
        if row["what"] == "covariance"
    ]
    methods = [
        [
            f"`{row['method']}`, {row['kind']}",
            row["products"],
            f"{row['apart']:.1e}",
            _under(row),
            *(_yes(row[name]) for name in ("observed_identical", "repeatable", "no_callback")),
        ]
        for row in rows
        if row["what"] == "method"
    ]
    checked = [row for row in rows if "right" in row]
    good = sum(row["right"] for row in checked)
    heads = ["method", "products", "apart", "at most", "observed cells identical"]
    heads += ["same key, same bits", "no call of the host"]
    return (
        f"{good} of {len(checked)} checks passed. Products of covariances and solves in float32, "
        "against float64 in NumPy, relative to the largest number:\n\n"
        + table(["product", "apart", "at most"], products)
        + "\nA program of `init`, a step and a completion, against the same program on the CPU: "
        "the largest difference of a completed entry, in standard deviations of the data, with "
        "networks whose products are exact (*highest*) and the device's own.\n\n"
        + table(heads, methods)
    )


def _under(row: Row) -> str:
    if "tolerance" not in row:
        return "–"
    return f"{row['tolerance']:.0e}" + ("" if row["apart"] <= row["tolerance"] else " **missed**")


def _yes(good: bool) -> str:
    return "yes" if good else "**no**"


def _fast(rows: list[Row]) -> str:
    steps = [row for row in rows if row["what"] == "step"]
    torch = {
        (row["network"], row["precision"], row["torch_mode"]): row
        for row in rows
        if row["what"] == "torch"
    }
    compiling = {row["network"]: row["seconds"] for row in rows if row["what"] == "compiled"}
    lines, causes = [], []
    for row in steps:
        beside = [torch.get((row["network"], row["precision"], mode)) for mode in MODES]
        name = [f"{row['network']}, batch {row['batch']:,}", row["precision"]]
        lines.append(
            [
                *name,
                f"{1e3 * row['seconds']:.3g}",
                f"{row['tflops']:.3g} ({row['of_product']:.0%})",
                f"{row['gb_per_second']:,.0f} ({row['of_copy']:.0%})",
                *("–" if other is None else f"{other['ratio']:.2f}" for other in beside),
                f"{compiling[row['network']]:.0f}" if row["network"] in compiling else "–",
                f"{row['program_mb']:,.0f}",
            ]
        )
        if row["shares"]:
            shares = [f"{row['shares'].get(cause, 0):.0%}" for cause in CAUSES]
            causes.append([*name, f"{row['of_ceiling']:.0%}", *shares, f"{row['kernels']:,}"])
    heads = ["network", "precision", "ms a step", "TFLOP/s", "GB/s", "PyTorch / ours, eager"]
    heads += ["compiled", "compiling, s", "MB"]
    text = (
        "A step of denoising score matching with its update. In brackets: of what a matrix "
        "product of the same precision and a copy reach on the card by turns with it, by the "
        "compiler's count of operations and bytes. PyTorch's step is one of the same network, by "
        "turns with ours; above 1 ours is faster. Compiling, a network's start included, is in "
        "float32 and alone on the machine. Memory is what the program holds by the compiler's "
        "count.\n\n" + table(heads, lines)
    )
    if causes:
        largest = ["network", "precision", "of the ceiling", *CAUSES, "kernels"]
        text += (
            "\nWhere the time of a step goes, by a profile of some steps: products outside of "
            "attention, attention with its projections, normalisation, moving and turning arrays, "
            "what is done entry by entry, the optimiser, *other* kernels that names do not "
            "tell apart, and *launches*, when no kernel ran.\n\n" + table(largest, causes)
        )
    solves = [
        [
            row["solve"],
            f"{row['number']:,}",
            f"{row['seconds']:.3g}",
            f"{row['microseconds_each']:.3g}",
            f"{row['gflops']:,.3g}",
            f"{1e6 * row['call_seconds']:.0f}",
            f"{row['compile_seconds']:.1f}",
        ]
        for row in rows
        if row["what"] == "solve"
    ]
    if not solves:
        return text
    heads = ["solve", "how many", "seconds", "µs each", "GFLOP/s", "a call, µs", "compiling, s"]
    return f"{text}\nSolves, exact in float32:\n\n{table(heads, solves)}"


def _full(rows: list[Row]) -> str:
    lines = [
        [
            row["table"],
            row["method"],
            f"{row['steps']:,}" if "steps" in row else "–",
            f"{1e3 * row['seconds_a_step']:.3g}" if "steps" in row else "–",
            *(f"{row[name]:.4f}" if name in row else "–" for name in ("mae", "rmse", "crps")),
        ]
        for row in rows
        if row["what"] in ("learned", "beside")
    ]
    heads = ["data", "method", "learning steps", "ms a step", "MAE", "RMSE", "CRPS"]
    return (
        "What the papers' networks come to in the minutes there are, beside methods that learn "
        "nothing or little. Fine dust in its own units, others in standard deviations of what is "
        "observed; pixels in [0, 1].\n\n" + table(heads, lines)
    )


def _many(rows: list[Row]) -> str:
    counted = [
        [
            f"`{row['method']}`",
            f"{row['rows']:,}",
            f"{row['seconds']:.3g}",
            f"{row['microseconds_per_row']:.3g}",
            f"{row['program_mb']:,.0f}",
        ]
        for row in rows
        if row["what"] == "rows"
    ]
    drawn = [
        [f"{row['draws']}", f"{row['batch']}", f"{row['seconds'][0]:.3g}", f"{row['ratio']:.1f}"]
        for row in rows
        if row["what"] == "draws"
    ]
    return (
        "A table of 8 columns learned from and completed; the work on networks is the same for "
        "any number of rows. Memory is what a step holds by the compiler's count.\n\n"
        + table(["method", "rows", "seconds", "µs a row", "MB"], counted)
        + "\nDraws of CSBI's default network, so many at a time, and how many times one costs.\n\n"
        + table(["draws", "at a time", "seconds", "times one"], drawn)
    )
