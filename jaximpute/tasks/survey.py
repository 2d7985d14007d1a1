"""What is missing in a field, and which partition could teach a network to fill it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaximpute.data.frames import Frame
from jaximpute.methods.papers.context_query.exposure import exposure_audit
from jaximpute.methods.papers.context_query.recipe import TILE, cut, make_split
from jaximpute.types import PRNGKey

PARTITIONS = ("hole_shaped", "own", "mixed", "block", "pixel", "swath", "time_block")
_SHAPED = ("hole_shaped", "own")  # what they hide has the shapes of the holes
_FEW = 8  # fields; fewer than these are cut up, so that there is something to compare
_MOST = 256  # tiles that are looked at
_NAMED = 5  # places that a message names


class Holes(NamedTuple):
    """The missing cells of one variable, as shares of its cells.

    Attributes:
        name: of the variable.
        missing: of all cells.
        never: of the places, those that are observed at no time.
        frames: least, median and largest share missing in a frame, places never observed left out.
        worst: index of the frame with the largest, along time.
        empty: number of frames in which nothing is observed.
    """

    name: str
    missing: float
    never: float
    frames: tuple[float, float, float]
    worst: int
    empty: int


class Audit(NamedTuple):
    """How often a partition asks for what it does not show; see `exposure_audit`.

    Attributes:
        partition: its name.
        minimum: the least probability over places, 0 if some are refused.
        mean: over places.
        refused: how many places can never be learned.
        named: the first of them, in words.
    """

    partition: str
    minimum: float
    mean: float
    refused: int
    named: tuple[str, ...]


class Survey(NamedTuple):
    """What there is to know of a field before a network is trained on it.

    Attributes:
        holes: of each variable.
        moving: whether frames have different holes.
        depth: cells around a place that had to be hidden, too, for the audit: how deep holes are.
        samples: fields or tiles that were audited.
        tile: `(time, y, x)` of the tiles; None if fields were taken whole.
        places: in a field or tile, those that matter.
        audits: of each partition, the suggested one first; none if nothing can be learned.
    """

    holes: tuple[Holes, ...]
    moving: bool
    depth: int
    samples: int
    tile: tuple[int, ...] | None
    places: int
    audits: tuple[Audit, ...]

    @property
    def suggested(self) -> str | None:
        """The first that refuses no place: one shaped like the holes, or with the largest least
        probability; None if every one refuses places."""
        return self.audits[0].partition if self.audits and not self.audits[0].refused else None


def survey(
    frame: Frame,
    *,
    key: PRNGKey,
    partitions: Sequence[str] = PARTITIONS,
    tile: Sequence[int] = TILE,
    draws: int = 512,
) -> Survey:
    """Count the holes of a field, and audit partitions on them.

    Fields larger than a tile are audited as the recipe of `context_query` cuts them. If there are
    only a few, they are cut into tiles of half their size at most: what one field never shows at a
    place, others may, and of a single one nothing would be left to compare.

    Args:
        frame: what `data.frames.read` returned for images or fields.
        key: of the audit.
        partitions: their names.
        tile: the largest `(time, y, x)` to take whole.
        draws: partitions drawn for each audit.

    Returns:
        Counts and audits. Images, and fields with nothing missing or nothing observed, have none.

    Example:
        >>> import jax, numpy as np
        >>> from jaximpute.data.frames import read
        >>> x = np.zeros((1, 2, 4, 4, 1))
        >>> x[0, :, 1, 1] = np.nan
        >>> survey(read(x), key=jax.random.key(0), partitions=()).holes[0].never
        0.0625
    """
    mask = frame.mask.reshape(frame.shape)
    film = mask if frame.kind == "field" else mask[:, None]
    holes = tuple(_holes(name, film[..., i]) for i, name in enumerate(frame.names))
    sea = film.any(axis=1, keepdims=True)
    moving = bool(((film != film[:, :1]) & sea).any())
    nothing = Survey(holes, moving, 0, len(film), None, 0, ())
    if frame.kind != "field" or film.all() or not film.any():
        return nothing
    sizes, samples = _cut(film, tile)
    seen = samples if moving or not _same(samples) else samples[:, :1, :, :, :1]
    # what no field ever shows is no one's to learn
    ground = np.asarray(sea.any(axis=0))[..., : seen.shape[-1]]
    where = np.asarray(seen.any(axis=0)) if sizes else np.broadcast_to(ground, seen.shape[1:])
    static = seen.shape[1:] != samples.shape[1:]
    audits, depth = [], 0
    for i, name in enumerate(partitions):
        if name == "time_block" and (not moving or seen.shape[1] < 4):
            continue
        found = exposure_audit(
            make_split(name),
            seen,
            key=jax.random.fold_in(key, i),
            draws=draws,
            where=where,
            strict=False,
        )
        inside = found.probability[where]
        refused = len(found.refused)
        audits.append(
            Audit(
                name,
                0.0 if refused else found.minimum,
                float(np.nan_to_num(inside).mean()) if inside.size else 0.0,
                refused,
                tuple(_place(frame, place, sizes, static) for place in found.refused[:_NAMED]),
            )
        )
        depth = found.radius
    audits.sort(
        key=lambda one: (one.refused, one.partition not in _SHAPED, -one.minimum, -one.mean)
    )
    return Survey(holes, moving, depth, len(seen), sizes, int(where.sum()), tuple(audits))


def _holes(name: str, film: np.ndarray) -> Holes:
    """Of one variable, `(n, time, y, x)`."""
    sea = film.any(axis=1)
    count = np.maximum(sea.sum(axis=(1, 2)), 1)[:, None]
    frames = 1 - film.sum(axis=(2, 3)) / count
    shares = (float(frames.min()), float(np.median(frames)), float(frames.max()))
    worst = int(np.unravel_index(np.argmax(frames), frames.shape)[1])
    empty = int((~film.any(axis=(2, 3))).sum())
    return Holes(name, float(1 - film.mean()), float(1 - sea.mean()), shares, worst, empty)


def _cut(film: np.ndarray, tile: Sequence[int]) -> tuple[tuple[int, ...] | None, np.ndarray]:
    """The masks as the recipe would cut them, or finer where there are few; with the size used."""
    sizes = [min(pair) for pair in zip(tile, film.shape[1:4], strict=True)]
    if len(film) < _FEW:
        sizes = [
            min(size, max(whole // 2, min(whole, 4)))
            for size, whole in zip(sizes, film.shape[1:4], strict=True)
        ]
    view = cut(film.shape, sizes)(film.shape)
    if tuple(sizes) == film.shape[1:4]:
        return None, film
    some = np.unique(np.linspace(0, view.size - 1, min(_MOST, view.size)).astype(int))
    rows = np.asarray(view.take(jnp.asarray(film), jnp.asarray(some)))
    return tuple(sizes), rows[rows.any(axis=(1, 2, 3, 4))]


def _same(samples: np.ndarray) -> bool:
    """Whether all frames and variables of each sample have the same holes."""
    return bool((samples == samples[:, :1, :, :, :1]).all())


def _place(frame: Frame, place: np.ndarray, sizes: tuple[int, ...] | None, static: bool) -> str:
    """A place in words: by its coordinates, or by its position in a tile.

    Where holes are static it is a place of all frames and variables.
    """
    t, y, x, channel = (int(i) for i in place)
    skip = 1 if static else 0
    if sizes is not None or frame.grid is None:
        words = [f"frame {t}", f"row {y}", f"column {x}"][skip:]
        return f"({', '.join(words)} of a tile)" if sizes is not None else f"({', '.join(words)})"
    words = []
    coords: Any = getattr(frame.native, "coords", {})
    for dim, i in list(zip(frame.grid.dims[-3:], (t, y, x), strict=True))[skip:]:
        value = coords[dim].values[i] if dim in coords else i
        shown = str(value)[:16] if isinstance(value, np.datetime64) else f"{value}"
        words.append(f"{dim}={shown}")
    return f"({', '.join(words)}{'' if static else f'; {frame.names[channel]}'})"
