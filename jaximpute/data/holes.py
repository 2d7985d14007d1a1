"""Holes punched on purpose: which observed cells of a frame a simulator hides."""

from collections.abc import Collection

import jax
import jax.numpy as jnp
import numpy as np

from jaximpute import missing
from jaximpute._errors import DataError, OptionError
from jaximpute.data import series
from jaximpute.data.frames import Frame
from jaximpute.types import PRNGKey

PATTERNS = ("mcar", "mar", "mnar", "block", "own")
USUAL_LENGTH = 8


def hide(
    key: PRNGKey,
    frame: Frame,
    rate: float,
    pattern: str,
    *,
    length: float | None = None,
    keep: Collection[str] = (),
) -> np.ndarray:
    """Choose observed cells to hide.

    Only cells of columns that hold at least two different values can be chosen, and each column
    keeps two: otherwise nothing of it is hidden. Series are seen in the order of time.

    Args:
        key: of the choice.
        frame: what `read` returned.
        rate: expected share of the cells to hide, in (0, 1); with `own` at most, where data have
            fewer holes.
        pattern: `mcar` single cells, `mar` by the values of other columns, `mnar` the larger
            values, `block` stretches of time (of rows, in a table), `own` as the frame's own holes
            lie: gaps of its series, rows of its tables that leave half of what is observed, boxes
            as large as the holes of its images and fields.
        length: mean length of a block in steps; by default 8, or a quarter of a short series.
        keep: names of columns from which nothing is hidden.

    Returns:
        `(rows, columns)`, True = to be hidden.

    Raises:
        OptionError: unknown pattern or name, or a number out of range.
        DataError: nothing can be hidden.

    Example:
        >>> import jax, numpy as np
        >>> from jaximpute.data.frames import read
        >>> frame = read(np.arange(2000.0).reshape(1000, 2))
        >>> hidden = hide(jax.random.key(0), frame, 0.2, "mcar", keep=["1"])
        >>> bool(0.1 < hidden[:, 0].mean() < 0.3), int(hidden[:, 1].sum())
        (True, 0)
    """
    unknown = sorted(set(keep) - set(frame.names))
    if unknown:
        raise OptionError(f"no column is called '{unknown[0]}'; columns: {', '.join(frame.names)}")
    chosen = [i for i, name in enumerate(frame.names) if name not in keep and _varies(frame, i)]
    if not chosen:
        raise DataError(
            "there is nothing to hide: no column holds at least two different values that could be "
            "learned"
        )
    values, mask = frame.values[:, chosen], frame.mask[:, chosen]
    axis, count = None, 1
    if frame.kind == "series":
        axis, _ = series.make_axis(frame.stamps, frame.shape[1])
        count = frame.shape[0]
    standard = np.where(
        mask, (values - np.nanmean(values, axis=0)) / np.nanstd(values, axis=0), 0.0
    )
    x = jnp.asarray(np.nan_to_num(_shaped(axis, standard, count, pattern)), jnp.float32)
    own = jnp.asarray(_shaped(axis, np.where(mask, 1.0, np.nan), count, pattern) == 1)
    if pattern == "own" and frame.kind in ("image", "field"):
        own = own.reshape(*frame.shape[:-1], len(chosen))
    stays = np.asarray(_simulator(pattern, rate, length, own)(key, x))
    rows = stays.reshape(mask.shape) if axis is None else series.take(axis, stays)
    hidden = np.zeros(frame.values.shape, bool)
    for i, column in enumerate(chosen):
        cells = mask[:, i] & ~rows[:, i]
        left = values[mask[:, i] & ~cells, i]
        if len(left) and (left != left[0]).any():
            hidden[:, column] = cells
    if not hidden.any():
        raise DataError(
            f"pattern '{pattern}' hides none of {int(mask.sum())} observed cells; take a higher "
            "rate, another pattern, or more data"
        )
    return hidden


def _varies(frame: Frame, column: int) -> bool:
    observed = frame.values[frame.mask[:, column], column]
    return (
        frame.columns[column].holds_values
        and len(observed) > 1
        and bool((observed != observed[0]).any())
    )


def _shaped(axis: series.Axis | None, x: np.ndarray, count: int, pattern: str) -> np.ndarray:
    if axis is not None:
        return series.place(axis, x, count)
    return x[None] if pattern == "block" else x


def _simulator(pattern: str, rate: float, length: float | None, own: jax.Array) -> missing.Missing:
    if not 0 < rate < 1:
        raise OptionError(f"the share to hide is {rate}; expected strictly between 0 and 1")
    if pattern == "mcar":
        return missing.mcar(rate)
    if pattern == "mar":
        return missing.mar(rate)
    if pattern == "mnar":
        return missing.mnar_self(rate)
    if pattern == "block":
        usual = max(1.0, min(USUAL_LENGTH, own.shape[1] // 4), rate / (1 - rate))
        return missing.block(rate, length=usual if length is None else length)
    if pattern == "own":
        if bool(own.all()):
            raise OptionError("pattern 'own' copies the data's holes, and there are none")
        return lambda key, x: ~missing.hidden_again(key, own, rate).reshape(x.shape)
    raise OptionError(f"no pattern is called '{pattern}'; valid: {', '.join(PATTERNS)}")
