"""A conclusion along the shift of what was filled. Needs the extra `plot`."""

from typing import TYPE_CHECKING

import numpy as np

from jaximpute.plots import new_figure
from jaximpute.tasks.sensitivity import Sensitivity

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LINE, _TIPPED = "#5b7c99", "#d55e00"


def plot_sensitivity(found: Sensitivity, parameter: str | int = 0) -> "Figure":
    """The pooled estimate with its interval along the shift, and where its conclusion tips.

    Args:
        found: what `sensitivity` returned.
        parameter: which one, by name or position.

    Returns:
        A matplotlib figure. Dotted lines stand at the tipping points for p < 0.05.

    Raises:
        OptionError: no such parameter.
        MissingExtraError: matplotlib is not installed.

    Example:
        >>> from jaximpute.tasks.pooling import pool
        >>> pooled = tuple(pool([x, x + 0.1], [0.01, 0.01]) for x in (0.0, 1.0, 2.0))
        >>> found = Sensitivity(np.array([-1.0, 0.0, 1.0]), pooled, ("a",), np.ones((3, 1)))
        >>> plot_sensitivity(found).axes[0].get_title(loc="left")
        '0'
    """
    i = found.position(parameter)
    estimate, low, high = (
        np.array([getattr(one, end)[i] for one in found.pooled])
        for end in ("estimate", "low", "high")
    )
    figure = new_figure(6.0, 3.4)
    axes = figure.subplots()
    level = found.pooled[0].level
    axes.fill_between(found.delta, low, high, color=_LINE, alpha=0.25, linewidth=0)
    axes.plot(found.delta, estimate, ".-", color=_LINE, label=f"estimate, {level:.0%} interval")
    axes.axhline(0, color="0.6", linewidth=0.8)
    axes.axvline(0, color="0.6", linewidth=0.8)
    tipped = [tip for tip in found.tipping(i) if tip is not None]
    for number, tip in enumerate(tipped):
        label = "conclusion tips" if not number else None
        axes.axvline(tip, color=_TIPPED, linestyle=":", label=label)
    axes.set_title(found.pooled[0].names[i], loc="left")
    axes.set_xlabel(f"shift of filled {', '.join(found.columns)}, in standard deviations")
    axes.legend(frameon=False, fontsize="small")
    return figure
