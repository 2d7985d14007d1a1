"""What a run was asked to do: defaults, a TOML file over them, flags over that."""

import inspect
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from jaximpute._errors import OptionError
from jaximpute.cli import reading

DEFAULTS: dict[str, Any] = {
    "output": "-",
    "method": "auto",
    "time": None,
    "preset": "balanced",
    "options": {},
    "seed": 0,
    "draws": None,
    "interval": None,
    "max_gap": None,
    "dims": None,
    "group": [],
    "fill_unseen": False,
    "mask": None,
    "plot": None,
    "report": None,
    "checkpoint": None,
    "checkpoint_every": 1,
    "resume": False,
    "block_rows": None,
    "sample_rows": None,
    "max_memory": None,
    **reading.DEFAULTS,
    "bounds": [],
    "circular": [],
    "force": False,
    "quiet": False,
}
TRAINING: dict[str, Any] = {
    "data": None,
    "save": None,
    "method": "auto",
    "preset": "balanced",
    "options": {},
    "seed": 0,
    "leave": [],
    **reading.DEFAULTS,
    "bounds": [],
    "circular": [],
    "mesh": "all",
    "accumulate": 1,
    "bfloat16": False,
    "remat": False,
    "report": None,
    "checkpoint": None,
    "checkpoint_every": 1,
    "resume": False,
    "force": False,
    "quiet": False,
}
_TYPES: dict[str, tuple[type, ...]] = {
    "options": (dict,),
    "seed": (int,),
    "draws": (int,),
    "checkpoint_every": (int,),
    "block_rows": (int,),
    "sample_rows": (int,),
    "resume": (bool,),
    "interval": (float, int),
    "max_gap": (int, float, str),
    **reading.TYPES,
    "bounds": (list,),
    "circular": (list,),
    "group": (list,),
    "leave": (list,),
    "accumulate": (int,),
    "bfloat16": (bool,),
    "remat": (bool,),
    "fill_unseen": (bool,),
    "force": (bool,),
    "quiet": (bool,),
}

_NAMES = {str: "text", list: "a list of texts", dict: "a table", bool: "true or false"}


def resolve(
    flags: Mapping[str, Any],
    config: str | None = None,
    defaults: Mapping[str, Any] = DEFAULTS,
) -> dict[str, Any]:
    """One value for each setting: from its flag, else the file, else the default.

    Args:
        flags: as given on the command line; None, empty and False mean not given. Options of the
            method are merged one by one.
        config: path of a TOML file with the names of the long flags (`max_gap` or `max-gap`); what
            `--set` sets is in its table `[options]`.
        defaults: of the command; they name its settings.

    Returns:
        All settings.

    Raises:
        OptionError: the file cannot be read, or holds an unknown name or a value of another type.

    Example:
        >>> resolve({"seed": 3, "method": None})["seed"], resolve({"method": "mean"})["method"]
        (3, 'mean')
    """
    chosen = {**defaults, **({} if config is None else _load(config, defaults))}
    # 0 equals False, and is given
    given = {
        name: value
        for name, value in flags.items()
        if value is not None
        and (value is not False or name == "header")  # which --no-header turns off
        and value not in ([], {})
    }
    merged = {**chosen["options"], **given.pop("options", {})}
    run = {**chosen, **given, "options": merged}
    check_seed(run["seed"])
    return run


def parse_options(assignments: Sequence[str]) -> dict[str, Any]:
    """`name=value` texts as a dictionary; values as in TOML, anything else is text.

    Raises:
        OptionError: no name, or no `=`.

    Example:
        >>> parse_options(["steps=3", "lr=1e-3", "weights=true", "start=linear"])
        {'steps': 3, 'lr': 0.001, 'weights': True, 'start': 'linear'}
    """
    options = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name.strip():
            raise OptionError(
                f"--set takes name=value, for instance --set steps=3; got {assignment!r}"
            )
        options[name.strip().replace("-", "_")] = parse_value(value.strip())
    return options


def refuse_taken(options: Mapping[str, Any], function: Callable[..., Any]) -> None:
    """Refuse options of a method by the name of a setting, which they would override.

    Raises:
        OptionError: there is one.
    """
    taken = sorted(options.keys() & inspect.signature(function).parameters.keys())
    if taken:
        raise OptionError(
            f"--set {taken[0]}=... sets no option of a method; '{taken[0]}' is a setting of the "
            "command, and has a flag or an argument of its own"
        )


