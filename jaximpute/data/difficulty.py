"""How hard a missing cell is: how far away what is observed lies, or how little of it there is."""

import numpy as np
from scipy.ndimage import distance_transform_edt, uniform_filter

from jaximpute.data import series
from jaximpute.data.frames import Frame

_NEAR = 5  # cells along each axis


def difficulty(frame: Frame, mask: np.ndarray) -> np.ndarray:
    r"""A number that grows with what is hard about each cell, whatever its column.

    - Of a series, with :math:`a` and :math:`b` steps to the nearest observations of its channel
      before and after, :math:`a b / (a + b)`, to which the variance of a random walk between the
      two is proportional; at the ends, where there is one, its distance.
    - Of images and fields, the distance to the nearest observed cell of the variable, in cells of
      its grid and steps of its time, and what is missing within two cells, as a share: of cells as
      far away, those with fewer neighbours are harder.
    - Of a table, how many cells of the row are missing.

    Args:
        frame: whose cells they are.
        mask: `(rows, columns)`, True = observed; the frame's own, or one with more holes.

    Returns:
        `(rows, columns)`; it means something where a cell is missing.

    Example:
        >>> from jaximpute.data.frames import read
        >>> x = np.array([1.0, np.nan, np.nan, np.nan, 2.0]).reshape(1, 5, 1)
        >>> frame = read(x)
        >>> difficulty(frame, frame.mask)[:, 0].tolist()
        [0.0, 0.75, 1.0, 0.75, 0.0]
    """
    if frame.kind == "table":
        learned = [i for i, column in enumerate(frame.columns) if column.holds_values]
        count = (~mask[:, learned]).sum(axis=1, keepdims=True)
        return np.broadcast_to(count, mask.shape).astype(float)
    if frame.kind == "series":
        axis, _ = series.make_axis(frame.stamps, frame.shape[1])
        placed = series.place(axis, np.where(mask, 1.0, np.nan), frame.shape[0])
        return series.take(axis, _between(~np.isnan(placed), axis.positions))
    lies = mask.reshape(frame.shape)
    return np.stack(
        [
            np.stack([_away(sample[..., i]) for i in range(frame.shape[-1])], axis=-1)
            for sample in lies
        ]
    ).reshape(mask.shape)


def _between(observed: np.ndarray, positions: np.ndarray | None) -> np.ndarray:
    """Of series `(n, time, channels)`."""
    length = observed.shape[1]
    spot = np.arange(length, dtype=float) if positions is None else np.asarray(positions, float)
    here = np.broadcast_to(spot[None, :, None], observed.shape)
    last = np.maximum.accumulate(np.where(observed, here, -np.inf), axis=1)
    after = np.where(observed, here, np.inf)[:, ::-1]
    following = np.minimum.accumulate(after, axis=1)[:, ::-1]
    a, b = here - last, following - here
    far = np.isinf(a) | np.isinf(b)
    a, b = np.where(np.isinf(a), b, a), np.where(np.isinf(b), a, b)
    a, b = (np.where(np.isinf(one), spot[-1] - spot[0] + 1.0, one) for one in (a, b))
    both = np.divide(a * b, a + b, out=np.zeros_like(a), where=a + b > 0)
    return np.where(far, np.minimum(a, b), both)


def _away(observed: np.ndarray) -> np.ndarray:
    """Of one sample of one variable."""
    if not observed.any():
        return np.full(observed.shape, float(max(observed.shape)))
    missing = uniform_filter((~observed).astype(float), _NEAR, mode="nearest")
    return distance_transform_edt(~observed) + np.clip(missing, 0, 1)
