"""Arrays in NumPy's files: masks, shapes, what is refused, and the command line on images."""

import io

import numpy as np
import pytest

import jaximpute as ji
from jaximpute import DataError
from jaximpute.files.arrays import cast, completed, read_stack
from jaximpute.plots.montage import plot_images
from tests.helpers.commands import call


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


@pytest.mark.fast
def test_a_mask_makes_nan_and_may_leave_out_last_axes():
    x, mask = images()
    found = read_stack(packed(images=x, mask=mask), "x.npz").values
    np.testing.assert_array_equal(np.isnan(found), np.repeat(~mask[..., None], 3, axis=-1))
    np.testing.assert_array_equal(found[mask], x[mask])
    whole = np.uint8(200 * mask)
    stack = read_stack(packed(a=whole), "x.npz")
    assert (stack.held.dtype, stack.name) == (np.uint8, "a")


@pytest.mark.fast
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


@pytest.mark.fast
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


@pytest.mark.fast
def test_a_montage_shows_images_that_have_holes():
    x, mask = images(3)
    holed = np.where(mask[..., None], x, np.nan)
    holed[1] = x[1]
    assert len(plot_images(holed, x, x).axes) == 3 * 2
    with pytest.raises(ji.DataError, match="expected one"):
        plot_images(holed, x[:2])


def complete(tmp_path, array, *options, mask=None, name="in.npy", out="out.npy"):
    if name.endswith(".npz"):
        np.savez(tmp_path / name, readings=array, **({} if mask is None else {"mask": mask}))
    else:
        np.save(tmp_path / name, array)
    done = call("impute", tmp_path / name, "-o", tmp_path / out, "--method", "mean", *options)
    assert done.exit_code == 0, done.stderr
    return np.load(tmp_path / out)


@pytest.mark.parametrize("dtype", ["<f8", ">f8", "<f4", ">f4", "<f2"])
@pytest.mark.parametrize("how", [[], ["--block-rows", 2]])
def test_floats_keep_their_type_and_their_bits(tmp_path, dtype, how):
    x = np.array([[0.1, 3.3], [-0.0, np.nan], [0.7, 9.1], [1e-3, 5.5]], dtype)
    found = complete(tmp_path, x, *how)
    assert found.dtype.str == x.dtype.str
    seen = ~np.isnan(x)
    assert found[seen].tobytes() == x[seen].tobytes()
    assert found[1, 1] == pytest.approx((3.3 + 9.1 + 5.5) / 3, rel=1e-3)


@pytest.mark.fast
@pytest.mark.parametrize("dtype", ["<i8", ">i4", "u1", "i2", "?"])
def test_whole_numbers_without_a_gap_come_back(tmp_path, dtype):
    x = np.array([[0, 1], [1, 0], [1, 1]]).astype(dtype)
    if dtype == "<i8":
        x[0] = 16777217, 123456789012345678
    found = complete(tmp_path, x)
    assert found.dtype.str == x.dtype.str
    assert found.tobytes() == x.tobytes()


@pytest.mark.fast
def test_whole_numbers_under_a_mask_stay_whole(tmp_path):
    x = np.array([[16777217, 2], [123456789012, 7], [5, -1], [5, 4]])
    mask = np.array([[True, True], [True, True], [True, False], [True, True]])
    found = complete(tmp_path, x, mask=mask, name="in.npz")
    assert found.dtype == x.dtype
    np.testing.assert_array_equal(found[mask], x[mask])
    assert found[2, 1] == 4  # the mean of 2, 7 and 4, rounded
    complete(tmp_path, x.astype("u1"), mask=mask, name="b.npz", out="b_out.npz")
    with np.load(tmp_path / "b_out.npz") as held:
        assert held.files == ["readings"]
        assert held["readings"].dtype == np.uint8
    np.save(tmp_path / "mask.npy", mask)
    found = complete(tmp_path, x, "--mask", tmp_path / "mask.npy", name="c.npy", out="d.npy")
    assert (found.dtype, found[2, 1]) == (x.dtype, 4)


@pytest.mark.fast
def test_what_a_type_cannot_hold_is_kept_within_it():
    assert cast(np.array([-3.4, 300.0]), np.dtype("u1")).tolist() == [0, 255]
    assert cast(np.array([1e30]), np.dtype("i8"))[0] > 2**62
    assert np.isfinite(cast(np.array([1e9]), np.dtype("f2"))).all()
    whole = np.array([[1], [2]])
    left = completed(whole, np.array([[False], [True]]), np.array([[1.0], [np.nan]]))
    assert left.dtype == np.float64
    assert np.isnan(left[1, 0])
