"""Folders of images: holes by transparency and masks, what comes back, and what is refused."""

import os
import zlib

import numpy as np
import pytest

from jaximpute import DataError, OutputError
from jaximpute.files import pictures
from tests.helpers.commands import call

image = pytest.importorskip("PIL.Image")


@pytest.fixture
def folder(tmp_path):
    """Three smooth colour images of 6 rows and 8 columns, and none else."""
    made = tmp_path / "in"
    made.mkdir()
    y, x = np.mgrid[:6, :8]
    for i in range(3):
        pixels = np.stack([20 * x + i, 30 * y + i, 10 * (x + y)], axis=-1)
        image.fromarray(pixels.astype(np.uint8)).save(made / f"{i}.png")
    (made / "notes.txt").write_text("no image")
    return made


def pixels_of(path):
    with image.open(path) as opened:
        return np.asarray(opened)


def a_mask(shape=(6, 8)):
    mask = np.ones(shape, bool)
    mask[..., 2:4, 3:5] = False
    return mask


def test_a_mask_file_makes_holes_and_completed_images_stand_beside_a_montage(folder, tmp_path):
    image.fromarray(np.uint8(255 * a_mask())).save(tmp_path / "mask.png")
    out = tmp_path / "out"
    run = ("impute", folder, "-o", f"{out}/", "--method", "harmonic", "--mask")
    done = call(*run, tmp_path / "mask.png")
    assert done.exit_code == 0, done.stderr
    assert sorted(f.name for f in out.iterdir()) == ["0.png", "1.png", "2.png", "montage.png"]
    for i in range(3):
        before, after = (pixels_of(at / f"{i}.png") for at in (folder, out))
        assert after.shape == before.shape
        np.testing.assert_array_equal(after[a_mask()], before[a_mask()])
        # the images are planes, which a membrane follows
        assert np.abs(after.astype(int) - before)[~a_mask()].max() <= 1
    again = call(*run, tmp_path / "mask.png")
    assert again.exit_code == 1
    assert "exists" in again.stderr
    np.save(tmp_path / "mask.npy", np.ones((3, 8, 6), bool))
    wrong = call(*run, tmp_path / "mask.npy", "--force")
    assert wrong.exit_code == 3
    assert "has shape (3, 8, 6); expected (3, 6, 8, 3) or its first axes, or (6, 8)" in wrong.stderr


@pytest.mark.fast
def test_what_is_transparent_is_missing_and_comes_back_opaque(folder, tmp_path):
    opaque = np.full((6, 8, 1), 255, np.uint8)
    pixels = np.concatenate([pixels_of(folder / "1.png"), opaque], axis=-1)
    pixels[~a_mask()] = 0
    pixels[0, 0, 3] = 90
    image.fromarray(pixels).save(folder / "1.png")
    read = pictures.read_pictures(str(folder))
    holed = pictures.with_holes(read, str(folder), None)
    np.testing.assert_array_equal(np.isnan(holed[1]).all(-1), ~a_mask())
    assert not np.isnan(holed[[0, 2]]).any()
    pictures.write_pictures(read, np.where(np.isnan(holed), 300.0, holed), str(tmp_path / "out"))
    after = pixels_of(tmp_path / "out" / "1.png")
    assert (after[~a_mask()] == 255).all()
    assert after[0, 0, 3] == 90


@pytest.mark.fast
def test_grey_images_and_a_folder_of_masks(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "masks").mkdir()
    for i, name in enumerate(("a", "b")):
        grey = image.fromarray(np.full((6, 8), 10 * i, np.uint8))
        grey.save(tmp_path / "in" / f"{name}.png")
    image.fromarray(np.uint8(255 * a_mask())).save(tmp_path / "masks" / "a.png")
    read = pictures.read_pictures(str(tmp_path / "in"))
    assert read.values.shape == (2, 6, 8, 1)
    masks = str(tmp_path / "masks")
    with pytest.raises(DataError, match="holds none for b"):
        pictures.with_holes(read, "in", masks)
    image.fromarray(np.zeros((4, 8), np.uint8)).save(tmp_path / "masks" / "b.png")
    with pytest.raises(DataError, match=r"b.png is 8 x 4 pixels, and its image 8 x 6"):
        pictures.with_holes(read, "in", masks)
    image.fromarray(np.full((6, 8), 255, np.uint8)).save(tmp_path / "masks" / "b.png")
    holed = pictures.with_holes(read, "in", masks)
    np.testing.assert_array_equal(np.isnan(holed[0, ..., 0]), ~a_mask())
    assert not np.isnan(holed[1]).any()
    pictures.write_pictures(read, np.nan_to_num(holed), str(tmp_path / "out"))
    assert pixels_of(tmp_path / "out" / "a.png").shape == (6, 8)


