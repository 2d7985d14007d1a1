"""A fitted `Imputer` on disk: a folder of JSON and NumPy arrays, which needs no pickle to read."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jaximpute._errors import DataError, OptionError, OutputError
from jaximpute._version import __version__
from jaximpute.data import folders
from jaximpute.data.codec import Codec, Levels

if TYPE_CHECKING:
    from jaximpute.estimators import Imputer

FORMAT = 1
_ABOUT, _ARRAYS = "imputer.json", "arrays.npz"
_PLAIN = (
    "method",
    "preset",
    "random_state",
    "missing_values",
    "add_indicator",
    "keep_empty_features",
    "options",
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
    with folders.replacing(path) as folder:
        folder.mkdir()
        (folder / _ABOUT).write_text(json.dumps(about, indent=2), encoding="utf-8")
        with (folder / _ARRAYS).open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)


def load(path: str | Path) -> "Imputer":
    """Read what `save` wrote.

    Raises:
        DataError: no imputer is there, it was written by a newer version, or it is damaged.
    """
    from jaximpute.estimators import Imputer

    folder = Path(path)
    try:
        about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        with np.load(folder / _ARRAYS, allow_pickle=False) as file:
            arrays = dict(file)
    except FileNotFoundError as error:
        raise DataError(f"{path} holds no saved imputer: there is no {error.filename}") from error
    except (OSError, ValueError) as error:
        raise DataError(f"the imputer in {path} is damaged: {error}") from error
    if about.get("format") != FORMAT:
        raise DataError(
            f"{path} is in format {about.get('format')}, written by jaximpute "
            f"{about.get('version')}; this is {__version__}, which reads format {FORMAT}. "
            "Install that version, or fit and save again"
        )
    imputer = Imputer()
    for name in _PLAIN:
        value = about["settings"][name]
        setattr(imputer, name, np.nan if name == "missing_values" and value is None else value)
    if "feature_names" in about:
        imputer.feature_names_in_ = np.array(about["feature_names"], object)
    imputer._kept = arrays["kept"]
    imputer.codec_ = _codec(about["codec"], arrays)
    imputer._restore_indicator(arrays.get("indicator"))
    leaves = [arrays[f"state/{i}"] for i in range(about["leaves"])]
    _restore(imputer, leaves, str(path))
    return imputer


def _describe(imputer: "Imputer") -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    settings = {name: getattr(imputer, name) for name in _PLAIN}
    if isinstance(settings["missing_values"], float) and np.isnan(settings["missing_values"]):
        settings["missing_values"] = None
    codec, leaves = imputer.codec_, jax.tree.leaves(imputer.state_)
    about = {
        "format": FORMAT,
        "version": __version__,
        "settings": settings,
        "codec": {
            "levels": [[block.column, block.scale] for block in codec.levels],
            "constants": {str(column): value for column, value in codec.constants.items()},
            "unlearned": {str(column): reason for column, reason in codec.unlearned.items()},
        },
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
    for name in ("numeric", "centre", "scale", "whole", "pair"):
        arrays[f"codec/{name}"] = getattr(codec, name)
    for i, block in enumerate(codec.levels):
        arrays[f"codec/codes/{i}"], arrays[f"codec/share/{i}"] = block.codes, block.share
    if imputer.indicator_ is not None:
        arrays["indicator"] = imputer.indicator_.features_
    return about, arrays


def _codec(about: dict[str, Any], arrays: dict[str, np.ndarray]) -> Codec:
    levels = tuple(
        Levels(column, arrays[f"codec/codes/{i}"], arrays[f"codec/share/{i}"], scale)
        for i, (column, scale) in enumerate(about["levels"])
    )
    numeric, centre, scale, whole, pair = (
        arrays[f"codec/{name}"] for name in ("numeric", "centre", "scale", "whole", "pair")
    )
    constants = {int(column): value for column, value in about["constants"].items()}
    unlearned = {int(column): reason for column, reason in about["unlearned"].items()}
    return Codec(numeric, centre, scale, whole, levels, constants, unlearned, pair)


def _restore(imputer: "Imputer", leaves: list[np.ndarray], path: str) -> None:
    """Build the method anew, and give its state the leaves; their shapes must be as it says."""
    if not leaves:
        imputer._method = imputer.state_ = None
        return
    wanted = imputer._rebuild()
    described = [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(wanted)]
    if described != [(leaf.shape, leaf.dtype) for leaf in leaves]:
        raise DataError(
            f"the imputer in {path} does not fit the '{imputer.method_}' of jaximpute "
            f"{__version__}; fit and save again"
        )
    arrays = map(jax.numpy.asarray, leaves)
    imputer.state_ = jax.tree.unflatten(jax.tree.structure(wanted), arrays)


def check(path: str | Path, *, force: bool = False) -> None:
    """Refuse a folder that `save` would refuse, before the work is done.

    Raises:
        OutputError: it exists and `force` is false, it is another's, or there is no folder for it.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise OutputError(f"cannot write {target}: there is no folder {target.parent}")
    if not target.exists():
        return
    if not force:
        raise OutputError(f"{target} exists; pass force=True (--force) to replace it")
    if not (target / _ABOUT).is_file():
        raise OutputError(f"{target} is no folder that an imputer was saved to; it stays")
