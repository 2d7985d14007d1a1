"""Compressed files by the last suffix of their names: .gz, .bz2, .xz and .zip."""

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from pathlib import Path, PurePath

from jaximpute._errors import DataError

SUFFIXES = (".gz", ".bz2", ".xz", ".zip")


def suffixes(path: str) -> tuple[str, str]:
    """The suffix that tells the format, and that of the compression (empty if none).

    Example:
        >>> suffixes("a.csv.gz"), suffixes("b.CSV")
        (('.csv', '.gz'), ('.csv', ''))
    """
    ends = [end.lower() for end in PurePath(path).suffixes]
    packed = ends.pop() if ends and ends[-1] in SUFFIXES else ""
    return (ends[-1] if ends else ""), packed


def unpack(data: bytes, packed: str, source: str) -> bytes:
    """The file within.

    Raises:
        DataError: it is damaged, or a .zip of several files.
    """
    try:
        if packed == ".gz":
            return gzip.decompress(data)
        if packed == ".bz2":
            return bz2.decompress(data)
        if packed == ".xz":
            return lzma.decompress(data)
        if packed == ".zip":
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                names = [info.filename for info in archive.infolist() if not info.is_dir()]
                names = [name for name in names if not name.startswith("__MACOSX/")]
                if len(names) != 1:
                    raise DataError(
                        f"{source} holds {len(names)} files ({', '.join(names[:5])}); expected "
                        "one. Take the one out that is to be completed"
                    )
                return archive.read(names[0])
    except (OSError, EOFError, ValueError, RuntimeError, NotImplementedError) as error:
        raise DataError(f"{source} cannot be decompressed: {error}") from error
    except (lzma.LZMAError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(f"{source} cannot be decompressed: {error}") from error
    return data


def pack(data: bytes, path: str) -> bytes:
    """A file's bytes, compressed as its name says; the same bytes give the same file."""
    _, packed = suffixes(path)
    if packed == ".gz":
        return gzip.compress(data, mtime=0)
    if packed == ".bz2":
        return bz2.compress(data)
    if packed == ".xz":
        return lzma.compress(data)
    if packed == ".zip":
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(zipfile.ZipInfo(Path(path).stem), data, zipfile.ZIP_DEFLATED)
        return out.getvalue()
    return data
