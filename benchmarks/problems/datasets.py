"""Public series to measure methods on: read from a folder of yours, or downloaded and checked."""

import gzip
import hashlib
import io
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaximpute._errors import DataError, OptionError, need_extra

FOLDER = "JAXIMPUTE_DATA"


class Dataset(NamedTuple):
    """A complete series: values `(time, channels)` in float64, and the channels' names."""

    values: np.ndarray
    names: tuple[str, ...]


class Source(NamedTuple):
    """Where a series comes from.

    Attributes:
        url: of the file upstream.
        sha256: of its text, after decompression: the same for a copy that was gzipped later.
        names: the channels, for a file without a header.
    """

    url: str
    sha256: str
    names: tuple[str, ...] = ()


_ETT = "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/main/ETT-small"
_LSTNET = "https://raw.githubusercontent.com/laiguokun/multivariate-time-series-data/master"

SOURCES = {
    "etth1": Source(
        f"{_ETT}/ETTh1.csv",
        "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
    ),
    "ettm1": Source(
        f"{_ETT}/ETTm1.csv",
        "6ce1759b1a18e3328421d5d75fadcb316c449fcd7cec32820c8dafda71986c9e",
    ),
    "exchange": Source(
        f"{_LSTNET}/exchange_rate/exchange_rate.txt.gz",
        "0127465b51e3cd3c360f8eb2be30cfd294689a2a55903eb8245aafc396626c7f",
        ("AUD", "GBP", "CAD", "CHF", "CNY", "JPY", "NZD", "SGD"),
    ),
}


def load(name: str) -> Dataset:
    """A public series, complete, with its dates left off.

    `etth1` and `ettm1` are transformer temperatures and loads, hourly and every 15 minutes (Zhou et
    al., "Informer", 2021; CC BY-ND 4.0). `exchange` is the daily exchange rates of eight
    currencies in US dollars, 1990 to 2016 (Lai et al., "Modeling long- and short-term temporal
    patterns with deep neural networks", 2018).

    The file is looked for in the folder that the environment variable `JAXIMPUTE_DATA` names, plain
    or gzipped, and downloaded once otherwise.

    Args:
        name: a key of `SOURCES`.

    Returns:
        Values `(time, channels)`: 17420 x 7, 69680 x 7 and 7588 x 8; and the channels' names.

    Raises:
        OptionError: no series has that name.
        DataError: a file is not the one expected, by the hash of its text.
        MissingExtraError: it would have to be downloaded, and pooch is not installed.

    Example:
        >>> sorted(SOURCES)
        ['etth1', 'ettm1', 'exchange']
    """
    if name not in SOURCES:
        raise OptionError(f"no series is called '{name}'; valid: {', '.join(sorted(SOURCES))}")
    source = SOURCES[name]
    path = _find(source) or _download(name, source)
    return _parse(_text(path, source), source)


def _find(source: Source) -> Path | None:
    """The file in the user's folder, with or without its `.gz`."""
    folder = os.environ.get(FOLDER)
    if not folder:
        return None
    plain = Path(source.url).name.removesuffix(".gz")
    candidates = (Path(folder) / plain, Path(folder) / f"{plain}.gz")
    return next((path for path in candidates if path.is_file()), None)


def _download(name: str, source: Source) -> Path:
    try:
        import pooch
    except ImportError as error:
        raise need_extra(
            "pooch", "data", f"downloading '{name}' (or {FOLDER}=folder that holds it)"
        ) from error
    try:
        # the hash is of the text, which `_text` checks for downloads and copies alike
        return Path(pooch.retrieve(source.url, known_hash=None, path=pooch.os_cache("jaximpute")))
    except OSError as error:  # what requests raises, too
        raise DataError(
            f"'{name}' could not be downloaded from {source.url} ({type(error).__name__}); set "
            f"{FOLDER} to a folder that holds the file, or try again with a connection"
        ) from error


def _text(path: Path, source: Source) -> bytes:
    raw = path.read_bytes()
    try:
        # pooch's file names and mirrors do not say reliably what is compressed; the content does
        text = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError) as error:
        raise DataError(f"{path} is a damaged gzip file ({error}); delete it") from error
    found = hashlib.sha256(text).hexdigest()
    if found != source.sha256:
        raise DataError(
            f"{path} is not the file that was expected: the sha256 of its text is {found[:12]}..., "
            f"expected {source.sha256[:12]}... Delete it and take it from {source.url}"
        )
    return text


def _parse(text: bytes, source: Source) -> Dataset:
    header = None if source.names else "infer"
    import pandas as pd

    frame = pd.read_csv(io.BytesIO(text), header=header).drop(columns="date", errors="ignore")
    names = source.names or tuple(frame.columns)
    return Dataset(frame.to_numpy(np.float64), names)