def parse_bounds(texts: Sequence[str]) -> dict[str, tuple[Any, Any]]:
    """What `--bounds NAME=LOW:HIGH` says, either end of which may be left out.

    Raises:
        OptionError: it is written otherwise.

    Example:
        >>> parse_bounds(["Ozone=0:", "share=0:1"])
        {'Ozone': (0.0, None), 'share': (0.0, 1.0)}
    """
    bounds = {}
    for text in texts:
        name, equals, ends = str(text).rpartition("=")
        low, colon, high = ends.partition(":")
        try:
            if not equals or not name or not colon:
                raise ValueError
            least, most = (float(end) if end.strip() else None for end in (low, high))
            bounds[name.strip()] = (least, most)
        except ValueError:
            raise OptionError(
                f"--bounds takes NAME=LOW:HIGH with either number left out for no bound, for "
                f"instance --bounds Ozone=0: ; got {text!r}"
            ) from None
    return bounds


def parse_circular(texts: Sequence[str]) -> dict[str, float] | None:
    """What `--circular NAME` or `NAME=PERIOD` says; None if it was not given.

    Example:
        >>> parse_circular(["wind_dir", "hour=24"])
        {'wind_dir': 360.0, 'hour': 24.0}
    """
    periods = {}
    for text in map(str, texts):
        name, _, period = text.rpartition("=")
        try:
            number = float(period)
        except ValueError:
            name, number = text, 360.0
        periods[name.strip() or text] = number if name.strip() else 360.0
    return periods or None


def parse_memory(text: str | None) -> float | None:
    """Megabytes in `--max-memory 2GB`; None for no limit.

    Raises:
        OptionError: it is written otherwise.

    Example:
        >>> parse_memory("2GB"), parse_memory("500 MB"), parse_memory(None)
        (2000.0, 500.0, None)
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?) ?([kMGT])B", text.strip())
    if found is None or not float(found[1]):
        raise OptionError(f"--max-memory is {text!r}; expected a number and kB, MB, GB or TB: 2GB")
    return float(found[1]) * {"k": 1e-3, "M": 1.0, "G": 1e3, "T": 1e6}[found[2]]


def parse_value(text: str) -> Any:
    """A number, boolean, list or quoted text as TOML writes them; otherwise the text itself."""
    try:
        read = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):  # no TOML, or a number of thousands of digits
        return text
    return read["value"] if len(read) == 1 else text


def _load(path: str, defaults: Mapping[str, Any]) -> dict[str, Any]:
    from jaximpute.files import safe_arrays

    try:
        read = tomllib.loads(safe_arrays.read_text(Path(path)))
    except (OSError, ValueError, RecursionError) as error:
        raise OptionError(f"cannot read the settings in {path}: {error}") from error
    settings = {name.replace("-", "_"): value for name, value in read.items()}
    for name, value in settings.items():
        if name not in defaults:
            close = get_close_matches(name, defaults, n=1)
            maybe = f"; did you mean '{close[0]}'?" if close else ";"
            raise OptionError(
                f"{path} sets '{name}', which is no setting{maybe} valid: {', '.join(defaults)}"
            )
        check_type(name, value, path)
    return settings


def check_type(name: str, value: Any, source: str) -> None:
    """Refuse a value of another type than a setting takes.

    Args:
        name: of the setting.
        value: from a file.
        source: the file, for the message.

    Raises:
        OptionError: it is.
    """
    wanted = _TYPES.get(name, (str,))
    fits = isinstance(value, wanted) and (bool in wanted or not isinstance(value, bool))
    if fits and isinstance(value, list):
        wanted, fits = (list,), all(isinstance(each, str) for each in value)
    if fits and isinstance(value, str):
        fits = "\0" not in value
    if not fits:
        names = " or ".join(_NAMES.get(kind, kind.__name__) for kind in wanted)
        raise OptionError(f"{source} sets {name} to {repr(value)[:100]}; expected {names}")


def check_seed(seed: int) -> None:
    """Refuse a seed that is none: of those beyond the range several would be one.

    Raises:
        OptionError: it is not in 0..2**32-1.
    """
    if not 0 <= seed < 2**32:
        raise OptionError(f"--seed is {seed}; expected 0..4294967295")
