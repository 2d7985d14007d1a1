"""A montage of images: with their holes, and completed. Needs the extra `plot`."""

from typing import TYPE_CHECKING

import numpy as np

from jaximpute._errors import DataError
from jaximpute.plots import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_IMAGES = 10


def plot_images(before: np.ndarray, after: np.ndarray, truth: np.ndarray | None = None) -> "Figure":
    """Images with holes in the first row, completed in the second, as they were in a third.

    Args:
        before: `(n, y, x, channels)`, NaN where missing, of one or three channels (of others the
            first is drawn).
        after: the same, completed.
        truth: the same, complete; left out where it is not known.

    Returns:
        A matplotlib figure of the first ten images that have holes.

    Raises:
        DataError: shapes that differ, or no stack of images.
        MissingExtraError: matplotlib is not installed.

    Example:
        >>> import numpy as np
        >>> before = np.full((1, 4, 4, 1), np.nan)
        >>> len(plot_images(before, np.zeros((1, 4, 4, 1))).axes)
        2
    """
    rows = {"with holes": before, "completed": after} | ({} if truth is None else {"true": truth})
    shapes = {np.shape(stack) for stack in rows.values()}
    if len(shapes) > 1 or np.ndim(before) != 4:
        raise DataError(f"stacks of shapes {shapes}; expected one, (n, y, x, channels)")
    with_holes = np.flatnonzero(np.isnan(before).reshape(len(before), -1).any(axis=1))
    chosen = with_holes[:MOST_IMAGES] if with_holes.size else np.arange(min(len(before), 1))
    low, high = float(np.nanmin(after)), float(np.nanmax(after))
    figure = new_figure(1.1 * len(chosen) + 0.4, 1.2 * len(rows))
    panels = figure.subplots(len(rows), len(chosen), squeeze=False)
    for (name, stack), line in zip(rows.items(), panels, strict=True):
        for axes, i in zip(line, chosen, strict=True):
            axes.imshow(_picture(stack[i], low, high), vmin=0, vmax=1, cmap="gray")
            axes.set(xticks=[], yticks=[])
        line[0].set_ylabel(name, fontsize="small")
    return figure


def _picture(image: np.ndarray, low: float, high: float) -> np.ndarray:
    """Pixels in 0..1; missing ones are red, or a channel's own mean grey if others are there."""
    channels = image if image.shape[-1] == 3 else np.repeat(image[..., :1], 3, axis=-1)
    scaled = (channels - low) / max(high - low, 1e-12)
    missing = np.isnan(scaled)
    whole = missing.all(axis=-1, keepdims=True)
    red = np.array([0.84, 0.37, 0.0])
    return np.clip(np.where(whole, red, np.where(missing, 0.5, scaled)), 0, 1)
