"""The table in docs/reliability.md: what was tried, how often, and what went wrong."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import jobs
from benchmarks.pages.spirit import table

Row = dict[str, Any]
MARKS = ("<!-- reliability -->", "<!-- /reliability -->")
FILES = ("crashes", "scale", "surroundings", "fuzz", "soak")
FAULTS = ("lost", "stuck", "leftovers")
_BARE = "no home, C locale, closed and full streams"


def read(folder: Path) -> dict[str, list[Row]]:
    """Rows by file; of crash points, surroundings and fuzzed kinds the last of each."""
    found = {name: jobs.lines(folder / f"{name}.jsonl") for name in FILES}
    keys = {
        "crashes": ("of", "forced"),
        "surroundings": ("of",),
        "fuzz": ("kind",),
        "soak": ("method",),
    }
    for name, key in keys.items():
        found[name] = list({tuple(row[k] for k in key): row for row in found[name]}.values())
    kills = [row for row in found["scale"] if row["what"] == "kills"]
    found["scale"] = list({(row.get("of"), row.get("seed")): row for row in kills}.values())
    return found


def section(rows: dict[str, list[Row]]) -> str:
    """The table, and what of it did not go well."""
    lines: list[list[str]] = []
    if crashes := rows["crashes"]:
        deaths = sum(row["deaths"] for row in crashes)
        wrong = {fault: sum(row[fault] for row in crashes) for fault in FAULTS}
        commands = len({row["of"] for row in crashes})
        told = ", ".join(f"{count} {fault}" for fault, count in wrong.items())
        what = (
            f"died before the K-th change of a file, every K, {commands} commands, new and forced"
        )
        lines.append([what, f"{deaths:,}", told])
    if kills := rows["scale"]:
        differ = sum(not row["identical"] for row in kills)
        what = "SIGKILL at random moments; the same command again, to its end"
        lines.append([what, str(sum(row["kills"] for row in kills)), _none(differ, "differ")])
    for row in rows["surroundings"]:
        what = _BARE if row["of"] == "bare" else row["of"]
        lines.append([what, str(row["tries"]), _none(row["failed"], "failed")])
    for row in rows["fuzz"]:
        bound = (
            f"; at most {row['slowest_seconds']:.0f} s and {row['most_mb']:.0f} MB"
            if "most_mb" in row
            else ""
        )
        what = f"damaged {row['kind']}"
        lines.append([what, f"{row['inputs']:,}", _none(row["failed"], "failed") + bound])
    for row in rows["soak"]:
        what = f"`impute` of other shapes in one process, `{row['method']}`"
        grown = f"{row['growth']:+.1%} at most after the first {row['first']}"
        lines.append([what, str(row["calls"]), f"{grown} ({row['later_mb']:.0f} MB)"])
    return table(["what was done to it", "times", "what went wrong"], lines) + _failed(rows)


def _none(count: int, word: str) -> str:
    return f"**{count} {word}**" if count else "nothing"


def _failed(rows: dict[str, list[Row]]) -> str:
    """What is known to go wrong, in the rows' own words."""
    texts = [*_words(rows["surroundings"]), *_deaths(rows["crashes"])]
    if not texts:
        return ""
    return "\nNot as it should be:\n\n" + "".join(f"- {text}\n" for text in texts)


def _words(rows: Sequence[Row]) -> Iterable[str]:
    for row in rows:
        for text in row["wrong"]:
            yield f"{row['of']}: {text}"


def _deaths(rows: Sequence[Row]) -> Iterable[str]:
    for row in rows:
        for fault in FAULTS:
            if row[fault]:
                how = "replaced by force" if row["forced"] else "new"
                yield f"{row['of']}, {how}: {row[fault]} of {row['deaths']} deaths: {fault}"
