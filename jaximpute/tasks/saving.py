"""A fitted `Imputer` on disk: a folder of JSON and NumPy arrays, which needs no pickle to read."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jaximpute._errors import DataError, JaximputeError, OptionError, OutputError
from jaximpute._version import __version__
from jaximpute.data import codecplain
from jaximpute.engine.precision import precision
from jaximpute.files import placing, safe_arrays
from jaximpute.tasks.savedformat import check_about, check_codec, check_finite, is_name

if TYPE_CHECKING:
    from jaximpute.tasks.imputer import Imputer

FORMAT = 2
_ABOUT, _ARRAYS = "imputer.json", "arrays.npz"
_PLAIN = (
    "method",
    "preset",
    "random_state",
    "missing_values",
    "add_indicator",
    "keep_empty_features",
    "options",
    "bounds",
    "circular",
    "method_",
    "seed_",
    "n_features_in_",
    "_rows_fitted",
)


def save(imputer: "Imputer", path: str | Path, *, force: bool = False) -> None:
    """Write a fitted imputer, whole or not at all.

    Args:
        imputer: fitted.
        path: a folder that is made.
        force: replace a folder that an imputer was saved to before; others are never touched.

    Raises:
        OptionError: a setting that JSON cannot hold, such as a `RandomState`.
        OutputError: the folder exists, or cannot be written.
    """
    check(Path(path), force=force)
    about, arrays = _describe(imputer)
    with placing.replacing_folder(path, force=force) as folder:
        folder.mkdir()
        with (folder / _ABOUT).open("wb") as file:
            file.write(json.dumps(about, indent=2).encode())
            placing.settle(file)
        with (folder / _ARRAYS).open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
            placing.settle(file)


def load(path: str | Path, imputer: "Imputer") -> "Imputer":
    """Read what `save` wrote.

    Args:
        path: of the folder.
        imputer: a new one, which becomes the one that was saved.

    Raises:
        DataError: no imputer is there, it was written by a newer version, or it is damaged.
    """
    folder = placing.resolved(path)
    if not folder.exists():
        placing.restore(folder)  # a process that died while it replaced one may have moved it away
    try:
        about = json.loads(safe_arrays.read_text(folder / _ABOUT))
        _refuse_format(about, path)
        check_about(about)
        arrays = safe_arrays.read_arrays(folder / _ARRAYS, is_name)
        return _restored(imputer, about, arrays, path)
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


def _restored(
    imputer: "Imputer", about: dict[str, Any], arrays: dict[str, np.ndarray], path: str | Path
) -> "Imputer":
    for name in _PLAIN:
        value = about["settings"][name]
        setattr(imputer, name, np.nan if name == "missing_values" and value is None else value)
    if "feature_names" in about:
        imputer.feature_names_in_ = np.array(about["feature_names"], object)
    columns, kept, flagged = imputer.n_features_in_, arrays["kept"], arrays.get("indicator")
    if kept.dtype != bool or kept.shape != (columns,):
        raise ValueError(f"'kept' holds {kept.dtype} of shape {kept.shape}")
    if flagged is not None and (
        flagged.dtype.kind != "i" or flagged.ndim != 1 or set(flagged.tolist()) - {*range(columns)}
    ):
        raise ValueError("'indicator' holds no columns")
    imputer._kept = kept
    imputer.codec_ = codecplain.from_plain(about["codec"])
    check_codec(imputer.codec_, columns)
    imputer._restore_indicator(flagged)
    leaves = [arrays[f"state/{i}"] for i in range(about["leaves"])]
    for i, leaf in enumerate(leaves):
        check_finite(f"state/{i}", leaf)
    _restore(imputer, leaves, str(path))
    return imputer


def _describe(imputer: "Imputer") -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    settings = {name: getattr(imputer, name) for name in _PLAIN}
    if isinstance(settings["missing_values"], float) and np.isnan(settings["missing_values"]):
        settings["missing_values"] = None
    leaves = jax.tree.leaves(imputer.state_)
    about = {
        "format": FORMAT,
        "version": __version__,
        "settings": settings,
        "codec": codecplain.to_plain(imputer.codec_),
        "leaves": len(leaves),
    }
    if hasattr(imputer, "feature_names_in_"):
        about["feature_names"] = imputer.feature_names_in_.tolist()
    try:
        json.dumps(about)
    except TypeError as error:
        raise OptionError(f"the imputer's settings cannot be saved: {error}") from error
    arrays = {f"state/{i}": np.asarray(leaf) for i, leaf in enumerate(leaves)}
    arrays["kept"] = imputer._kept
    if imputer.indicator_ is not None:
        arrays["indicator"] = imputer.indicator_.features_
    return about, arrays


def _restore(imputer: "Imputer", leaves: list[np.ndarray], path: str) -> None:
    """Build the method anew, and give its state the leaves; their shapes must be as it says."""
    if not leaves:
        imputer._method = imputer.state_ = None
        return
    try:
        wanted = imputer._rebuild()
    except MemoryError:
        raise
    except Exception as error:  # settings from a file may make a method fail in any way
        raise DataError(
            f"the imputer in {path} cannot be rebuilt by jaximpute {__version__}: {error}; fit and "
            "save again"
        ) from error
    described = [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(wanted)]
    if described != [(leaf.shape, leaf.dtype) for leaf in leaves]:
        raise DataError(
            f"the imputer in {path} does not fit the '{imputer.method_}' of jaximpute "
            f"{__version__}; fit and save again"
        )
    with precision(imputer.codec_.exact):
        arrays = list(map(jax.numpy.asarray, leaves))
    imputer.state_ = jax.tree.unflatten(jax.tree.structure(wanted), arrays)


def check(path: str | Path, *, force: bool = False) -> None:
    """Refuse a folder that `save` would refuse, before the work is done.

    Raises:
        OutputError: it exists and `force` is false, there is no folder for it, or it holds anything
            but a saved imputer; the message names what that is.
    """
    target = placing.resolved(path)
    if target.exists():
        _refuse_another(target, path)
    placing.check_new(path, force=force)


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
        held = json.loads(safe_arrays.read_text(about))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(held, dict) and {"format", "version", "settings"} <= held.keys()
