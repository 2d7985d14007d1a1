"""Which method for this data? Hide observed cells, fill them, score only them."""

import contextlib
import sys
import time as clock
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import numpy as np
import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jaximpute import registry
from jaximpute._errors import JaximputeError, OptionError
from jaximpute._terminal import stage, visible
from jaximpute.data import holes, possible
from jaximpute.data.frames import Container, Frame, read
from jaximpute.engine import memory
from jaximpute.tasks import filling, plan
from jaximpute.tasks.choose import resolve
from jaximpute.tasks.score import OVERALL, score, score_draws
from jaximpute.types import Kind

Methods: TypeAlias = str | Sequence[Any] | Mapping[str, Any]


BUDGET = 300.0  # seconds
LEFT_OUT = "not run, to stay within"


class Run(NamedTuple):
    """A method as it is evaluated: its name, its options, and what it completes."""

    name: str
    options: dict[str, Any]
    completes: str


def evaluate(
    data: Container,
    methods: Methods = "all",
    *,
    time: Any = None,
    group: Any = None,
    dims: Sequence[str] | None = None,
    holdout: float = 0.1,
    pattern: str = "mcar",
    repeats: int = 3,
    budget: float | None = BUDGET,
    seed: int = 0,
    preset: str = "balanced",
    options: Mapping[str, Mapping[str, Any]] | None = None,
    bounds: Mapping[Any, Any] | None = None,
    circular: Any = None,
    draws: int = 0,
    max_memory: float | None = None,
    verbose: bool = True,
) -> pd.DataFrame:
    r"""Hide observed cells, complete the data with each method, and score the hidden cells only.

    All methods see the same holes; each repeat makes others. The metrics of a column of numbers,
    over its hidden cells with truth :math:`x_i` and answer :math:`\hat x_i`, are

    - `mae` and `rmse`: :math:`\mathrm{mean}\,|\hat x_i - x_i|` and
      :math:`\sqrt{\mathrm{mean}\,(\hat x_i - x_i)^2}`, in the column's units;
    - `mae_std` and `rmse_std`: the same in units of the standard deviation of its observed cells;
    - `wasserstein`: the 1-Wasserstein distance between the answers and the truths as distributions,
      in the same units. A mean in every hole is good in the errors and bad here.

    Booleans, categories and texts have `error`, the share of wrong answers, and `wasserstein`
    with distance 1 between different levels (total variation). Overall, the errors are
    over all hidden cells, `wasserstein` is the mean over columns, and `score` is the mean over
    all hidden cells of the standardised absolute error, or of 0 or 1 for a level: the `mae_std` of
    data that are all numbers. `seconds` include compilation; `memory_mb` is the growth of the
    process's memory to its peak during the run.

    With `draws`, methods that draw have three metrics more, of columns of numbers: `crps`, the
    continuous ranked probability score :math:`E|X - x| - E|X - X'| / 2` of their draws :math:`X`,
    in the column's units, and `crps_std` in standard deviations (that of a single answer would be
    its absolute error); and `cover80`, the share of cells within the central 80 % of the draws.

    Args:
        data: any container that `impute` takes.
        methods: `all`, a name or names of `registry.names()`, or by label a name, a method of your
            own (see `registry.named`), or either with its options, `(name, options)`.
        time: the time axis, as in `impute`.
        group: what tells series apart, as in `impute`.
        dims: of xarray's objects, as in `impute`.
        holdout: share of the observed cells to hide, in (0, 1).
        pattern: `mcar` hides single cells, `mar` by the values of other columns, `mnar` the larger
            values, `block` stretches of rows, and `own` cells in the pattern of the holes that the
            data have, at most the share `holdout` of them.
        repeats: how often, at least 1.
        budget: seconds, for `all` methods. They run from the simple to those that train, and none
            is begun in the first repeat once its part of the seconds has passed: what is left out
            has a row that says so. None runs all of them. Methods that are named always run.
        seed: of the holes and the methods.
        preset: as in `impute`.
        options: of methods by name or label, `{"spirit": {"steps": 3}}`.
        bounds: of what cells may get, see `impute`.
        circular: columns of directions; their errors are taken the shorter way round.
        draws: random completions by which methods that draw are scored as well, 20 or more; none by
            default, since they take time.
        max_memory: megabytes that each method may take; one that would take more, by the measure of
            one trial step, fails.
        verbose: print a table, best score first, and on a terminal what is running.

    Returns:
        A frame with a row for each method, column and metric: `method`; `completes`, which is
        `new rows` for inductive methods and `given rows` for transductive ones; `column`, which is
        `(overall)` for all of them; `metric`; `mean` and `std` over repeats; and `failure`. A
        method that fails, or is left out, has one row with the reason. Ordered by score.

    Raises:
        DataError: the data cannot be used as given, or too little is observed to hide anything.
        OptionError: no such method or pattern, or a number out of range.

    Example:
        >>> import numpy as np
        >>> x = np.random.default_rng(0).normal(size=(50, 2))
        >>> scores = evaluate(x, ["mean"], repeats=1, verbose=False)
        >>> found = scores.set_index(["column", "metric"])["mean"]
        >>> bool(0.5 < found["(overall)", "score"] < 1.2)
        True
    """
    if not 0 < holdout < 1 or repeats < 1:
        raise OptionError(
            f"holdout is {holdout} and repeats {repeats}; expected 0 < holdout < 1, repeats >= 1"
        )
    if draws < 0 or draws == 1:
        raise OptionError(f"draws is {draws}; expected 0, or 2 and more")
    if budget is not None and not budget > 0:
        raise OptionError(f"budget is {budget}; expected seconds above 0, or None")
    frame = read(data, time, dims, group)
    frame = frame._replace(columns=possible.tell(frame.columns, bounds, circular))
    runs = _runs(methods, frame.kind, options or {})
    found: dict[str, list[pd.Series]] = {label: [] for label in runs}
    failures: dict[str, str] = {}
    begun = clock.perf_counter()
    stop = None if methods != "all" or budget is None else begun + budget / repeats
    for repeat in range(repeats):
        hidden = holes.hide(
            jax.random.fold_in(jax.random.key(seed), repeat), frame, holdout, pattern
        )
        holed = frame._replace(values=np.where(hidden, np.nan, frame.values))
        for label, run in runs.items():
            if label in failures:
                continue
            if stop is not None and not repeat and clock.perf_counter() > stop:
                failures[label] = f"{LEFT_OUT} {budget:g} s"
                continue
            with _announced(f"{label}, repeat {repeat + 1} of {repeats}", verbose):
                try:
                    if max_memory is not None and not repeat:
                        own: dict[str, Any] = {"preset": preset, "options": run.options}
                        plan.measure(holed, run.name, most=max_memory, **own)
                    found[label].append(
                        _measure(frame, holed, hidden, run, seed + repeat, preset, draws)
                    )
                except Exception as error:  # one method's failure must not hide the others' scores
                    failures[label] = _message(error)
    result = _gather(runs, found, failures)
    if verbose:
        text = f"{holdout:.0%} of the observed cells hidden ({pattern}), {repeats} times"
        Console(width=None if sys.stdout.isatty() else 120).print(as_table(result, text))
    return result


