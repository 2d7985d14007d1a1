"""`auto` with the preset `best`: the method that does best on some of the data's own cells."""

import time as clock
from typing import Any

import numpy as np

from jaximpute._errors import JaximputeError
from jaximpute.data import holes
from jaximpute.data.frames import Frame
from jaximpute.tasks import evaluate, filling
from jaximpute.tasks.choose import Choice

CANDIDATES = ("miri", "gaussian", "ice", "knn", "soft_impute", "mean")
_ROWS = 1000
_HOLDOUT = 0.1


def best_of(
    frame: Frame, seed: int, candidates: tuple[str, ...] = CANDIDATES
) -> tuple[str, dict[str, float]]:
    """Hide a tenth of the observed cells of a thousand rows, and see who fills them best.

    Args:
        frame: a table.
        seed: of the rows, the holes and the methods.
        candidates: names of methods.

    Returns:
        The name of the method with the least mean standardised absolute error, and the scores of
        all that did not fail.

    Raises:
        JaximputeError: all of them failed; or nothing could be hidden.

    Example:
        >>> import numpy as np
        >>> from jaximpute.data.frames import read
        >>> x = np.random.default_rng(0).normal(size=(200, 1)) * [1.0, 2.0]
        >>> x[::9, 1] = np.nan
        >>> best_of(read(x), 0, ("mean", "gaussian"))[0]
        'gaussian'
    """
    import jax

    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(frame.values))[:_ROWS])
    values = frame.values[rows]
    some = frame._replace(values=values, shape=values.shape)
    hidden = holes.hide(jax.random.key(seed), some, _HOLDOUT, "mcar")
    holed = some._replace(values=np.where(hidden, np.nan, values))
    scores, failures = {}, []
    for name in candidates:
        try:
            filled = filling.fill(holed, name, seed=seed)
            found = evaluate.score(some, hidden, filled.values)
            scores[name] = float(found[evaluate.OVERALL, "score"])
        except JaximputeError as error:
            failures.append(f"{name}: {error}")
    if not scores:
        raise JaximputeError(f"no method could be chosen; {'; '.join(failures)}")
    return min(scores, key=lambda name: scores[name]), scores


def method_for(frame: Frame, method: Any, preset: str, seed: int, *, draws: int = 0) -> Any:
    """The method that is asked for: `auto` with the preset `best` tries some on a table.

    Args:
        frame: what is to be completed.
        method: a name, `auto`, or a method.
        preset: of the method.
        seed: of the holes, and of the methods tried.
        draws: how many are asked for; a method that draws is never chosen by trying.

    Returns:
        What `filling.fill` takes: what was given, or what was chosen.
    """
    if (
        not isinstance(method, str)
        or method != "auto"
        or preset != "best"
        or frame.kind != "table"
        or draws
    ):
        return method
    started = clock.perf_counter()
    name, scores = best_of(frame, seed)
    return Choice(name, scores, clock.perf_counter() - started)
