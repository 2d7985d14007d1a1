"""Rows of an `.npy` file read when they are asked for, by plain reads.

A memory map would end the process, without a word, where the file gets shorter while it is read.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from jaximpute._errors import DataError


class Rows(NamedTuple):
    """An array in a file.

    Attributes:
        path: of the file.
        dtype: of its cells.
        shape: of the array, rows first.
        fortran: whether the first axis runs fastest.
        begin: where the cells begin, in bytes.
    """

    path: str
    dtype: np.dtype
    shape: tuple[int, ...]
    fortran: bool
    begin: int

    def read(self, start: int, stop: int) -> np.ndarray:
        """Some rows, in the file's own type.

        Raises:
            DataError: the file is gone, or shorter than it was.
        """
        rows, event = stop - start, self.shape[1:]
        size, width = self.dtype.itemsize, math.prod(event)
        try:
            with open(self.path, "rb") as file:
                if not self.fortran:
                    flat = self._cells(file, self.begin + start * width * size, rows * width)
                    return flat.reshape(rows, *event)
                step = self.shape[0] * size  # from one cell of a row to the next
                columns = [
                    self._cells(file, self.begin + start * size + i * step, rows)
                    for i in range(width)
                ]
        except OSError as error:
            raise DataError(f"cannot read {self.path}: {error.strerror}") from error
        return np.array(columns, self.dtype).reshape(*event[::-1], rows).T

    def _cells(self, file: Any, at: int, count: int) -> np.ndarray:
        file.seek(at)
        data = file.read(count * self.dtype.itemsize)
        if len(data) < count * self.dtype.itemsize:
            raise DataError(
                f"{self.path} became shorter while it was read, and what is missing of it is lost; "
                "run the command again when nothing writes to the file"
            )
        return np.frombuffer(data, self.dtype)


def open_rows(path: str) -> Rows:
    """The array in a file; reads its header.

    Raises:
        DataError: no array of numbers, or fewer bytes than it says.
    """
    try:
        # NumPy's own reader looks at the header and at the length of the file, and maps no page
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError, OverflowError) as error:
        raise DataError(f"{path} is no array that NumPy can read: {error}") from error
    if not isinstance(array, np.memmap):
        raise DataError(f"{path} is no single array; expected .npy")
    fortran = not array.flags.c_contiguous
    return Rows(path, array.dtype, array.shape, fortran, array.offset)