def as_table(result: pd.DataFrame, title: str = "") -> Table:
    """The overall part of what `evaluate` returns, for a terminal."""
    heads = {
        "score": "score",
        "mae_std": "MAE",
        "rmse_std": "RMSE",
        "error": "wrong",
        "wasserstein": "Wasserstein",
        "crps_std": "CRPS",
        "cover80": "in 80 %",
        "seconds": "seconds",
        "memory_mb": "MB",
    }
    overall = result[(result["column"] == OVERALL) & (result["failure"] == "")]
    present = [metric for metric in heads if (overall["metric"] == metric).any()]
    if "error" not in present:
        present = [metric for metric in present if metric != "score"]  # it is the MAE
    table = Table(
        title=escape(visible(title)) or None, title_justify="left", caption_justify="left"
    )
    table.add_column("method", overflow="fold")
    table.add_column("completes")
    for metric in present:
        table.add_column(heads[metric], justify="right")
    for label, rows in overall.groupby("method", sort=False):
        by_metric = rows.set_index("metric")
        cells = [
            _cell(by_metric.loc[metric], metric) if metric in by_metric.index else ""
            for metric in present
        ]
        table.add_row(escape(visible(str(label))), str(rows["completes"].iloc[0]), *cells)
    for _, row in result[result["failure"] != ""].iterrows():
        table.add_row(
            escape(visible(str(row["method"]))),
            row["completes"],
            "not run" if row["failure"].startswith(LEFT_OUT) else "failed",
            *[""] * (len(present) - 1),
        )
    failed = result[result["failure"] != ""].groupby("failure", sort=False)["method"].agg(list)
    notes = [f"{', '.join(map(str, who))}: {why}" for why, who in failed.items()]
    caption = ["MAE, RMSE and Wasserstein in standard deviations"]
    if "error" in present:
        caption.append(
            "wrong: share of the cells of texts, categories and booleans; score: MAE and wrong, "
            "averaged over all cells"
        )
    caption += notes
    table.caption = escape(visible("\n".join(caption)))
    return table


