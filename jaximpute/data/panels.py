"""Several series below one another: found by what tells rows of the same stamp apart."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any


def telling_apart(
    columns: Mapping[Any, Sequence[Hashable]], time: Hashable
) -> tuple[Hashable, int] | None:
    """The column whose values tell rows with the same stamp apart, and how many series it names.

    Args:
        columns: of a table, by name.
        time: the one with the stamps.

    Returns:
        The column with fewest values; None if no stamp occurs twice, or no column tells.

    Example:
        >>> telling_apart({"station": ["A", "A", "B", "B"], "day": [1, 2, 1, 2]}, "day")
        ('station', 2)
    """
    stamps = columns[time]
    if len(set(stamps)) == len(stamps):
        return None
    found: list[tuple[int, Hashable]] = []
    for name, cells in columns.items():
        levels = len(set(cells))
        # series have several rows each
        if name != time and 2 * levels <= len(cells):
            pairs = set(zip(cells, stamps, strict=True))
            if len(pairs) == len(cells):
                found.append((levels, name))
    if not found:
        return None
    levels, name = min(found, key=lambda each: each[0])
    return name, levels
