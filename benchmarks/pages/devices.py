"""The section on devices of the page on size."""

from collections.abc import Callable, Iterable
from typing import Any

from benchmarks.pages.spirit import table

Row = dict[str, Any]
WORDS = """## Devices

Simulated devices on one processor core, a thread each, against the same without a mesh: a step of a
tiny problem ({rows} rows, batches of 16), from a state that has made one, and the rows completed
after it. Differences are the largest over {sizes} devices, relative to the size of each array.
Gradients are read from Adam's first moment, or from what RMSProp keeps, after one update; several
networks in turn. Adam divides the smallest gradients by themselves, rounding and all, so that
states and what is completed from them part further than gradients do. The share is the part of the
arithmetic of a step that each device does, as the compiler counts it. The last two columns: entries
of the largest array that a step brings together on every device, and in brackets those of the data;
and CPU-seconds of a step on the mesh over those without, by turns (median). At this size these are
the price of meeting: there is too little work to be worth sharing. Programs were compiled with
`XLA_FLAGS="--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"`, which
takes a third of the time for so many small ones.

The largest difference of raw gradients is {gradient}, of {learning} methods. In `csbi:held` CSBI's
first network stands still, so that the second learns from the same paths. Each of {most} devices
does {low:.0%} to {high:.0%} of the arithmetic of a step, without the methods whose batches are
matched whole by transport (`sinkhorn`, `tdm`, `psw_i`) and MIRI, whose diagnostics of a sample are
computed whole. `knn` and `soft_impute` make no steps.

"""
WHOLE = ("sinkhorn", "tdm", "psw_i", "miri")


def section(rows: list[Row]) -> str:
    """What one device and several do alike, and what they cost."""
    sizes = sorted({row["devices"] for row in rows})
    methods = list(dict.fromkeys(row["method"] for row in rows))
    own = {name: [row for row in rows if row["method"] == name] for name in methods}
    learning = [row for row in rows if row["gradients"]]
    shares = [
        row["share"]
        for row in rows
        if row["devices"] == sizes[-1] and row.get("share") and row["method"] not in WHOLE
    ]
    words = WORDS.format(
        rows=" to ".join(str(f([row["rows"] for row in rows])) for f in (min, max)),
        sizes=_listed(sizes),
        gradient=_small(max((one for row in learning for one in row["gradients"]), default=0)),
        learning=len({row["method"] for row in learning}),
        most=sizes[-1],
        low=min(shares, default=1),
        high=max(shares, default=1),
    )
    heads = ["method", "gradients", "state", "completion", f"share on {_listed(sizes)}"]
    heads += ["gathered", f"CPU-s on {_listed(sizes)}"]
    return words + table(heads, [_line(name, found, sizes) for name, found in own.items()])


def _line(name: str, rows: list[Row], sizes: list[int]) -> list[str]:
    by_size = {row["devices"]: row for row in rows}

    def along(what: str, shown: Callable[[float], str]) -> str:
        found = [by_size.get(size, {}).get(what) for size in sizes]
        return " / ".join("–" if one is None else shown(one) for one in found)

    last, networks = rows[-1], zip(*(row["gradients"] for row in rows), strict=True)
    gathered = max((row.get("gathered", 0) for row in rows), default=0)
    return [
        name,
        ", ".join(_small(max(found)) for found in networks) or "–",
        _small(max(row["state"] for row in rows)),
        _small(max(row["completion"] for row in rows)),
        along("share", lambda share: f"{share:.0%}"),
        f"{gathered:,} ({last['entries']:,})" if "gathered" in last else "–",
        along("ratio", lambda ratio: f"{ratio:.2g}"),
    ]


def _small(x: float) -> str:
    return f"{x:.0e}".replace("e-0", "e-") if x else "0"


def _listed(numbers: Iterable[int]) -> str:
    *most, last = map(str, numbers)
    return f"{', '.join(most)} and {last}" if most else last
