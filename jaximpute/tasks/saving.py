"""A fitted `Imputer` on disk: a folder of JSON and NumPy arrays, which needs no pickle to read."""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.impute import MissingIndicator

from jaximpute import registry
from jaximpute._errors import DataError, JaximputeError, OptionError, OutputError
from jaximpute._version import __version__
from jaximpute.data import codecplain
from jaximpute.data.columns import Column
from jaximpute.files import atomic, safe_arrays
from jaximpute.tasks.fitted import Along, Fitted, leaves, rebuild
from jaximpute.tasks.savedformat import check_codec, check_description, check_finite, is_name
from jaximpute.types import Kind

FORMAT = 3
_ABOUT, _ARRAYS = "imputer.json", "arrays.npz"
SETTINGS = (
    "method",
    "preset",
    "random_state",
    "missing_values",
    "add_indicator",
    "keep_empty_features",
    "options",
    "bounds",
    "circular",
    "time",
    "group",
    "max_gap",
)


class Saved(NamedTuple):
    """What an imputer is made of.

    Attributes:
        settings: those of `SETTINGS` that its constructor takes.
        columns: how many it was fitted to.
        names: of the columns; None of an array.
        kept: `(columns,)` whether a column is returned.
        flagged: positions of the columns that an indicator tells of; None without one.
        fitted: what was learned.
        described: what each column holds, where some have levels; else None.
    """

    settings: dict[str, Any]
    columns: int
    names: list[str] | None
    kept: np.ndarray
    flagged: np.ndarray | None
    fitted: Fitted
    described: tuple[Column, ...] | None = None


def parts_of(imputer: Any) -> Saved:
    """What a fitted imputer is made of."""
    names, indicator = getattr(imputer, "feature_names_in_", None), imputer.indicator_
    return Saved(
        settings={name: getattr(imputer, name) for name in SETTINGS},
        columns=imputer.n_features_in_,
        names=None if names is None else names.tolist(),
        kept=imputer._kept,
        flagged=None if indicator is None else indicator.features_,
        fitted=imputer.fitted_,
        described=imputer.columns_,
    )


def put_into(imputer: Any, saved: Saved) -> Any:
    """Make an imputer of these settings as it was when it was saved, and return it."""
    imputer.n_features_in_ = saved.columns
    if saved.names is not None:
        imputer.feature_names_in_ = np.array(saved.names, object)
    imputer.fitted_, imputer._kept = saved.fitted, saved.kept
    imputer.columns_, imputer.indicator_ = saved.described, None
    if saved.flagged is not None:
        rows = np.zeros((1, saved.columns))
        rows[:, saved.flagged] = np.nan
        imputer.indicator_ = MissingIndicator(error_on_new=False).fit(rows)
    return imputer


def save(saved: Saved, path: str | Path, *, force: bool = False) -> None:
    """Write an imputer, whole or not at all.

    Args:
        saved: what it is made of.
        path: a folder that is made.
        force: replace a folder that an imputer was saved to before; others are never touched.

    Raises:
        OptionError: a setting that JSON cannot hold, such as a `RandomState`; a method that was not
            given by name.
        OutputError: the folder exists, or cannot be written.
    """
    if registry.is_own(saved.fitted.name):
        raise OptionError(
            f"'{saved.fitted.name}' was given as an object, and a file cannot name it; install it "
            "as an entry point of the group jaximpute.methods"
        )
    check(Path(path), force=force)
    about, arrays = _describe(saved)
    with atomic.replacing_folder(path, force=force) as folder:
        folder.mkdir()
        with (folder / _ABOUT).open("wb") as file:
            file.write(json.dumps(about, indent=2).encode())
            atomic.to_disk(file)
        with (folder / _ARRAYS).open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
            atomic.to_disk(file)


def load(path: str | Path) -> Saved:
    """Read what `save` wrote.

    Args:
        path: of the folder.

    Raises:
        DataError: no imputer is there, it was written by a newer version, or it is damaged.
    """
    folder = atomic.resolved(path)
    if not folder.exists():
        atomic.restore(folder)  # a process that died while it replaced one may have moved it away
    for file in (folder / _ABOUT, folder / _ARRAYS):
        if not Path(os.path.realpath(file)).is_relative_to(folder):
            raise DataError(f"the imputer in {path} is damaged: {file.name} is a link out of it")
    try:
        about = json.loads(safe_arrays.read_text(folder / _ABOUT))
        _refuse_format(about, path)
        check_description(about)
        arrays = safe_arrays.read_arrays(folder / _ARRAYS, is_name)
        return _restore(about, arrays, str(path))
    except FileNotFoundError as error:
        raise DataError(f"{path} holds no saved imputer: there is no {error.filename}") from error
    except JaximputeError:
        raise
    except (OSError, ValueError, KeyError, RecursionError) as error:
        what = f"there is no array {error}" if isinstance(error, KeyError) else error
        raise DataError(f"the imputer in {path} is damaged: {what}") from error


