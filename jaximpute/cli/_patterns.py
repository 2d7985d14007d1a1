"""The part of `jaximpute inspect` about which columns are missing together."""

from typing import Any

import typer

from jaximpute._terminal import visible
from jaximpute.cli.common import split_dims

_MOST_PATTERNS, _MOST_NAMES = 10, 6


def print_patterns(table: Any, time: str | None, dims: str | None, group: Any) -> None:
    """Print the most frequent patterns, the flux of the columns, and Little's test.

    Args:
        table: the container.
        time: its time axis.
        dims: of fields.
        group: columns that tell series apart.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from jaximpute.tasks.diagnose import missingness

    found = missingness(table, time=time, group=group, dims=split_dims(dims))
    console = Console(width=None if Console().is_terminal else 120)
    names, rows = list(found.flux.index), found.patterns["rows"]
    shown = Table(title="missing together", title_justify="left")
    shown.add_column("rows", justify="right")
    shown.add_column("%", justify="right")
    shown.add_column("columns", overflow="fold")
    for number in range(min(len(rows), _MOST_PATTERNS)):
        lacks = [n for n, seen in zip(names, found.patterns.iloc[number], strict=False) if not seen]
        more = f" and {len(lacks) - _MOST_NAMES} more" if len(lacks) > _MOST_NAMES else ""
        text = ", ".join(map(visible, lacks[:_MOST_NAMES])) + more if lacks else "(nothing)"
        count = int(rows.iloc[number])
        shown.add_row(str(count), f"{100 * count / rows.sum():.1f}", Text(text))
    if len(rows) > _MOST_PATTERNS:
        shown.caption = f"and {len(rows) - _MOST_PATTERNS} patterns more"
    console.print(shown)
    flux = Table(
        title="flux: influx = others can tell it, outflux = it can tell others",
        title_justify="left",
    )
    for head in ("column", "observed", "influx", "outflux"):
        flux.add_column(head, justify="left" if head == "column" else "right", overflow="fold")
    for name, line in zip(names, found.flux.to_numpy(), strict=True):
        flux.add_row(Text(visible(name)), *(f"{number:.2f}" for number in line))
    console.print(flux)
    if found.little is None:
        typer.echo(f"Little's test cannot be made: {visible(found.why)}")
        return
    test = found.little
    typer.echo(
        f"Little's test of missing completely at random: p = {test.p_value:.3g} (chi-square "
        f"{test.statistic:.4g}, {test.df} degrees of freedom, {test.patterns} patterns). A small p "
        "says that it depends on values; a large one does not say that it does not."
    )
