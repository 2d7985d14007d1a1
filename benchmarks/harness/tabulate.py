"""Tables of Markdown from rows: which rows, a line for what, a column for what.

A table is a TOML text, which stands in its page:

- `from`: the file of rows. `where`: values of fields that they must have; rows of quick runs only
  if asked for. `newest`: fields within which only rows of the last run count.
- `line`: fields that make a line. The last one competes, within lines equal in the others.
- `across`: a field of which each value repeats the columns `cells`. `shared`: on holes that all of
  these have. `complete`: only of lines that have all problems of a column.
- `cells`, `whole`: columns, a heading and a text each, `{field}` in it replaced by the mean over
  holes. `whole` columns come once, after `cells`. See `Field`.
- `least`, `most`: fields in which a line can lead. `apart`: lines that never do. `only`: lines that
  are shown.
- `order`: the field that orders lines, "-field" for the largest first, "given" for that of the
  rows; by default the first that can lead. `mixed`: whatever the leading fields are.
- `quoted`: which rows of `quoted.jsonl` stand beside, in the columns `beside`.
- `names`: words for values. `command`: what makes the rows. `none`: what stands without any.

Of rows with the same line, column, holes and options the last counts. A number is **bold** if it is
ahead of every other line by more than the spread of the difference: its mean over shared holes is
larger than its standard deviation. One set of holes has no spread, and leads nothing.
"""

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any, NamedTuple

from benchmarks.harness import jobs
from benchmarks.harness.spreads import (
    Groups,
    Place,
    Row,
    at,
    average,
    beside,
    by_hole,
    chosen,
    hole,
    leader,
    problems,
    value,
    wins,
)

QUOTED = "quoted.jsonl"
HEADS = dict.fromkeys(("label", "form", "variant"), "method") | {"ratio": "share missing"}
EMPTY = "–"
KEYS = {"from", "where", "newest", "line", "across", "shared", "complete", "cells", "whole"}
KEYS |= {
    "only",
    "least",
    "most",
    "apart",
    "order",
    "mixed",
    "quoted",
    "beside",
    "names",
    "command",
    "none",
}
FIELD = re.compile(
    r"(?:([\d.e-]+) )?(?:(min|max|median|count|distinct) )?(\S+)(?: (over|times|minus|wins) (.+))?"
)


class Field(NamedTuple):
    """What stands between braces: `{100 max gradients/0 over entries:.1f ±}`.

    Attributes:
        factor: multiplies the number.
        how: mean (the default), min, max, median, count or distinct (how many), over holes.
        path: the field; `a/0/b` goes into what it holds.
        by, other: `over` another field; `times` or `minus` another line, on the holes of both; by
            `wins`, in how many problems this line is not behind the other, with a factor allowed.
        spec: the format; `auto` for three decimals or powers of ten; with ` ±`, the standard
            deviation over seeds too.
    """

    factor: float
    how: str
    path: str
    by: str | None
    other: str
    spec: str


def table(ask: str | dict[str, Any], results: Path) -> str:
    """The table that a text asks for, with what made its rows.

    Raises:
        ValueError: the text asks for what is not known.
    """
    ask = tomllib.loads(ask) if isinstance(ask, str) else ask
    if unknown := ask.keys() - KEYS:
        raise ValueError(f"a table has no {sorted(unknown)}; valid: {sorted(KEYS)}")
    file = f"{ask['from']}.jsonl"
    command = ask.get("command", f"python -m benchmarks.{ask['from']}")
    rows, quotes = chosen(jobs.lines(results / file), ask), []
    if not rows:
        return ask.get("none", f"Not measured yet: `{command}`.") + "\n"
    if "quoted" in ask:
        quotes = chosen(jobs.lines(results / QUOTED), {"where": ask["quoted"]})
    heads, lines = body(rows, quotes, ask)
    rule = ["---", *["---:"] * (len(heads) - 1)]
    drawn = "\n".join(f"| {' | '.join(line)} |" for line in (heads, rule, *lines))
    notes = [] if file == QUOTED else [made_by(rows, command)]
    notes += [taken_from(own)] if (own := rows if file == QUOTED else quotes) else []
    return f"{drawn}\n\n{' '.join(notes)}\n"


