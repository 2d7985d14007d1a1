"""Blocks of a source, brought by Grain: in order to be completed, in random order to learn from."""

import functools
import importlib
import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from jaximpute._errors import need_extra
from jaximpute.streaming.types import Source

T = TypeVar("T")
_PLACES = 16  # that the rows of a pool come from, at least: files are often sorted


class _Spans(NamedTuple):
    """What Grain takes for a source: what `load` makes of each span."""

    load: Callable[..., Any]
    spans: Sequence[tuple[int, ...]]

    def at(self, place: Any) -> Any:
        return self.load(*self.spans[int(place)])


def in_order(
    load: Callable[..., T], spans: Sequence[tuple[int, ...]], ahead: int = 1
) -> Iterator[T]:
    """What `load` makes of each span, read ahead by one thread.

    Args:
        load: called with the numbers of a span.
        spans: the spans.
        ahead: how many are kept in memory besides the one in use.

    Raises:
        MissingExtraError: Grain is not installed.

    Example:
        >>> list(in_order(lambda start, stop: stop - start, [(0, 3), (3, 4)]))
        [3, 1]
    """
    library = grain()
    options = library.ReadOptions(num_threads=1, prefetch_buffer_size=ahead)
    places = library.MapDataset.range(len(spans)).map(_Spans(load, spans).at)
    return iter(places.to_iter_dataset(options))


def pools(source: Source, rows: int, seed: int, window: int) -> Iterator[np.ndarray]:
    """Parts of a source to learn from, one after the other, without end; all of one shape.

    Args:
        source: the source.
        rows: of a pool, or steps of its windows together; if there are no more than that, every
            pool is the whole source in order.
        seed: of the choice.
        window: steps of a window, at most the source's; 1 for rows.

    Returns:
        `(rows, *event)`, from many places of the file; or windows `(n, window, ...)`, whose first
        axis runs over windows and samples.

    Raises:
        MissingExtraError: Grain is not installed.
    """
    library = grain()
    options = library.ReadOptions(num_threads=1, prefetch_buffer_size=1)
    timed = source.along == "time"
    whole = source.length <= (window if timed else rows)
    spans = _windows(source.length, window) if timed else _spans(source, rows)
    if timed:
        shuffled = library.MapDataset.range(len(spans)).seed(seed % 2**32).shuffle().repeat()
        number = 1 if whole else max(1, min(len(spans), rows // window))
        ordered = shuffled.map(lambda i: windows_of(source.read(*spans[int(i)])))
        items = iter(ordered.to_iter_dataset(options))
        while True:
            yield np.concatenate([next(items) for _ in range(number)])
    if whole:
        while True:
            yield source.read(0, source.length)

    places = min(len(spans), max(_PLACES, -(-rows // min(b - a for a, b in spans))))
    share = -(-rows // places)

    def choose(i: Any, random: np.random.Generator) -> np.ndarray:
        parts = []
        for j in shuffled_places(seed, len(spans), int(i), places):
            block = source.read(*spans[j])
            some = random.choice(len(block), min(share, len(block)), replace=False)
            parts.append(block[np.sort(some)])
        return np.concatenate(parts)[:rows]

    # a pool is one item: each costs Grain as much as reading a dozen places
    numbers = library.MapDataset.range(sys.maxsize).seed(seed % 2**32)
    yield from numbers.random_map(choose).to_iter_dataset(options)


def shuffled_places(seed: int, length: int, part: int, size: int) -> list[int]:
    """A part of the numbers below `length`, each time through in another random order.

    Args:
        seed: of the orders.
        length: how many numbers there are.
        part: which part, from 0.
        size: of a part.

    Example:
        >>> sorted(shuffled_places(0, 4, 0, 2) + shuffled_places(0, 4, 1, 2))
        [0, 1, 2, 3]
    """
    rounds, at = np.divmod(part * size + np.arange(size), length)
    return [int(_order(seed, int(r), length)[i]) for r, i in zip(rounds, at, strict=True)]


@functools.lru_cache(maxsize=2)  # a part may end one order and begin the next
def _order(seed: int, number: int, length: int) -> np.ndarray:
    return np.random.default_rng((seed % 2**32, number)).permutation(length)


def windows_of(steps: np.ndarray) -> np.ndarray:
    """Steps `(window, samples, ...)` as windows `(samples, window, ...)`."""
    return np.moveaxis(steps, 0, 1)


def grain() -> Any:
    """The library.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return importlib.import_module("grain")
    except ImportError as error:
        raise need_extra("grain", "train", "Working block by block") from error


def _spans(source: Source, rows: int) -> list[tuple[int, int]]:
    number = max(-(-source.length // source.unit), min(source.length, 4 * _PLACES))
    edges = np.linspace(0, source.length, number + 1).astype(int)
    return [(int(a), int(b)) for a, b in itertools.pairwise(edges)]


def _windows(length: int, window: int) -> list[tuple[int, int]]:
    """Windows that overlap by half, the last one at the end."""
    starts = {*range(0, length - window + 1, max(1, window // 2)), length - window}
    return [(start, start + window) for start in sorted(starts)]
