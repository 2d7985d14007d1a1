"""Pictures of holes, and of what was put into them. Needs the extra `plot`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from jaximpute._errors import DataError, OutputError, need_extra
from jaximpute.data import possible
from jaximpute.data.circles import Circle, wrapped
from jaximpute.data.frames import Container, Frame, read
from jaximpute.files import atomic
from jaximpute.plots import directions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PANELS = 12
_OBSERVED, _FILLED = "#5b7c99", "#d55e00"
_PICTURES = (".png", ".svg", ".pdf")
_MOST_BINS = 1200  # along the rows of a picture of the mask
_MOST_NAMES = 45
_FEW = 300  # points that can be told apart


def plot_imputation(
    before: Container,
    after: Container,
    *,
    time: Any = None,
    columns: Sequence[str] | None = None,
    band: tuple[Container, Container] | None = None,
    circular: Any = None,
) -> "Figure":
    """Observed points and filled ones, a panel for each column, along time or the rows.

    Args:
        before: the data with holes; any container that `impute` takes.
        after: the same, completed.
        time: the time axis, as in `impute`.
        columns: which ones, by name; by default the first twelve that were filled.
        band: completions at the lower and upper ends of intervals, drawn as bars.
        circular: columns of directions, as in `impute`. Their panel is one turn: lines break at
            its end, and bars go on at the other.

    Returns:
        A matplotlib figure; `figure.savefig(path)` keeps it.

    Raises:
        DataError: the two do not have the same shape, or a name that is no column.
        OptionError: `circular` names no column of numbers.
        MissingExtraError: matplotlib is not installed.

    Example:
        >>> import numpy as np
        >>> holed = np.array([[1.0, 4.0], [3.0, np.nan]])
        >>> figure = plot_imputation(holed, np.array([[1.0, 4.0], [3.0, 4.0]]))
        >>> [axes.get_title(loc="left") for axes in figure.axes]
        ['1']
    """
    frame, completed = read_pair(before, after, time)
    frame = frame._replace(columns=possible.tell(frame.columns, None, circular))
    filled = ~frame.mask & completed.mask
    chosen, note = _choose(frame, filled, columns)
    figure = new_figure(9.0, 0.9 + max(1.7, 2.4 - 0.1 * len(chosen)) * max(len(chosen), 1))
    if not chosen:
        figure.text(0.5, 0.5, "nothing was filled", ha="center", va="center", color="0.4")
        return figure
    x, label = _abscissa(frame)
    panels = figure.subplots(len(chosen), 1, sharex=True, squeeze=False)[:, 0]
    ends = [read(end, time).values for end in band or ()]
    for axes, column in zip(panels, chosen, strict=True):
        rows, values = filled[:, column], completed.values[:, column]
        circle = _circle(frame, column)
        if ends:
            low, high = (end[rows, column] for end in ends)
            bars = (x[rows], low, high)
            bars = bars if circle is None else directions.bars(*bars, circle)
            axes.vlines(*bars, color=_FILLED, alpha=0.35, linewidth=1.5, label="interval")
        _panel(axes, frame, values, rows, x, column, circle)
    panels[-1].set_xlabel(label)
    _few_dates(panels[-1], x)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=3, frameon=False)
    if note:
        figure.suptitle(note, x=0.01, ha="left", fontsize="small", color="0.35")
    return figure


def plot_missingness(data: Container, *, time: Any = None) -> "Figure":
    """What is missing: rows (or time) from left to right, a band for each column.

    Args:
        data: any container that `impute` takes.
        time: the time axis, as in `impute`.

    Returns:
        A matplotlib figure. Long data are drawn in bins, the darker the more of them is missing.

    Raises:
        MissingExtraError: matplotlib is not installed.

    Example:
        >>> import numpy as np
        >>> figure = plot_missingness(np.array([[1.0, 4.0], [3.0, np.nan]]))
        >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
        ['0', '1']
    """
    frame = read(data, time)
    x, label = _abscissa(frame)
    missing = ~frame.mask[np.argsort(x, kind="stable")]
    share = _binned(missing)
    count = missing.shape[1]
    figure = new_figure(9.0, min(1.6 + 0.3 * count, 14.0))
    axes = figure.subplots()
    axes.imshow(
        share.T,
        aspect="auto",
        interpolation="nearest",
        cmap=_two_colours(),
        vmin=0,
        vmax=1,
        extent=(0, len(missing), count - 0.5, -0.5),
    )
    every = -(-count // _MOST_NAMES)
    shown = range(0, count, every)
    axes.set_yticks(shown, [short(frame.names[i]) for i in shown])
    axes.set_yticks(np.arange(count - 1) + 0.5, minor=True)
    if count <= _MOST_NAMES:
        axes.grid(which="minor", axis="y", color="white", linewidth=2)
    axes.tick_params(which="both", length=0)
    right = axes.secondary_yaxis("right")
    percent = 100 * missing.mean(axis=0)
    right.set_yticks(shown, [_percent(percent[i]) for i in shown])
    right.tick_params(length=0)
    right.spines[:].set_visible(False)
    _label_rows(axes, np.sort(x), label)
    axes.set_title(
        f"missing: {missing.sum():,} of {missing.size:,} cells ({_percent(percent.mean())})",
        loc="left",
        fontsize="medium",
    )
    return figure


def save(figure: "Figure", path: str, *, force: bool = False) -> None:
    """Write a figure, whole or not at all.

    Args:
        figure: what to write.
        path: where; the suffix (`.png`, `.svg` or `.pdf`) says in which format.
        force: replace a file that exists.

    Raises:
        OutputError: another suffix, or see `files.atomic.replacing`.
    """
    suffix = _suffix(path)
    with atomic.replacing(path, force=force) as file:
        figure.savefig(file, format=suffix[1:])


def check(path: str, *, force: bool = False) -> None:
    """Refuse a picture that `save` would refuse, before the work is done.

    Raises:
        OutputError: see `save`.
        MissingExtraError: matplotlib is not installed.
    """
    _need_matplotlib()
    _suffix(path)
    atomic.check(path, force=force)


def _need_matplotlib() -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise need_extra("matplotlib", "plot", "A plot") from error


def _suffix(path: str) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in _PICTURES:
        raise OutputError(f"{path} has the suffix '{suffix}'; expected {', '.join(_PICTURES)}")
    return suffix


def read_pair(before: Container, after: Container, time: Any) -> tuple[Frame, Frame]:
    """The same data with holes and completed.

    Raises:
        DataError: the two do not have the same shape.
    """
    frame, completed = read(before, time), read(after, time)
    if completed.values.shape != frame.values.shape:
        raise DataError(
            f"before has {frame.values.shape} rows and columns and after {completed.values.shape}; "
            "expected the same"
        )
    return frame, completed


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure of that size in inches, free of matplotlib's global state."""
    _need_matplotlib()
    from matplotlib.figure import Figure

    # no pyplot: it has a global state, and may look for a display
    return Figure(figsize=(width, height), dpi=150, layout="constrained")