def body(
    rows: Sequence[Row], quotes: Sequence[Row], ask: dict[str, Any]
) -> tuple[list[str], list[list[str]]]:
    """Headings and lines."""
    fields, across = ask.get("line", []), ask.get("across")
    columns: list[Any] = ranked(rows, across, ask) if across else [None]
    groups: Groups = {}
    for row in rows:
        groups.setdefault(tuple(at(row, name) for name in fields), []).append(row)
    if ask.get("shared"):
        groups = {place: on_shared(own, across, columns) for place, own in groups.items()}
    parts = [split(groups, across, column, ask) for column in columns]
    shown, whole, aside = (ask.get(name, {}) for name in ("cells", "whole", "beside"))
    heads = [word(HEADS.get(name, name.rpartition("/")[2]), ask) for name in fields]
    for column in columns:
        words = [word(column, ask)] if across else []
        heads += [", ".join([*words, *([head] if head else [])]) for head in shown]
    heads += [*whole, *aside]
    labels, only = [str(place[-1]) for place in groups if place], ask.get("only")
    published = {called(row, labels): row for row in quotes}
    lines = []
    for place in ordered(rows, groups, ask):
        cells = [cell(text, place, own, ask) for own in parts for text in shown.values()]
        cells += [cell(text, place, groups, ask) for text in whole.values()]
        line = [word(one, ask) for one in place]
        if line and not across:
            line[-1] += partly(place, groups)
        quote = published.pop(str(place[-1]), None) if place else None
        if (any(cells) or quote) and (not only or place[-1] in only):
            lines.append([*line, *cells, *quoted(quote, aside)])
    blank = [""] * (len(heads) - 1 - len(aside))
    for row in published.values():
        lines.append([f"{row['method']} (quoted)", *blank, *quoted(row, aside)])
    return heads, lines


def split(groups: Groups, across: str | None, column: Any, ask: dict[str, Any]) -> Groups:
    """The rows of one column; with `complete`, of lines that have all of its problems."""
    if across is None:
        return groups
    own = {p: [row for row in rows if at(row, across) == column] for p, rows in groups.items()}
    most = max(map(problems, own.values()))
    complete = ask.get("complete")
    return {p: [] if complete and problems(rows) < most else rows for p, rows in own.items()}


def on_shared(rows: list[Row], across: str, columns: Sequence[Any]) -> list[Row]:
    """The rows on holes that every column has; all of them if there are none."""
    have = [{hole(row) for row in rows if at(row, across) == one} for one in columns]
    both = set.intersection(*have)
    return [row for row in rows if hole(row) in both] or rows


def called(quote: Row, labels: Sequence[str]) -> str:
    """The line that a quoted number belongs to: the method of that name, as in its paper first."""
    ours = quote["method"].lower().replace("-", "_")
    return next((name for name in (f"{ours}:paper", ours) if name in labels), quote["method"])


def quoted(row: Row | None, aside: dict[str, str]) -> list[str]:
    """The columns of quoted numbers."""
    return [cell(text, (), {(): [row] if row else []}, {}) for text in aside.values()]


def ranked(rows: Sequence[Row], field: str, ask: dict[str, Any]) -> list[Any]:
    """The values of a field: as asked for, numbers by size, others as they come."""
    values = dict.fromkeys(at(row, field) for row in rows)
    asked = ask.get("where", {}).get(field)
    known = [one for one in (asked if isinstance(asked, list) else ()) if one in values]
    rest = [one for one in values if one not in known]
    numbers = all(isinstance(one, int | float) for one in rest)
    return [*known, *(sorted(rest) if numbers else rest)]


def ordered(rows: Sequence[Row], groups: Groups, ask: dict[str, Any]) -> list[Place]:
    """The lines: by their leading fields, then by the field that orders them."""
    fields, most = ask.get("line", []), [f"-{path}" for path in ask.get("most", [])]
    ranks = [ranked(rows, field, ask) for field in fields]
    by = ask.get("order", next(iter([*ask.get("least", []), *most]), "given"))

    def rank(place: Place) -> tuple[float, ...]:
        where = tuple(own.index(one) for own, one in zip(ranks, place, strict=True))
        if by == "given":
            return where
        mean = average(groups[place], by.removeprefix("-"))[0]
        last = float("inf") if mean is None else -mean if by.startswith("-") else mean
        return (last,) if ask.get("mixed") else (*where[:-1], last)

    return sorted(groups, key=rank)


def partly(place: Place, groups: Groups) -> str:
    """How many of the problems a line was measured on, if not on all."""
    own, most = problems(groups[place]), max(map(problems, beside(place, groups).values()))
    return f" ({own} of {most})" if own < most else ""


def cell(text: str, place: Place, groups: Groups, ask: dict[str, Any]) -> str:
    """A text with its fields filled in; empty if the rows have none of them."""
    found = False

    def fill(match: re.Match[str]) -> str:
        nonlocal found
        field = parsed(match.group(1))
        written = shown(field, place, groups, ask)
        if written is None:
            return EMPTY
        found = True
        can_lead = field.path in (*ask.get("least", []), *ask.get("most", []))
        can_lead &= field.how == "mean" and field.by is None
        if can_lead and place == leader(field.path, place, groups, ask):
            return f"**{written}**"
        return word(written, ask)

    filled = re.sub(r"\{([^}]+)\}", fill, text)
    return filled if found else ""


