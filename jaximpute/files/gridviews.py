"""What of a gridded file is to be completed: some of its variables, under signs for missing."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np

from jaximpute._errors import DataError, OptionError
from jaximpute.data import cfpacking, fields, gridwriting, signs
from jaximpute.files import arrays

_ROUNDING = 1e-4  # of a code: how far a number that is written in decimals may lie off it


def view(whole: Any, variables: Sequence[str], missing: Sequence[str]) -> tuple[Any, list[str]]:
    """The part of a file that a method is to see.

    Args:
        whole: a `Dataset` as it was read.
        variables: names of those to complete; all if none.
        missing: numbers that stand for a missing cell besides what the file declares; `NAME=NUMBER`
            for one variable. A number is looked for among the cells as they are decoded. In a
            variable that holds it nowhere it is looked for among the packed codes.

    Returns:
        The `Dataset`: in copies of variables that hold such a number it is NaN. And what was taken
        for missing, in words.

    Raises:
        OptionError: no variable of a name, one that cannot be filled, or a sign that is no number.
    """
    part = whole if not variables else _chosen(whole, variables)
    return (part, []) if not missing else _signed(part, missing)


def put_back(whole: Any, part: Any, completed: Any) -> Any:
    """The whole file, with the cells that were filled in the part of it.

    Args:
        whole: as it was read.
        part: what `view` made of it.
        completed: the part completed, perhaps with variables beside it.

    Returns:
        A `Dataset` in which only filled cells differ; a cell that was left empty keeps its sign.

    Raises:
        DataError: a variable that is added has the name of one that is there.
    """
    changed = {}
    for name, after in completed.data_vars.items():
        if name not in part.data_vars:
            if name in whole.variables:
                raise DataError(f"the data have a variable '{name}' already; rename it")
            changed[name] = after
            continue
        before, original = part[name], whole[name]
        here, new = gridwriting.filled_cells(before, after)
        if here.any():
            cells = original.values.copy()
            cells[here] = arrays.cast(new[here], cells.dtype)
            changed[name] = original.copy(data=cells)
            changed[name].encoding = dict(original.encoding)
    return whole.assign(changed)


def _chosen(whole: Any, variables: Sequence[str]) -> Any:
    names = [str(name) for name in whole.data_vars]
    for name in variables:
        if name not in names:
            close = get_close_matches(name, names, n=1)
            maybe = f"; did you mean '{close[0]}'?" if close else ";"
            raise OptionError(
                f"--variables: no variable is called '{name}'{maybe} variables: {', '.join(names)}"
            )
        array = whole[name]
        if not fields.holds_quantities(array):
            what = "flags" if fields.holds_flags(array) else f"{array.dtype}"
            raise OptionError(
                f"--variables: '{name}' holds {what}, and only variables of numbers are filled"
            )
    return whole[list(dict.fromkeys(variables))]


def _signed(part: Any, missing: Sequence[str]) -> tuple[Any, list[str]]:
    names = [str(name) for name, array in part.data_vars.items() if fields.holds_quantities(array)]
    everywhere, _ = signs.by_column(missing, names)
    changed: dict[str, Any] = {}
    notes = []
    for sign in dict.fromkeys(text.strip() for text in missing):
        wanted = names
        if sign not in everywhere:
            name, _, sign = sign.partition("=")
            wanted, sign = [name], sign.strip()
        number, where, cells = signs.number_of(sign, "variable", names), [], 0
        for name in wanted:
            array = changed.get(name, part[name])
            found, code, packed = _holding(array, number)
            if found.any():
                changed[name] = _without(array, found, code)
                where.append(f"'{name}'{' (packed)' if packed else ''}")
                cells += int(found.sum())
        notes.append(signs.taken(sign, cells, where, "variable"))
    return part.assign(changed), notes


def _holding(array: Any, number: float) -> tuple[np.ndarray, float, bool]:
    """Which cells are a number, its code in the file, and whether the code is what was meant."""
    packing, cells = cfpacking.packing_of(array), np.asarray(array.values, np.float64)
    codes, code = ((each - packing.offset) / packing.scale for each in (cells, number))
    near, of, code = 0.0, packing.read_as, float(code)
    if of.kind != "f":
        codes = np.rint(codes)
        code = float(np.rint(code)) if abs(code - np.rint(code)) < _ROUNDING else np.nan
    elif packing.scale == 1 and packing.offset == 0:
        code = number = float(of.type(number))  # 999.9 as the file has room for it
    else:
        near = 4 * float(np.finfo(of).eps)
    for wanted, packed in ((code, False), (number, True)):
        found = np.asarray(np.isclose(codes, wanted, rtol=near, atol=0.0))
        if found.any():
            return found, float(wanted), bool(packed)
    return found, number, False


def _without(array: Any, found: np.ndarray, code: float) -> Any:
    """A copy with NaN in some cells, of whose code no fill is made."""
    known = array.encoding.get("missing_value")
    cells = array.values.astype(np.float64 if array.dtype.kind != "f" else array.dtype)
    cells[found] = np.nan
    copy = array.copy(data=cells)
    codes = [*np.ravel([] if known is None else known).tolist(), code]
    of = cfpacking.packing_of(array).dtype
    copy.encoding = {"dtype": of, **array.encoding, "missing_value": np.array(codes).astype(of)}
    return copy