@pytest.mark.fast
def test_images_of_different_sizes_are_refused_by_name(folder):
    image.fromarray(np.zeros((5, 8, 3), np.uint8)).save(folder / "1.png")
    image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(folder / "2.png")
    with pytest.raises(DataError, match=r"0.png is 8 x 6 pixels and 1.png is 8 x 5; expected"):
        pictures.read_pictures(str(folder))


def test_other_folders_are_refused(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no image"):
        pictures.read_pictures(str(tmp_path / "empty"))
    (folder / "3.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"cannot read .*3\.png"):
        pictures.read_pictures(str(folder))
    image.fromarray(np.zeros((6, 8), np.uint16)).save(folder / "3.png")
    with pytest.raises(DataError, match="of mode I;16; expected 8 bits"):
        pictures.read_pictures(str(folder))
    (folder / "3.png").unlink()
    image.fromarray(np.zeros((6, 8, 3), np.uint8)).save(folder / "2.jpg")
    with pytest.raises(DataError, match=r"two images called 2; both would become 2.png"):
        pictures.read_pictures(str(folder))
    with pytest.raises(OutputError, match="rename it"):
        pictures.names(pictures.Pictures(("a", "montage"), np.zeros(0), None))
    assert call("impute", folder).exit_code == 2
    used = call("impute", folder, "-o", tmp_path / "out", "--plot", "p.png")
    assert "--plot is of no use" in used.stderr


@pytest.mark.fast
def test_masks_of_arrays(tmp_path):
    x = np.arange(24.0).reshape(2, 3, 4, 1)
    np.testing.assert_array_equal(
        np.isnan(pictures.masked(x, a_mask((3, 4))[:3], "m")).sum(axis=(1, 2, 3)),
        [1, 1],
    )
    for mask, words in (
        (np.ones((2, 3, 4, 1)), "holds float64; expected booleans"),
        (np.ones((3, 2), bool), r"has shape \(3, 2\); expected \(2, 3, 4, 1\)"),
    ):
        with pytest.raises(DataError, match=words):
            pictures.masked(x, mask, "m")
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "mask.npy", np.arange(24).reshape(2, 3, 4) % 5 > 0)
    out = tmp_path / "out.npy"
    run = ("impute", tmp_path / "x.npy", "-o", out, "--method", "mean", "--mask")
    assert call(*run, tmp_path / "mask.npy").exit_code == 0
    changed = np.flatnonzero((np.load(out) != x).ravel())
    assert set(changed) <= set(range(0, 24, 5))
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    table = call("impute", tmp_path / "t.csv", "--mask", tmp_path / "mask.npy")
    assert "--mask is for images and arrays" in table.stderr


@pytest.mark.fast
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="where there are named pipes")
@pytest.mark.parametrize("what", ["pipe", "device", "folder"])
def test_what_never_ends_is_no_image(folder, what):
    odd = folder / "odd.png"
    if what == "pipe":
        os.mkfifo(odd)
    elif what == "device":
        odd.symlink_to("/dev/zero")
    else:
        odd.mkdir()
    with pytest.raises(DataError, match=r"cannot read .*odd\.png as an image"):
        pictures.read_pictures(str(folder))
    with pytest.raises(DataError, match=r"cannot read .*odd\.png as an image"):
        pictures.read_mask(str(odd))


@pytest.mark.fast
def test_images_that_say_they_are_endless_are_refused(folder):
    file = folder / "0.png"
    data = bytearray(file.read_bytes())
    data[16:24] = b"\x00\x01\x86\xa0" * 2  # a hundred thousand pixels on each side
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    file.write_bytes(bytes(data))
    with pytest.raises(DataError, match=r"cannot read .*0\.png as an image"):
        pictures.read_pictures(str(folder))
