"""What a saved imputer must look like before anything of it is believed."""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, get_args

import numpy as np

from jaximpute.data.codec import Codec
from jaximpute.data.columns import ColumnKind

_MOST = 2**40  # rows and columns
_NAMES = re.compile(r"state/\d{1,7}|kept|indicator")


def is_name(name: str) -> bool:
    """Whether an array of a saved imputer may be called so."""
    return _NAMES.fullmatch(name) is not None


def check_description(about: Mapping[str, Any]) -> None:
    """Refuse a description whose values are not of their types, or out of range.

    Raises:
        ValueError: one is; the message names it.
    """
    settings, codec = (_get(about, name, _is_dict, "an object") for name in ("settings", "codec"))
    _get(about, "leaves", _is_count, "a number of arrays")
    for name in ("method", "preset", "method_"):
        _get(settings, name, _is_text, "text")
    for name in ("add_indicator", "keep_empty_features"):
        _get(settings, name, _is_bool, "true or false")
    _get(settings, "random_state", lambda value: value is None or _is_whole(value), "a number")
    _get(settings, "missing_values", lambda value: value is None or _is_number(value), "a number")
    _get(settings, "options", lambda value: value is None or isinstance(value, dict), "an object")
    _get(settings, "seed_", lambda value: _is_whole(value) and 0 <= value < 2**32, "0..2**32-1")
    _get(settings, "time", lambda value: value is None or _is_text(value), "text")
    one_or_more = partial(_one_of, kinds=(_is_none, _is_text, partial(_all, holds=_is_text)))
    _get(settings, "group", one_or_more, "texts")
    gap = partial(_one_of, kinds=(_is_none, _is_text, _is_number))
    _get(settings, "max_gap", gap, "a number or text")
    _get(settings, "n_features_in_", _is_size, "at least 1")
    axes = 2 if "along" in about else 1
    is_shape = partial(_is_row, parts=(_is_size,) * axes)
    _get(settings, "_shape_fitted", is_shape, f"{axes} numbers from 1")
    if "along" in about:
        along, columns = _get(about, "along", _is_dict, "an object"), settings["n_features_in_"]
        _get(along, "step", lambda value: _is_number(value) and value > 0, "above 0")
        _get(along, "dated", _is_bool, "true or false")
        _get(
            along, "static", partial(_all, holds=lambda i: _is_count(i) and i < columns), "columns"
        )
    for name, holds, wanted in _CODEC:
        _get(codec, name, partial(_all, holds=holds), wanted)
    _get(codec, "exact", _is_bool, "true or false")
    if "feature_names" in about:
        names = _get(about, "feature_names", lambda value: _all(value, _is_text), "texts")
        if len(names) != settings["n_features_in_"] or len(set(names)) != len(names):
            raise ValueError("feature_names has not one name for each column")
    if "columns" in about:
        columns = _get(about, "columns", lambda value: _all(value, _is_column), "columns")
        if len(columns) != settings["n_features_in_"]:
            raise ValueError("columns are not as many as were fitted")
        _check_levels([block[:2] for block in codec["levels"]], columns)
        constants = [(column, [value]) for column, value in codec["constants"]]
        _check_levels([one for one in constants if _levels(columns, one[0])], columns)


def _check_levels(blocks: Iterable[Sequence[Any]], columns: Sequence[Mapping[str, Any]]) -> None:
    """Refuse codes without a level, which would fill cells with nothing."""
    for column, codes in blocks:
        if any(code not in range(_levels(columns, column)) for code in codes):
            raise ValueError(f"column {column} has codes without a level")


def _levels(columns: Sequence[Mapping[str, Any]], column: int) -> int:
    """How many levels a column has; 0 if there is no such column."""
    return len(columns[column]["levels"]) if column < len(columns) else 0