def _choose(
    frame: Frame, filled: np.ndarray, columns: Sequence[str] | None
) -> tuple[list[int], str]:
    if columns is not None:
        unknown = [name for name in columns if name not in frame.names]
        if unknown:
            raise DataError(
                f"no column is called '{unknown[0]}'; columns: {', '.join(frame.names)}"
            )
        return [frame.names.index(name) for name in columns], ""
    with_gaps = np.flatnonzero(filled.any(axis=0)).tolist()
    if len(with_gaps) <= MOST_PANELS:
        return with_gaps, ""
    return with_gaps[:MOST_PANELS], f"{MOST_PANELS} of {len(with_gaps)} columns that were filled"


def _abscissa(frame: Frame) -> tuple[np.ndarray, str]:
    if frame.stamps is None:
        return np.arange(len(frame.values)), "row"
    labels = frame.stamps.labels
    if isinstance(labels, pd.PeriodIndex):
        labels = labels.to_timestamp()
    elif frame.stamps.seconds is not None and not isinstance(labels, pd.TimedeltaIndex):
        labels = pd.to_datetime(labels, format="ISO8601")
    if not isinstance(labels, pd.DatetimeIndex):
        return frame.stamps.ticks, "time"
    return labels.tz_localize(None).to_numpy(), "time"


