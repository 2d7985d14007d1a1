"""Arrays in NumPy's files: masks, shapes, what is refused, and the command line on images."""

import io

import numpy as np
import pytest

import jaximpute as ji
from jaximpute import DataError
from jaximpute.data.stacks import read_stack
from jaximpute.montage import plot_images
from tests.test_cli import call

pytestmark = pytest.mark.fast


def packed(**arrays) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def images(n=4):
    """Smooth images, a third of the pixels gone in all channels."""
    t = np.linspace(0, 3, 8)
    x = np.sin(t[:, None] + t[None] + np.arange(n)[:, None, None])
    x = np.repeat(x[..., None], 3, axis=-1).astype(np.float32)
    mask = np.random.default_rng(0).random((n, 8, 8)) > 0.3
    return x, mask


def test_a_mask_makes_nan_and_may_leave_out_last_axes():
    x, mask = images()
    found = read_stack(packed(images=x, mask=mask), "x.npz")
    np.testing.assert_array_equal(np.isnan(found), np.repeat(~mask[..., None], 3, axis=-1))
    np.testing.assert_array_equal(found[mask], x[mask])
    whole = np.uint8(200 * mask)
    assert read_stack(packed(a=whole), "x.npz").dtype == np.float32


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"a": np.zeros(3), "b": np.zeros(3)}, "holds the arrays a, b; expected one"),
        ({"mask": np.zeros(3, bool)}, "holds the arrays none"),
        ({"a": np.zeros((3, 4)), "mask": np.zeros((4, 3), bool)}, r"shape \(4, 3\); expected"),
        ({"a": np.zeros((3, 4)), "mask": np.zeros((3, 4))}, "of type float64"),
        ({"a": np.array(["x"])}, "holds <U1; expected numbers"),
        ({"a": np.array([np.zeros(2), np.zeros(3)], object)}, "holds objects, not numbers"),
    ],
)
def test_what_cannot_be_read_is_said(arrays, words):
    file = io.BytesIO()
    np.savez(file, **arrays)
    with pytest.raises(DataError, match=words):
        read_stack(file.getvalue(), "x.npz")


def test_a_file_that_is_no_array_is_refused():
    with pytest.raises(DataError, match="no file of one numeric array"):
        read_stack(b"not an array", "x.npy")


def test_images_come_back_filled_with_a_montage(tmp_path):
    x, mask = images()
    np.savez(tmp_path / "in.npz", images=x, mask=mask)
    out, picture = tmp_path / "out.npy", tmp_path / "p.png"
    done = call("impute", tmp_path / "in.npz", "-o", out, "--method", "harmonic", "--plot", picture)
    assert done.exit_code == 0, done.stderr
    filled = np.load(out)
    np.testing.assert_array_equal(filled[mask], x[mask])
    assert np.abs(filled - x)[~mask].mean() < 0.2 < np.abs(x)[~mask].mean()
    assert picture.read_bytes().startswith(b"\x89PNG")
    wrong = call("impute", tmp_path / "in.npz", "-o", tmp_path / "out.csv", "--method", "mean")
    assert wrong.exit_code == 2
    assert "written as .npy or .npz" in wrong.stderr


def test_a_montage_shows_images_that_have_holes():
    x, mask = images(3)
    holed = np.where(mask[..., None], x, np.nan)
    holed[1] = x[1]
    assert len(plot_images(holed, x, x).axes) == 3 * 2
    with pytest.raises(ji.DataError, match="expected one"):
        plot_images(holed, x[:2])
