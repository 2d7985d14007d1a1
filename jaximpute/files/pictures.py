"""Folders of PNG and JPEG images: holes by transparency or by masks. Needs the extra `images`."""

import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaximpute._errors import DataError, OutputError, need_extra
from jaximpute.files import safe_arrays

SUFFIXES = (".png", ".jpg", ".jpeg")
MONTAGE = "montage"
_GREY, _COLOUR = ("1", "L", "LA"), ("RGB", "RGBA", "P", "PA", "CMYK", "YCbCr")
# what Pillow raises of damaged files
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, IndexError, OverflowError, struct.error)


class Pictures(NamedTuple):
    """A folder's images.

    Attributes:
        names: of the files, without suffix, in alphabetical order.
        values: `(n, y, x, channels)` of 0..255, one channel if all are grey, else three.
        alpha: `(n, y, x)` opacity of 0..255; None if no image has any. What it hides is missing.
    """

    names: tuple[str, ...]
    values: np.ndarray
    alpha: np.ndarray | None


def read_pictures(path: str) -> Pictures:
    """Read all PNG and JPEG files of a folder, not of those within it.

    Args:
        path: the folder.

    Returns:
        The images.

    Raises:
        DataError: no such file in it, two of one name, one that cannot be read or has more than 8
            bits, or different sizes; the message names the files.
        MissingExtraError: Pillow is not installed.
    """
    files = sorted(f for f in Path(path).iterdir() if f.suffix.lower() in SUFFIXES)
    if not files:
        raise DataError(f"the folder {path} holds no image; expected files {', '.join(SUFFIXES)}")
    names = [file.stem for file in files]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{path} holds two images called {twice}; both would become {twice}.png")
    images = [_open(file) for file in files]
    for file, image in zip(files, images, strict=True):
        if image.size != images[0].size:
            raise DataError(
                f"{files[0].name} is {_size(images[0])} pixels and {file.name} is {_size(image)}; "
                "expected images of one size: resize or cut them, or run each size on its own"
            )
    grey = all(image.mode in _GREY for image in images)
    opaque = not any(image.has_transparency_data for image in images)
    mode = "LA" if grey else "RGBA"
    pixels = np.stack([np.asarray(image.convert(mode)) for image in images])
    return Pictures(tuple(names), pixels[..., :-1], None if opaque else pixels[..., -1])


def with_holes(pictures: Pictures, path: str, mask: str | None) -> np.ndarray:
    """The images with NaN where they are transparent, or where a mask says so.

    Args:
        pictures: see `read_pictures`.
        path: the folder they are from, for messages.
        mask: an image or `.npy` file for all of them, or a folder with an image of the same name
            for each. Of images white is observed and black is missing; `.npy` files hold booleans,
            True = observed, of shape `(y, x)`, `(n, y, x)` or that of the images.

    Returns:
        `(n, y, x, channels)` in float32.

    Raises:
        DataError: a mask that is not there, or is of another size.
    """
    values = pictures.values.astype(np.float32)
    if pictures.alpha is not None:
        values[pictures.alpha == 0] = np.nan
    return values if mask is None else masked(values, _read_mask(pictures, mask), mask)


def masked(values: np.ndarray, mask: np.ndarray, source: str) -> np.ndarray:
    """Values with NaN where a mask is False.

    Args:
        values: of shape `(n, ...)`.
        mask: of that shape, or of its first axes, or of an image's height and width, for all.
        source: the mask's name, for messages.

    Raises:
        DataError: not booleans, or another shape.
    """
    if mask.dtype != bool:
        raise DataError(f"the mask {source} holds {mask.dtype}; expected booleans, True = observed")
    whole = mask
    if values.ndim == 4 and mask.shape == values.shape[1:3]:
        whole = mask[None]
    elif mask.shape != values.shape[: mask.ndim]:
        raise DataError(
            f"the mask {source} has shape {mask.shape}; expected {values.shape} or its first axes"
            + (f", or {values.shape[1:3]} for all images" if values.ndim == 4 else "")
        )
    whole = whole.reshape(*whole.shape, *(1,) * (values.ndim - whole.ndim))
    return np.where(whole, values, np.asarray(np.nan, values.dtype))


