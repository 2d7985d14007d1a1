"""Files that are no text tables, whatever their names say."""

import re

from jaximpute._errors import DataError

# how such files begin, what they are, and what to do
_BYTES = (
    (
        b"PK\x03\x04",
        "a zip archive or an Excel file",
        "save it as CSV, or name an archive .csv.zip",
    ),
    (b"\xd0\xcf\x11\xe0", "an Excel file", "save it as CSV"),
    (b"\x1f\x8b", "compressed by gzip", "name it .csv.gz"),
    (b"BZh", "compressed by bzip2", "name it .csv.bz2"),
    (b"\xfd7zXZ", "compressed by xz", "name it .csv.xz"),
    (b"PAR1", "a Parquet file", "name it .parquet"),
    (b"\x89HDF", "an HDF5 file", "name it .nc if it is NetCDF"),
    (b"CDF", "a NetCDF file", "name it .nc"),
    (b"\x93NUMPY", "a NumPy array", "name it .npy"),
    (b"%PDF", "a PDF", "save the table in it as CSV"),
)
_TEXTS = (
    (re.compile(r'\s*(\[\s*)?\{\s*("[^"\n]*"\s*:|$)'), "JSON"),
    (re.compile(r"\s*<(\?xml|!doctype|html|table)", re.IGNORECASE), "HTML or XML"),
)


def refuse_bytes(data: bytes, source: str) -> None:
    """Refuse what is no text at all.

    Raises:
        DataError: names what it is.
    """
    for begin, what, advice in _BYTES:
        if data.startswith(begin):
            raise DataError(f"{source} is {what}, and no text; {advice}")


def refuse_text(text: str, source: str) -> None:
    """Refuse texts of another kind, whose lines would be taken for rows.

    Raises:
        DataError: names what it is.
    """
    for begin, what in _TEXTS:
        if begin.match(text):
            raise DataError(
                f"{source} is {what}, and no text table; save the table as CSV, for instance with "
                "pandas"
            )
