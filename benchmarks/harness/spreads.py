"""Rows that a table is of, means over their holes, and who leads by more than the spread."""

import re
from collections.abc import Iterable, Sequence
from statistics import fmean, stdev
from typing import Any

from benchmarks.harness import jobs

Row = dict[str, Any]
Place = tuple[Any, ...]  # a line of a table: its values of some fields, of which the last competes
Groups = dict[Place, list[Row]]
HOLES = ("data", "pattern", "masks", "ratio", "seed")  # what makes two problems the same
USUAL: dict[str, list[Any]] = {"quick": [None, False], "toy": [None, False]}
SAME = 1e-3  # relative: less is no lead


def chosen(rows: Iterable[Row], ask: dict[str, Any]) -> list[Row]:
    """Rows that a table asks for; of those that measure the same thing, the last."""
    where = ask.get("where", {})
    usual = {name: where.get(name, values) for name, values in USUAL.items()}
    rows = [named(row) for row in rows if fits(row, usual)]
    if within := ask.get("newest"):
        last: dict[Place, str] = {}
        for row in rows:
            place = tuple(map(row.get, within))
            last[place] = max(row["run"], last.get(place, ""))
        rows = [row for row in rows if row["run"] == last[tuple(map(row.get, within))]]
    fields = [name for name in (*ask.get("line", []), ask.get("across")) if name]
    keys = dict.fromkeys((*fields, "method", "preset", "options", "split"))
    kept = {
        str([hole(row), *(value(row, key) for key in keys)]): row
        for row in rows
        if fits(row, where)
    }
    add_variants(found := list(kept.values()))
    return found


def fits(row: Row, where: dict[str, Any]) -> bool:
    """Whether a row has the values that are asked for; a list is any of them."""
    wanted = ((name, one if isinstance(one, list) else [one]) for name, one in where.items())
    return all(value(row, name) in values for name, values in wanted)


def named(row: Row) -> Row:
    """A row with names of its method: `label`, and `form` without the preset; and `ranks`."""
    row = {"pattern": "mcar", **row} if "ratio" in row else dict(row)
    if "pit" in row:
        row["ranks"] = [count / sum(row["pit"]) for count in row["pit"]]
    if "method" in row:
        usual = {"preset": "balanced", **row}
        row["label"], row["form"] = jobs.called(usual), jobs.called(usual | {"preset": "balanced"})
    return row


def add_variants(rows: Sequence[Row]) -> None:
    """Give rows `variant`, the method with options that not all share, and `change`, only these."""
    options = [own.items() for row in rows if (own := row.get("options")) is not None]
    shared = [pair for pair in options[0] if all(pair in own for own in options)] if options else []
    for row in rows:
        if "method" in row:
            row["variant"] = jobs.variant({"preset": "balanced", **row}, [key for key, _ in shared])
            row["change"] = row["variant"].partition(": ")[2] or "nothing"


def value(row: Row, path: str) -> Any:
    """What a row holds at a path such as `curves/loss/-1`; None where there is nothing."""
    found: Any = row
    for step in path.split("/"):
        try:
            found = found[int(step)] if isinstance(found, list) else found[step]
        except (KeyError, IndexError, TypeError):
            return None
    return found


def at(row: Row, path: str) -> Any:
    """What a row holds at a path, as a place: a shape is a text."""
    found = value(row, path)
    return " x ".join(map(str, found)) if isinstance(found, list) else found


def hole(row: Row) -> Place:
    """What tells the holes of two rows apart, the seed last; a `ratio` without data is a speed."""
    return tuple(row.get(key) for key in (HOLES if row.keys() & {"data", "masks"} else HOLES[-1:]))


def problems(rows: Iterable[Row]) -> int:
    """How many problems rows are of, whatever the seed."""
    return len({hole(row)[:-1] for row in rows})


def by_hole(rows: Iterable[Row], path: str) -> dict[Place, float]:
    """A number for each set of holes."""
    found = {hole(row): value(row, path) for row in rows}
    return {place: one for place, one in found.items() if one is not None and one == one}


def average(rows: Iterable[Row], path: str) -> tuple[float | None, float | None]:
    """Mean over seeds and its deviation, of means over problems; of seeds that have all of them."""
    seeds: dict[Any, list[float]] = {}
    for row in rows:
        one = value(row, path)
        if isinstance(one, int | float) and one == one:
            seeds.setdefault(row.get("seed"), []).append(one)
    most = max(map(len, seeds.values()), default=0)
    means = [fmean(own) for own in seeds.values() if len(own) == most]
    return (fmean(means) if means else None), (stdev(means) if len(means) > 1 else None)


def beside(place: Place, groups: Groups) -> Groups:
    """The lines that compete with one: those that share its leading fields."""
    return {other: rows for other, rows in groups.items() if other[:-1] == place[:-1]}


def leader(path: str, place: Place, groups: Groups, ask: dict[str, Any]) -> Place | None:
    """The line beside a place that leads by more than the spread of the difference, if one does.

    Lines compete that have all problems and more than one set of holes.
    """
    sign = -1 if path in ask.get("most", []) else 1
    found = {p: by_hole(rows, path) for p, rows in beside(place, groups).items()}
    counts = {p: len({one[:-1] for one in holes}) for p, holes in found.items()}
    able = {
        p: holes
        for p, holes in found.items()
        if counts[p] == max(counts.values())
        and len(holes) > 1
        and p[-1] not in ask.get("apart", [])
    }
    if len(able) < 2:
        return None
    best = min(able, key=lambda p: sign * (average(groups[p], path)[0] or 0.0))
    least = SAME * abs(fmean(able[best].values()))
    for other in able.keys() - {best}:
        behind = [sign * (able[other][h] - able[best][h]) for h in able[best].keys() & able[other]]
        if len(behind) < 2 or fmean(behind) <= max(stdev(behind), least):
            return None
    return best


def wins(path: str, place: Place, groups: Groups, other: str, ask: dict[str, Any]) -> str | None:
    """In how many problems a line is not behind another; "1.05 name" grants it so much more."""
    factor, _, name = other.partition(" ") if re.match(r"[\d.]+ ", other) else ("1", "", other)
    theirs = next((rows for p, rows in beside(place, groups).items() if str(p[-1]) == name), None)
    if theirs is None or str(place[-1]) == name:
        return None
    ours, others = by_hole(groups[place], path), by_hole(theirs, path)
    sign, ahead = -1 if path in ask.get("most", []) else 1, {}
    for one in ours.keys() & others.keys():
        ahead.setdefault(one[:-1], []).append(sign * (float(factor) * others[one] - ours[one]))
    return f"{sum(fmean(own) >= 0 for own in ahead.values())} of {len(ahead)}"