def read_mask(path: str) -> np.ndarray:
    """A mask from a `.npy` file, as it is, or from an image: True where it is white.

    Raises:
        DataError: no such file, or neither of the two.
    """
    if Path(path).suffix.lower() != ".npy":
        return np.asarray(_open(Path(path)).convert("L")) > 127
    try:
        with safe_arrays.open_regular(Path(path)) as opened:
            return np.asarray(np.load(opened, allow_pickle=False))
    except (OSError, ValueError, EOFError, SyntaxError, OverflowError) as error:
        raise DataError(f"cannot read the mask {path}: {error}") from error


def names(pictures: Pictures, draws: int = 0) -> list[str]:
    """What is written to a folder: `NAME.png` for each, `montage.png`, and `draw_1/NAME.png`...

    Raises:
        OutputError: an image has the name of the montage.
    """
    if MONTAGE in pictures.names:
        raise OutputError(f"an image is called {MONTAGE}, as the picture of all is; rename it")
    files = [f"{name}.png" for name in pictures.names]
    drawn = [f"draw_{i + 1}/{file}" for i in range(draws) for file in files]
    return [*files, f"{MONTAGE}.png", *drawn]


def write_pictures(pictures: Pictures, completed: np.ndarray, folder: str | Path) -> None:
    """Write completed images as PNG; observed pixels are as they were read.

    Args:
        pictures: what was read.
        completed: `(n, y, x, channels)`; what was filled is rounded to 0..255 and made opaque.
        folder: a new one, where none of them exists; made if it is not there.
    """
    image = _pillow()
    Path(folder).mkdir(exist_ok=True)
    pixels = np.rint(np.clip(completed, 0, 255)).astype(np.uint8)
    if pictures.alpha is not None:
        opacity = np.where(pictures.alpha == 0, 255, pictures.alpha).astype(np.uint8)
        pixels = np.concatenate([pixels, opacity[..., None]], axis=-1)
    for name, one in zip(pictures.names, pixels, strict=True):
        with Path(folder, f"{name}.png").open("xb") as file:
            image.fromarray(one.squeeze(-1) if one.shape[-1] == 1 else one).save(file, "PNG")


def _read_mask(pictures: Pictures, mask: str) -> np.ndarray:
    if not Path(mask).is_dir():
        return read_mask(mask)
    found = {f.stem: f for f in Path(mask).iterdir() if f.suffix.lower() in SUFFIXES}
    absent = [name for name in pictures.names if name not in found]
    if absent:
        raise DataError(f"the folder of masks {mask} holds none for {', '.join(absent[:5])}")
    masks, expected = [], pictures.values.shape[1:3]
    for name in pictures.names:
        one = read_mask(str(found[name]))
        if one.shape != expected:
            raise DataError(
                f"the mask {found[name]} is {one.shape[1]} x {one.shape[0]} pixels, and its image "
                f"{expected[1]} x {expected[0]}"
            )
        masks.append(one)
    return np.stack(masks)


def _open(file: Path) -> Any:
    library = _pillow()
    try:
        # not by its name, under which a pipe or a device may lie that never ends
        with safe_arrays.open_regular(file) as opened, library.open(opened) as image:
            image.load()
    except (*_DAMAGE, library.DecompressionBombError) as error:
        raise DataError(f"cannot read {file} as an image: {error}") from error
    if image.mode not in _GREY + _COLOUR:
        raise DataError(
            f"{file} has pixels of mode {image.mode}; expected 8 bits a channel. Stack images of "
            "more in an .npz file"
        )
    return image


def _size(image: Any) -> str:
    return f"{image.size[0]} x {image.size[1]}"


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise need_extra("Pillow", "images", "reading and writing images") from None
    return Image
