"""Keep the curves of a run, in memory or as JSON lines."""

import json
import math
from os import PathLike
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaximpute._errors import OutputError
from jaximpute.types import Hook, Info, State


def log(to: str | PathLike[str] | list[dict[str, Any]]) -> Hook:
    """Record every step: `{"t": steps done, "loss": ..., metric: ...}`.

    Args:
        to: a list to append to, or the path of a file to which each step is appended as one line of
            JSON. The file is complete up to the last chunk whenever it is read; numbers that are
            not finite are null in it. Of several processes the first one writes it.

    Returns:
        A hook, which never stops the run.

    Raises:
        OutputError: from the hook, if the file cannot be written.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> data, records = ji.observe(np.array([[1.0], [np.nan]])), []
        >>> method = ji.methods.mean()
        >>> _ = ji.fit(method, jax.random.key(0), data, 2, hooks=[ji.hooks.log(records)])
        >>> records
        [{'t': 1, 'loss': 0.0}, {'t': 2, 'loss': 0.0}]
    """

    def hook(t: int, state: State, info: Info) -> bool:
        del state
        columns = {"loss": info.loss, **info.metrics}
        rows = [dict(zip(columns, map(float, row), strict=True)) for row in _rows(columns)]
        records = [{"t": t - len(rows) + 1 + i, **row} for i, row in enumerate(rows)]
        if isinstance(to, list):
            to.extend(records)
        elif jax.process_index() == 0:
            _append(Path(to), records)
        return False

    return hook


def _rows(columns: dict[str, Any]) -> zip:
    return zip(*(np.ravel(values) for values in columns.values()), strict=True)


def _append(path: Path, records: list[dict[str, Any]]) -> None:
    lines = [
        json.dumps({k: v if math.isfinite(v) else None for k, v in record.items()})
        for record in records
    ]
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in lines))
    except OSError as error:
        raise OutputError(f"cannot append to {path}: {error.strerror}") from error
