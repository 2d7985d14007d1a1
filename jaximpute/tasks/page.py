"""One page about a completion: self-contained, escaped, and readable on a phone and on paper."""

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import pandas as pd

from jaximpute._terminal import visible
from jaximpute.tasks.diagnose import Missingness
from jaximpute.tasks.evaluate import OVERALL
from jaximpute.tasks.report import Report, in_one_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_ROWS, _MOST_PATTERNS = 60, 10
_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { padding: .2rem .7rem .2rem 0; text-align: right; border-bottom: 1px solid #8884; }
th:first-child, td:first-child { text-align: left; overflow-wrap: anywhere; }
img { max-width: 100%; background: #fff; }
code { overflow-wrap: anywhere; }
.warning { border-left: .25rem solid #d55e00; padding-left: .7rem; }
@media print { body { max-width: none; } h2 { break-after: avoid; } img, tr { break-inside: avoid; }
}
"""
# nothing is fetched and nothing is run, whatever the data hold
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(
    name: str,
    report: Report,
    holes: Missingness,
    *,
    figures: Mapping[str, "Figure"] | None = None,
    scores: pd.DataFrame | None = None,
    repeat: str = "",
) -> str:
    """What was missing, what was done, how sure it is, and how to repeat it, as HTML.

    Args:
        name: of the data, for the title.
        report: of `impute_with_report`, with `interval` or without.
        holes: of `missingness`.
        figures: pictures by what stands below them.
        scores: of `evaluate`, of the method and simple ones beside it.
        repeat: the command that made it.

    Returns:
        One file without scripts and without links to others; all texts are escaped.

    Example:
        >>> import numpy as np, jaximpute as ji
        >>> x = np.array([[1.0, 4.0], [3.0, np.nan]])
        >>> done = ji.impute_with_report(x, "mean")
        >>> text = page("<b>", done.report, ji.missingness(x))
        >>> "&lt;b&gt;" in text, "<b>" in text
        (True, False)
    """
    parts = [
        f"<h1>{_text(name)}: what was missing, and what was filled in</h1>",
        *_missing(report, holes),
        *_done(report, scores),
        *_intervals(report),
        *_pictures(figures or {}),
    ]
    if warnings := report["warnings"]:
        parts.append("<h2>Warnings</h2>")
        parts += [f'<p class="warning">{_text(warning)}</p>' for warning in warnings]
    parts.append("<h2>How to repeat it</h2>")
    if repeat:
        parts.append(f"<p><code>{_text(repeat)}</code></p>")
    versions = ", ".join(f"{key} {value}" for key, value in report["versions"].items())
    parts.append(
        f"<p>Seed {report['seed']}. {_text(versions)}. Data {_text(report['hashes'])}.</p>"
    )
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(name)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n"
        "</body>\n</html>\n"
    )


def _missing(report: Report, holes: Missingness) -> list[str]:
    total = sum(report["missing"].values())
    left = sum(one["cells"] for one in report["left_empty"].values())
    lines = [
        [name, count, f"{count / report['rows']:.1%}"] for name, count in report["missing"].items()
    ]
    patterns = holes.patterns
    own = []
    for number in range(min(len(patterns), _MOST_PATTERNS)):
        row = patterns.iloc[number]
        lacks = [
            str(column) for column, seen in zip(holes.flux.index, row, strict=False) if not seen
        ]
        own.append([", ".join(lacks) or "(nothing)", int(row.iloc[-2])])
    little = holes.little
    test = (
        f"Little's test: p = {little.p_value:.3g}. A small p says that the holes depend on values; "
        "a large one does not say that they do not."
        if little is not None
        else f"Little's test cannot be made: {holes.why}."
    )
    return [
        "<h2>What was missing</h2>",
        f"<p>A {_text(report['kind'])} of {report['rows']} rows and {report['columns']} columns, "
        f"in which {total} cells were missing. {report['filled']} were filled, {left} left "
        "empty.</p>",
        _table(["column", "missing", "share"], lines),
        "<h2>Missing together</h2>",
        _table(["columns", "rows"], own),
        f"<p>{_text(test)}</p>",
    ]


def _done(report: Report, scores: pd.DataFrame | None) -> list[str]:
    options = ", ".join(f"{key} = {value}" for key, value in report["options"].items())
    parts = [
        "<h2>What was done</h2>",
        f"<p>Method <code>{_text(report['method'])}</code>, preset "
        f"{_text(report['preset'])}{_text(', ' + options if options else '')}; "
        f"{report['seconds']:.1f} s.</p>",
    ]
    if report.get("chosen", {}).get("weights"):
        parts.append(f"<p>It weighed: {_text(in_one_line(report['chosen']))}.</p>")
    if scores is not None:
        own = scores[(scores["column"] == OVERALL) & (scores["metric"] == "score")]
        lines = [[row["method"], f"{row['mean']:.3f}"] for _, row in own.iterrows()]
        parts += [
            "<p>Observed cells were hidden and filled by several methods. Their mean error, in "
            "standard deviations (of categories the share that is wrong):</p>",
            _table(["method", "error"], lines),
        ]
    return parts


def _intervals(report: Report) -> list[str]:
    if (told := report.get("interval")) is None:
        return []
    sets = told["sets"].items()
    lines = [[name, _share(held), ""] for name, held in told["by_column"].items()]
    lines += [[name, _share(one["coverage"]), f"{one['levels']:.1f}"] for name, one in sets]
    return [
        "<h2>How sure it is</h2>",
        f"<p>Intervals of {told['level']:.0%}, from {told['cells']} observed cells that were "
        "hidden again. Of such cells that did not make them they hold "
        f"{_share(told['coverage'])}. Where cells are missing because of their own value they may "
        "hold less, and no one can tell from the data.</p>",
        _table(["column", "held", "levels in a set"], lines),
    ]


def _pictures(figures: Mapping[str, "Figure"]) -> list[str]:
    parts = ["<h2>Pictures</h2>"] if figures else []
    for caption, figure in figures.items():
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=110)
        data = base64.b64encode(file.getvalue()).decode()
        text = _text(caption)
        parts.append(f'<p><img alt="{text}" src="data:image/png;base64,{data}"><br>{text}</p>')
    return parts


def _table(heads: Sequence[str], lines: Sequence[Sequence[Any]]) -> str:
    def row(cells: Iterable[Any], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{_text(cell)}</{tag}>" for cell in cells) + "</tr>"

    shown = [row(line, "td") for line in lines[:_MOST_ROWS]]
    more = f"<p>and {len(lines) - _MOST_ROWS} more</p>" if len(lines) > _MOST_ROWS else ""
    return f'<div class="wide"><table>{row(heads, "th")}{"".join(shown)}</table></div>{more}'


def _share(held: float | None) -> str:
    return "too few cells to tell" if held is None else f"{held:.1%}"


def _text(value: Any) -> str:
    return escape(visible(str(value)))
