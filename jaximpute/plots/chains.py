"""What chains of `mice` fill in, sweep by sweep. Needs the extra `plot`."""

from typing import TYPE_CHECKING

from jaximpute.plots import new_figure
from jaximpute.tasks.chains import Chains

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST = 12  # columns in one picture
_LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")


def plot_chains(found: Chains) -> "Figure":
    """Means and standard deviations of the filled cells, a line for each chain.

    Lines should cross one another and have no trend. The columns with the largest R-hat come
    first, twelve at most.

    Args:
        found: what `jaximpute.chains` returned.

    Returns:
        A matplotlib figure with a row for each column.

    Raises:
        MissingExtraError: matplotlib is not installed.

    Example:
        >>> import numpy as np, jaximpute as ji
        >>> x = np.random.default_rng(0).normal(size=(50, 2))
        >>> x[:20, 1] = np.nan
        >>> len(plot_chains(ji.chains(x, count=2, sweeps=8)).axes)
        2
    """
    worst = found.r_hat.max(axis=1).fillna(0).to_numpy().argsort(kind="stable")[::-1][:_MOST]
    figure = new_figure(8.0, 0.6 + 1.7 * len(worst))
    grid = figure.subplots(len(worst), 2, squeeze=False, sharex=True)
    for row, i in zip(grid, worst, strict=True):
        for axes, what, traces in zip(row, ("mean", "sd"), (found.mean, found.sd), strict=True):
            for number, trace in enumerate(traces[..., i]):
                axes.plot(range(1, len(trace) + 1), trace, color=_LINES[number % len(_LINES)], lw=1)
            agreement = found.r_hat[what].iloc[i]
            axes.set_title(
                f"{found.columns[i]}: {what}, R-hat {agreement:.2f}", loc="left", fontsize="small"
            )
    for axes in grid[-1]:
        axes.set_xlabel("sweep")
    return figure