def parsed(text: str) -> Field:
    """The field that a text between braces is.

    Raises:
        ValueError: it is none.
    """
    inside, spec = text, ""
    if re.search(r":[^:/ ]+( ±)?$", text):
        inside, _, spec = text.rpartition(":")
    match = FIELD.fullmatch(inside)
    if match is None:
        raise ValueError(f"{{{text}}} is no field of a table")
    factor, how, path, by, other = match.groups()
    return Field(float(factor or 1), how or "mean", path, by, other or "", spec)


def shown(field: Field, place: Place, groups: Groups, ask: dict[str, Any]) -> str | None:
    """A field as text; None if no row has it."""
    rows = groups.get(place, [])
    values = [one for row in rows if (one := value(row, field.path)) is not None]
    if field.how in ("count", "distinct"):
        return str(len(values if field.how == "count" else set(values)))
    if not values:
        return None
    if isinstance(values[-1], bool | str | list | dict):
        return word(values[-1], {})
    if field.by == "wins":
        return wins(field.path, place, groups, field.other, ask)
    mean = number(field, values, place, groups)
    if mean is None:
        return None
    spec, deviation = field.spec.removesuffix(" ±"), average(rows, field.path)[1]
    text = formatted(mean * field.factor, spec)
    if deviation is None or spec == field.spec:
        return text
    return f"{text} ± {formatted(deviation * field.factor, spec)}"


def number(field: Field, values: list[float], place: Place, groups: Groups) -> float | None:
    """The number that a field is; None where what it is set against is not there."""
    rows, how = groups[place], {"min": min, "max": max, "median": median}.get(field.how)
    mean = how(values) if how else average(rows, field.path)[0]
    if field.by is None or mean is None:
        return mean
    if field.by == "over" and how:
        pairs = [(value(row, field.path), value(row, field.other)) for row in rows]
        return how([above / below for above, below in pairs if above is not None and below])
    if field.by == "over":
        base = average(rows, field.other)[0]
        return mean / base if base else None
    named = {str(p[-1]): own for p, own in beside(place, groups).items()}
    ours, theirs = by_hole(rows, field.path), by_hole(named.get(field.other, []), field.path)
    if not (both := ours.keys() & theirs.keys()):
        return None
    mean, base = fmean(ours[one] for one in both), fmean(theirs[one] for one in both)
    return mean - base if field.by == "minus" else mean / base


def formatted(x: float, spec: str) -> str:
    if spec == "auto":
        spec = ".3f" if 1e-3 <= abs(x) < 100 or x == 0 else ".1e"
    return f"{x:{spec or 'g'}}"


def word(one: Any, ask: dict[str, Any]) -> str:
    """A value in words."""
    names = ask.get("names", {})
    if str(one) in names:
        return str(names[str(one)])
    if isinstance(one, list):
        return " x ".join(map(str, one))
    if isinstance(one, bool):
        return "yes" if one else "no"
    if isinstance(one, int | float):
        return f"{one:,}" if isinstance(one, int) and one >= 10_000 else f"{one:g}"
    return EMPTY if one is None else str(one)


def made_by(rows: Sequence[Row], command: str) -> str:
    """The command, and what rows say of where and how often they were measured."""
    versions: dict[str, None] = {}
    for row in rows:
        own = row.get("versions", {})
        if "." in row.get("version", ""):  # a peer's row has the hash of its script
            own = {"jaximpute": row["version"], **own}
        own = {**own, "PyTorch": row.get("torch")}
        versions |= dict.fromkeys(f"{name} {one}" for name, one in own.items() if one)
    devices = dict.fromkeys(row["device"] for row in rows if "device" in row)
    seeds = {row["seed"] for row in rows if "seed" in row}
    some = [f"{len(seeds)} seeds" if len(seeds) > 1 else "one seed"] if seeds else []
    some += ["quick settings"] if any(row.get("quick") for row in rows) else []
    days = sorted({row["run"][:10] for row in rows if "run" in row})
    settings = ", ".join([*devices, *versions, *some, *days])
    return f"`{command}`: {settings}." if settings else f"`{command}`."


def taken_from(quotes: Sequence[Row]) -> str:
    sources = ", ".join(dict.fromkeys(row["source"] for row in quotes))
    return f"Quoted from {sources}, not run here."
