"""How filled cells are distributed beside observed ones. Needs the extra `plot`."""

from typing import TYPE_CHECKING, Any

import numpy as np

from jaximpute.data.frames import Container
from jaximpute.plots import new_figure, read_pair, short

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_OBSERVED, _FILLED = "#5b7c99", "#d55e00"
_MOST_PANELS, _ACROSS, _MOST_LEVELS, _LONGEST = 12, 3, 12, 16


def plot_densities(before: Container, after: Container, *, time: Any = None) -> "Figure":
    """Observed cells and filled ones as distributions, a panel for each column that was filled.

    Two that differ are no fault: cells that are missing by the values of others have another
    distribution. Filled cells far from all that was observed, or all at one place, deserve a look.

    Args:
        before: the data with holes.
        after: the same, completed.
        time: the time axis, as in `impute`.

    Returns:
        A matplotlib figure of the first twelve columns that were filled: numbers in bins, levels as
        shares.

    Raises:
        DataError: the two do not have the same shape.
        MissingExtraError: matplotlib is not installed.

    Example:
        >>> holed = np.array([[1.0, 4.0], [3.0, np.nan], [2.0, 5.0]])
        >>> figure = plot_densities(holed, np.nan_to_num(holed, nan=4.5))
        >>> [axes.get_title(loc="left") for axes in figure.axes]
        ['1']
    """
    frame, completed = read_pair(before, after, time)
    filled = ~frame.mask & completed.mask
    chosen = np.flatnonzero(filled.any(axis=0))[:_MOST_PANELS].tolist()
    lines = max(1, -(-len(chosen) // _ACROSS))
    figure = new_figure(9.0, 0.6 + 1.9 * lines)
    if not chosen:
        figure.text(0.5, 0.5, "nothing was filled", ha="center", va="center", color="0.4")
        return figure
    panels = figure.subplots(lines, _ACROSS, squeeze=False).ravel()
    for axes, i in zip(panels, chosen, strict=False):
        parts = frame.values[frame.mask[:, i], i], completed.values[filled[:, i], i]
        if frame.columns[i].levels:
            _bars(axes, parts, completed.columns[i].levels, frame.columns[i].levels)
        else:
            edges = np.histogram_bin_edges(np.concatenate(parts), bins=30)
            for values, color in zip(parts, (_OBSERVED, _FILLED), strict=True):
                if len(values):
                    how = {"weights": np.full(len(values), 1 / len(values)), "color": color}
                    axes.hist(values, edges, histtype="stepfilled", alpha=0.25, **how)
                    axes.hist(values, edges, histtype="step", **how)
        axes.set_title(
            short(frame.names[i], _LONGEST), loc="left", fontsize="medium", parse_math=False
        )
        axes.set_yticks([])
        axes.tick_params(labelsize="small")
    for axes in panels[len(chosen) :]:
        axes.remove()
    marks = [
        figure.axes[0].plot([], [], color=color, label=label)[0]
        for color, label in ((_OBSERVED, "observed"), (_FILLED, "filled"))
    ]
    figure.legend(handles=marks, loc="outside upper right", ncols=2, frameon=False)
    return figure


def _bars(axes: Any, parts: Any, after: Any, before: Any) -> None:
    """Shares of the most frequent levels; the two containers may number them in another order."""
    named = [
        np.array([str(levels[int(code)]) for code in codes])
        for codes, levels in zip(parts, (before, after), strict=True)
    ]
    names, counts = np.unique(np.concatenate(named), return_counts=True)
    names = names[np.argsort(-counts, kind="stable")][:_MOST_LEVELS]
    place = np.arange(len(names))
    for values, color, off in zip(named, (_OBSERVED, _FILLED), (-0.2, 0.2), strict=True):
        share = [(values == name).mean() if len(values) else 0.0 for name in names]
        axes.bar(place + off, share, 0.4, color=color)
    axes.set_xticks(place, [short(name, _LONGEST) for name in names], parse_math=False, rotation=30)