def _circle(frame: Frame, column: int) -> Circle | None:
    """The turn that a column of directions is drawn in; None for other columns."""
    if (period := frame.columns[column].period) is None:
        return None
    return directions.turn(period, frame.values[frame.mask[:, column], column])


def _panel(
    axes: "Axes",
    frame: Frame,
    values: np.ndarray,
    filled: np.ndarray,
    x: np.ndarray,
    column: int,
    circle: Circle | None,
) -> None:
    about = frame.columns[column]
    order = np.argsort(x, kind="stable")
    observed = np.where(frame.mask[:, column], frame.values[:, column], np.nan)[order]
    along, dots = x[order], values[filled]
    if circle is not None:
        observed, dots = (wrapped(y, circle) for y in (observed, dots))
        along, observed = directions.broken(along, observed, circle.period)
    size = 5.0 if len(x) < _FEW else 3.0
    # lines only where neighbouring rows are neighbours in time; they break at holes
    joined = frame.kind == "series" and frame.shape[0] == 1 and not about.levels
    axes.plot(
        along,
        observed,
        linestyle="-" if joined else "none",
        linewidth=0.8,
        marker="o",
        markersize=size if not joined or len(x) < _FEW else 1.0,  # seen where no line is
        color=_OBSERVED,
        markeredgewidth=0,
        label="observed",
    )
    axes.plot(
        x[filled],
        dots,
        linestyle="none",
        marker="o",
        markersize=size,
        color=_FILLED,
        markeredgewidth=0,
        label="filled",
        zorder=3,
    )
    axes.set_title(about.name, loc="left", fontsize="medium")
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.01)
    if circle is not None:
        directions.mark(axes, circle)
    if about.levels:
        every = -(-len(about.levels) // 6)
        shown = range(0, len(about.levels), every)
        axes.set_yticks(shown, [short(str(about.levels[i])) for i in shown])
        axes.set_ylim(-0.5, len(about.levels) - 0.5)


def _binned(missing: np.ndarray) -> np.ndarray:
    edges = np.linspace(0, len(missing), min(len(missing), _MOST_BINS) + 1).astype(int)
    counts = np.add.reduceat(missing.astype(float), edges[:-1], axis=0)
    return counts / np.diff(edges)[:, None]


def _few_dates(axes: "Axes", x: np.ndarray) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    if x.dtype.kind == "M":
        locator = AutoDateLocator(minticks=3, maxticks=9)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def _label_rows(axes: "Axes", x: np.ndarray, label: str) -> None:
    axes.set_xlabel(label)
    if label == "row":
        return
    places = np.unique(np.linspace(0, len(x) - 1, 6).astype(int))
    axes.set_xticks(places + 0.5, [_stamp(x, int(place)) for place in places])


def _stamp(x: np.ndarray, place: int) -> str:
    if x.dtype.kind != "M":
        return f"{x[place]:g}"
    unit = "D" if x[-1] - x[0] > np.timedelta64(10, "D") else "m"
    return str(x[place].astype(f"datetime64[{unit}]")).replace("T", " ")


def _two_colours() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("holes", ["#dfe6ec", _FILLED])


def short(name: str, most: int = 24) -> str:
    """A name as far as there is room."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _percent(value: float) -> str:
    return f"{value:.0f} %" if value >= 10 or value == 0 else f"{value:.2g} %"
