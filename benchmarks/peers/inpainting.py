"""Inpainting by OpenCV and scikit-image, frame by frame; neither is a dependency.

Each function takes and returns `(frames, y, x)` of float32 with NaN in the holes.
"""

from collections.abc import Callable

import numpy as np


def opencv(x: np.ndarray, algorithm: str = "telea", radius: float = 3) -> np.ndarray:
    """`cv2.inpaint` by Telea's or the Navier-Stokes method.

    Telea's adds constants made for values of 0 to 255, so frames are scaled to that range first, in
    float32: on values of order 1 it is twenty times worse.
    """
    import cv2

    flag = {"telea": cv2.INPAINT_TELEA, "navier_stokes": cv2.INPAINT_NS}[algorithm]

    def fill(frame, hole):
        return cv2.inpaint(frame.astype(np.float32), hole.astype(np.uint8), radius, flag)

    return _each(x, _in_bytes(fill))


def scikit_biharmonic(x: np.ndarray) -> np.ndarray:
    """`skimage.restoration.inpaint_biharmonic`."""
    from skimage.restoration import inpaint_biharmonic

    return _each(x, _in_bytes(lambda frame, hole: inpaint_biharmonic(frame, hole)))


def _in_bytes(fill: Callable) -> Callable:
    """Observed values scaled to 0..255 and back."""

    def scaled(frame, hole):
        low, high = frame[~hole].min(), frame[~hole].max()
        size = max(high - low, np.finfo(np.float32).tiny)
        filled = fill(np.where(hole, 0, (frame - low) / size * 255), hole)
        return filled / 255 * size + low

    return scaled


def _each(x: np.ndarray, fill: Callable) -> np.ndarray:
    """Frame by frame, observed entries kept; a frame with none gets the mean of all."""
    result = np.where(np.isnan(x), np.nanmean(x), x)
    for i, frame in enumerate(x):
        hole = np.isnan(frame)
        if hole.any() and not hole.all():
            result[i] = np.where(hole, fill(frame, hole), frame)
    return result.astype(np.float32)
