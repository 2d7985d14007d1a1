"""The frame around other libraries' inpainting: scaling, observed entries, empty frames."""

import numpy as np
import pytest

from benchmarks.peers import inpainting


@pytest.mark.fast
def test_frames_are_scaled_to_bytes_and_back():
    x = np.linspace(270, 280, 48).reshape(2, 4, 6).astype(np.float32)
    x[0, 1, 1] = np.nan
    seen = []

    def fill(frame, hole):
        seen.append((frame[~hole].min(), frame[~hole].max()))
        return np.full_like(frame, 127.5)

    filled = inpainting._each(x, inpainting._in_bytes(fill))
    np.testing.assert_allclose(seen, [(0, 255)], atol=1e-3)  # the whole frame is left alone
    middle = (np.nanmin(x[0]) + np.nanmax(x[0])) / 2
    np.testing.assert_allclose(filled[0, 1, 1], middle, rtol=1e-6)
    np.testing.assert_array_equal(filled[~np.isnan(x)], x[~np.isnan(x)])


@pytest.mark.fast
def test_an_empty_frame_gets_the_mean():
    x = np.ones((2, 3, 3), np.float32)
    x[1] = np.nan
    assert (inpainting._each(x, None) == 1).all()