def _refuse_format(about: Any, path: str | Path) -> None:
    if not isinstance(about, dict):
        raise ValueError(f"{_ABOUT} holds no object")
    if about.get("format") != FORMAT:
        raise DataError(
            f"{path} is in format {about.get('format')}, written by jaximpute "
            f"{about.get('version')}; this is {__version__}, which reads format {FORMAT}. "
            "Install that version, or fit and save again"
        )


def _describe(saved: Saved) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    settings, fitted = dict(saved.settings), saved.fitted
    if isinstance(settings["missing_values"], float) and np.isnan(settings["missing_values"]):
        settings["missing_values"] = None
    settings |= {"method_": fitted.name, "seed_": fitted.seed, "_shape_fitted": fitted.shape[:-1]}
    settings["n_features_in_"] = saved.columns
    state = leaves(fitted)
    about = {
        "format": FORMAT,
        "version": __version__,
        "settings": settings,
        "codec": codecplain.to_plain(fitted.codec),
        "leaves": len(state),
    }
    if fitted.along is not None:
        about["along"] = fitted.along._asdict()
    if saved.names is not None:
        about["feature_names"] = saved.names
    if saved.described is not None:
        about["columns"] = [
            {"name": one.name, "kind": one.kind, "levels": one.levels, "limits": one.limits}
            for one in saved.described
        ]
    try:
        json.dumps(about)
    except TypeError as error:
        raise OptionError(f"the imputer's settings cannot be saved: {error}") from error
    arrays = {f"state/{i}": leaf for i, leaf in enumerate(state)}
    arrays["kept"] = saved.kept
    if saved.flagged is not None:
        arrays["indicator"] = saved.flagged
    return about, arrays


def _restore(about: dict[str, Any], arrays: dict[str, np.ndarray], path: str) -> Saved:
    read = about["settings"]
    settings = {name: read[name] for name in SETTINGS}
    if settings["missing_values"] is None:
        settings["missing_values"] = np.nan
    columns, kept, flagged = read["n_features_in_"], arrays["kept"], arrays.get("indicator")
    if kept.dtype != bool or kept.shape != (columns,):
        raise ValueError(f"'kept' holds {kept.dtype} of shape {kept.shape}")
    if flagged is not None and (
        flagged.dtype.kind != "i" or flagged.ndim != 1 or set(flagged.tolist()) - {*range(columns)}
    ):
        raise ValueError("'indicator' holds no columns")
    codec = codecplain.from_plain(about["codec"])
    check_codec(codec, columns)
    state = [arrays[f"state/{i}"] for i in range(about["leaves"])]
    for i, leaf in enumerate(state):
        check_finite(f"state/{i}", leaf)
    shape = (*read["_shape_fitted"], codec.width)
    name, preset, options, seed = (read[key] for key in ("method_", "preset", "options", "seed_"))
    kind: Kind = "table" if "along" not in about else "series"
    learned = Fitted(name, kind, preset, options, seed, codec, shape)
    if "along" in about:
        step, dated, static = (about["along"][key] for key in Along._fields)
        learned = learned._replace(along=Along(step, dated, tuple(static)))
    fitted = rebuild(learned, state, f"the imputer in {path}", "fit and save again")
    described = None
    if "columns" in about:
        described = tuple(
            Column(
                one["name"],
                one["kind"],
                tuple(one["levels"]),
                None if one["limits"] is None else tuple(one["limits"]),
            )
            for one in about["columns"]
        )
    return Saved(settings, columns, about.get("feature_names"), kept, flagged, fitted, described)


def check(path: str | Path, *, force: bool = False) -> None:
    """Refuse a folder that `save` would refuse, before the work is done.

    Raises:
        OutputError: it exists and `force` is false, there is no folder for it, or it holds anything
            but a saved imputer; the message names what that is.
    """
    target = atomic.resolved(path)
    if target.exists():
        _refuse_another(target, path)
    atomic.check_new(path, force=force)


def _refuse_another(target: Path, path: str | Path) -> None:
    names = sorted(each.name for each in target.iterdir()) if target.is_dir() else []
    if _ABOUT not in names or not _is_ours(target / _ABOUT):
        raise OutputError(f"{path} is no folder that an imputer was saved to; it stays")
    others = [name for name in names if name not in (_ABOUT, _ARRAYS)]
    if others:
        raise OutputError(
            f"{path} holds '{others[0]}' beside a saved imputer, and is not replaced; move that "
            "away, or name another folder"
        )


def _is_ours(about: Path) -> bool:
    try:
        read = json.loads(safe_arrays.read_text(about))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(read, dict) and {"format", "version", "settings"} <= read.keys()