def check_codec(codec: Codec, columns: int) -> None:
    """Refuse numbers that are not finite, columns that are not there, and arrays of other shapes.

    Raises:
        ValueError: there are some; the message names them.
    """
    d = len(codec.numeric)
    for name in ("centre", "scale", "whole", "low", "high", "pair"):
        if len(getattr(codec, name)) != d:
            raise ValueError(f"'{name}' holds {len(getattr(codec, name))} parts; expected {d}")
    scales = [*codec.scale, *(b.scale for b in codec.levels), *(c.scale for c in codec.circles)]
    if min(scales, default=1) <= 0:
        raise ValueError("a scale is not above 0")
    named = [*codec.columns, *codec.constants, *codec.unlearned]
    if len(set(named)) != len(named) or any(not 0 <= column < columns for column in named):
        raise ValueError(f"its columns are not among 0..{columns - 1}, each once")


def check_finite(name: str, array: np.ndarray) -> None:
    """Refuse parameters that are not finite: what they fill would be none.

    Raises:
        ValueError: some are not.
    """
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"'{name}' holds numbers that are not finite")


def _get(within: Mapping[str, Any], name: str, holds: Callable[[Any], bool], wanted: str) -> Any:
    if name not in within:
        raise ValueError(f"there is no '{name}'")
    if not holds(within[name]):
        raise ValueError(f"'{name}' is {str(within[name])[:60]}; expected {wanted}")
    return within[name]


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_whole(value: Any) -> bool:
    return type(value) is int


def _is_count(value: Any) -> bool:
    return _is_whole(value) and 0 <= value < _MOST


def _is_none(value: Any) -> bool:
    return value is None


def _is_size(value: Any) -> bool:
    return _is_count(value) and value > 0


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 2**1000 and math.isfinite(value)


def _is_end(value: Any) -> bool:
    return value is None or _is_number(value)


def _is_row(value: Any, parts: Sequence[Callable[[Any], bool]]) -> bool:
    """Whether a list has as many parts, each of its kind."""
    fits = isinstance(value, list) and len(value) == len(parts)
    return fits and all(holds(each) for holds, each in zip(parts, value, strict=True))


def _is_block(value: Any) -> bool:
    numbers = partial(_all, holds=_is_number)
    block = _is_row(value, (_is_count, numbers, numbers, _is_number))
    return block and len(value[1]) == len(value[2])


def _is_circle(value: Any) -> bool:
    point = partial(_is_row, parts=(_is_number, _is_number))
    return _is_row(
        value, (_is_count, _is_number, _is_number, _is_bool, _is_bool, point, _is_number)
    )


def _is_column(value: Any) -> bool:
    """Whether it describes a column: its name, its kind, its levels, what its type can hold."""
    if not isinstance(value, dict) or value.keys() != {"name", "kind", "levels", "limits"}:
        return False
    is_level = partial(_one_of, kinds=(_is_text, _is_bool, _is_number))
    limits = value["limits"]
    return (
        _is_text(value["name"])
        and value["kind"] in get_args(ColumnKind)
        and _all(value["levels"], is_level)
        and (limits is None or _is_row(limits, (_is_whole, _is_whole)))
    )


def _one_of(value: Any, kinds: Sequence[Callable[[Any], bool]]) -> bool:
    return any(holds(value) for holds in kinds)


def _all(value: Any, holds: Callable[[Any], bool]) -> bool:
    return isinstance(value, list) and all(map(holds, value))


# lists of the codec, and what each of their parts is
_CODEC = (
    ("numeric", _is_count, "columns"),
    ("centre", _is_number, "numbers"),
    ("scale", _is_number, "numbers"),
    ("whole", _is_bool, "true or false for each column"),
    ("low", _is_end, "numbers or null"),
    ("high", _is_end, "numbers or null"),
    ("pair", partial(_is_row, parts=(_is_end, _is_end)), "pairs of numbers or null"),
    ("levels", _is_block, "columns with codes, shares and a scale"),
    ("circles", _is_circle, "columns with a period and its coding"),
    ("constants", partial(_is_row, parts=(_is_count, _is_number)), "pairs of column and value"),
    ("unlearned", partial(_is_row, parts=(_is_count, _is_text)), "pairs of column and reason"),
)
