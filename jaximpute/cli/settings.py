"""What a run was asked to do: defaults, a TOML file over them, flags over that."""

import inspect
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from jaximpute._errors import OptionError
from jaximpute.cli.common import say
from jaximpute.cli.reading import ReadSettings


@dataclass(frozen=True, kw_only=True)
class RunSettings(ReadSettings):
    """What all commands that learn have in common; see the help of the flags of these names."""

    method: str = "auto"
    preset: str = "balanced"
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    bounds: tuple[str, ...] = ()
    circular: tuple[str, ...] = ()
    report: str | None = None
    checkpoint: str | None = None
    checkpoint_every: int = 1
    resume: bool = False
    max_memory: str | None = None
    force: bool = False
    quiet: bool = False


@dataclass(frozen=True, kw_only=True)
class ImputeSettings(RunSettings):
    """Of `jaximpute impute`."""

    output: str = "-"
    time: str | None = None
    draws: int | None = None
    interval: float | None = None
    max_gap: int | float | str | None = None
    dims: str | None = None
    group: tuple[str, ...] = ()
    fill_unseen: bool = False
    mask: str | None = None
    plot: str | None = None
    block_rows: int | None = None
    sample_rows: int | None = None


@dataclass(frozen=True, kw_only=True)
class FitSettings(RunSettings):
    """Of `jaximpute fit`."""

    save: str | None = None
    leave: tuple[str, ...] = ()
    time: str | None = None
    group: tuple[str, ...] = ()
    max_gap: int | float | str | None = None


@dataclass(frozen=True, kw_only=True)
class TrainSettings(FitSettings):
    """Of `jaximpute train`."""

    data: str | None = None
    mesh: str = "all"
    accumulate: int = 1
    bfloat16: bool = False
    remat: bool = False


@dataclass(frozen=True, kw_only=True)
class ApplySettings(ReadSettings):
    """Of `jaximpute apply`."""

    model: str | None = None
    output: str = "-"
    report: str | None = None
    max_memory: str | None = None
    force: bool = False
    quiet: bool = False


S = TypeVar("S", bound=ReadSettings)
_NAMES = {str: "text", tuple: "a list of texts", dict: "a table", bool: "true or false"}


def resolve(command: type[S], flags: Mapping[str, Any], config: str | None = None) -> S:
    """One value for each setting: from its flag, else the file, else the default.

    Args:
        command: whose settings they are.
        flags: as given on the command line; None, empty and False mean not given. Options of the
            method are merged one by one.
        config: path of a TOML file with the names of the long flags (`max_gap` or `max-gap`); what
            `--set` sets is in its table `[options]`.

    Returns:
        All settings.

    Raises:
        OptionError: the file cannot be read, or holds an unknown name or a value of another type.

    Example:
        >>> flags = {"seed": 3, "method": None}
        >>> resolve(ImputeSettings, flags).seed, resolve(ImputeSettings, flags).method
        (3, 'auto')
    """
    chosen = {} if config is None else _load(config, command)
    # 0 equals False, and is given
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in flags.items()
        if value is not None
        and (value is not False or name == "header")  # which --no-header turns off
        and value not in ([], (), {})
    }
    if "options" in given:
        given["options"] = {**chosen.get("options", {}), **given["options"]}
    settings = command(**{**chosen, **given})
    check_seed(getattr(settings, "seed", 0))
    return settings


def names(command: type[ReadSettings]) -> list[str]:
    """The settings of a command, as files and manifests call them.

    Example:
        >>> "max_gap" in names(ImputeSettings), "as" in names(FitSettings)
        (True, True)
    """
    return [each.name.rstrip("_") for each in fields(command)]


def plain(settings: ReadSettings) -> dict[str, Any]:
    """All settings by their names, for JSON."""
    values = (getattr(settings, each.name) for each in fields(settings))
    return dict(zip(names(type(settings)), values, strict=True))


def checked(command: type[S], values: Mapping[str, Any], source: str) -> S:
    """Settings from a file, each of the type that its command declares.

    Args:
        command: whose settings they are.
        values: by names of the command; those that are not there take their defaults.
        source: the file, for messages.

    Raises:
        OptionError: a value of another type.
    """
    return command(**_fitting(command, values, source))


def checkpoints(run: RunSettings) -> Any:
    """Where a command's checkpoints lie, from its settings; None if nowhere."""
    from jaximpute.engine import hooks

    if run.checkpoint is None:
        if run.resume:
            raise OptionError("--resume goes on from checkpoints; name their folder: --checkpoint")
        return None
    return hooks.CheckpointPolicy(
        run.checkpoint,
        resume=run.resume,
        every=run.checkpoint_every,
        force=run.force,
        tell=lambda text: say(f"warning: {text}"),
    )


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


def _load(path: str, command: type[ReadSettings]) -> dict[str, Any]:
    from jaximpute.files import safe_arrays

    try:
        read = tomllib.loads(safe_arrays.read_text(Path(path)))
    except (OSError, ValueError, RecursionError) as error:
        raise OptionError(f"cannot read the settings in {path}: {error}") from error
    values, valid = {name.replace("-", "_"): value for name, value in read.items()}, names(command)
    for name in values:
        if name not in valid:
            close = get_close_matches(name, valid, n=1)
            maybe = f"; did you mean '{close[0]}'?" if close else ";"
            raise OptionError(
                f"{path} sets '{name}', which is no setting{maybe} valid: {', '.join(valid)}"
            )
    return _fitting(command, values, path)


def _fitting(command: type[ReadSettings], values: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Values as the fields of their command, whose annotations they fit."""
    wanted = get_type_hints(command)
    by_name = dict(zip(names(command), wanted, strict=True))
    return {
        by_name[name]: _fit(name, value, wanted[by_name[name]], source)
        for name, value in values.items()
    }


def _fit(name: str, value: Any, hint: Any, source: str) -> Any:
    hints = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    kinds = [get_origin(each) or each for each in hints]
    kinds = [dict if kind is Mapping else kind for kind in kinds]
    if value is None and NoneType in kinds:
        return None
    if float in kinds and int not in kinds:
        kinds.insert(kinds.index(float) + 1, int)
    given = tuple(value) if isinstance(value, list) else value
    fits = isinstance(given, tuple(kinds)) and (bool in kinds or not isinstance(given, bool))
    if fits and isinstance(given, tuple):
        fits = all(isinstance(each, str) for each in given)
    if fits and isinstance(given, str):
        fits = "\0" not in given
    if not fits:
        words = [_NAMES.get(kind, kind.__name__) for kind in kinds if kind is not NoneType]
        raise OptionError(
            f"{source} sets {name} to {repr(value)[:100]}; expected {' or '.join(words)}"
        )
    return given


def check_seed(seed: int) -> None:
    """Refuse a seed that is none: of those beyond the range several would be one.

    Raises:
        OptionError: it is not in 0..2**32-1.
    """
    if not 0 <= seed < 2**32:
        raise OptionError(f"--seed is {seed}; expected 0..4294967295")