def _runs(methods: Methods, kind: Kind, options: Mapping[str, Mapping[str, Any]]) -> dict[str, Run]:
    if isinstance(methods, str):
        methods = _from_simple_on(kind) if methods == "all" else [methods]
    if not isinstance(methods, Mapping):
        methods = {registry.named(method): method for method in methods}
    if not methods:
        raise OptionError(f"no methods to evaluate; methods for a {kind}: {registry.names(kind)}")
    unknown = set(options) - set(methods)
    if unknown:
        raise OptionError(f"options for '{min(unknown)}', which is not among {', '.join(methods)}")
    runs = {}
    for label, asked in methods.items():
        plain = isinstance(asked, tuple) and not hasattr(asked, "_fields")
        given, own = asked if plain else (asked, {})
        name = resolve(given, kind)
        completes = "new rows" if registry.entry(name).inductive else "given rows"
        runs[label] = Run(name, {**own, **options.get(label, {})}, completes)
    return runs


def _from_simple_on(kind: Kind) -> list[str]:
    """All methods as they are listed, but the simple ones first."""
    return sorted(
        registry.names(kind), key=lambda name: ".simple." not in str(registry.entry(name).factory)
    )


def _measure(
    frame: Frame,
    holed: Frame,
    hidden: np.ndarray,
    run: Run,
    seed: int,
    preset: str,
    draws: int,
) -> pd.Series:
    grown, started = memory.watch(), clock.perf_counter()
    asked: dict[str, Any] = {"seed": seed, "preset": preset, "options": run.options}
    filled = filling.fill(holed, run.name, **asked)
    found = score(frame, hidden, filled.values)
    if draws and registry.entry(run.name, frame.kind).draws:
        drawn = filling.fill(holed, run.name, draws=draws, **asked).draws
        found = pd.concat([found, score_draws(frame, hidden, drawn)])
    found[OVERALL, "seconds"] = clock.perf_counter() - started
    found[OVERALL, "memory_mb"] = grown()
    return found


def _gather(
    runs: Mapping[str, Run], found: Mapping[str, list[pd.Series]], failures: Mapping[str, str]
) -> pd.DataFrame:
    parts = []
    for label, run in runs.items():
        about = {"method": label, "completes": run.completes}
        if label in failures:
            failed = {"column": OVERALL, "metric": "score", "mean": np.nan, "std": np.nan}
            parts.append(pd.DataFrame([{**about, **failed, "failure": failures[label]}]))
            continue
        repeats = pd.DataFrame(found[label])
        part = pd.DataFrame({"mean": repeats.mean(), "std": repeats.std()})
        part = part.rename_axis(["column", "metric"]).reset_index()
        parts.append(part.assign(**about, failure=""))
    result = pd.concat(parts)[["method", "completes", "column", "metric", "mean", "std", "failure"]]
    overall = result[(result["column"] == OVERALL) & (result["metric"] == "score")]
    rank = overall.set_index("method")["mean"].rank(na_option="bottom")
    order = result["method"].map(rank)
    return result.iloc[np.argsort(order, kind="stable")].reset_index(drop=True)


def _cell(row: pd.Series, metric: str) -> str:
    if metric in ("seconds", "memory_mb"):
        return f"{row['mean']:.1f}" if metric == "seconds" else f"{row['mean']:.0f}"
    spread = "" if np.isnan(row["std"]) else f" ± {row['std']:.3f}"
    return f"{row['mean']:.3f}{spread}"


def _message(error: Exception) -> str:
    text = str(error).strip().splitlines()
    first = text[0] if text else "no message"
    return first if isinstance(error, JaximputeError) else f"{type(error).__name__}: {first}"


@contextlib.contextmanager
def _announced(text: str, verbose: bool) -> Iterator[None]:
    console = Console(stderr=True)
    if verbose and console.is_terminal:
        stage("")
        with console.status(escape(visible(text))):
            yield
    else:
        yield
