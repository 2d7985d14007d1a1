"""`--max-memory`: what would take more is refused before it is begun."""

from typing import Any

from jaximpute._errors import OutOfMemoryError
from jaximpute.cli import settings


def refuse_large(file: str, given: str | None) -> float | None:
    """Refuse a file that takes more memory than its run may, before it is read.

    Args:
        file: its path.
        given: what the flag says.

    Returns:
        The megabytes that a run may take; None for no limit.

    Raises:
        OutOfMemoryError: its bytes alone are more.
    """
    from jaximpute.files import identity

    most = settings.parse_memory(given)
    if most is None or file == "-":
        return most
    size = identity.size_of(file) / 1e6
    if size > most:
        raise OutOfMemoryError(
            f"{file} has {size:.4g} MB, and its run may take {most:.4g} MB (--max-memory). Give "
            "more, or fewer rows; jaximpute impute --block-rows completes arrays, grids and "
            "Parquet block by block"
        )
    return most


def refuse_costly(
    frame: Any, method: str, preset: str, options: Any, draws: int, most: float | None
) -> None:
    """Refuse a run that would take more memory than it may, before it is begun.

    Raises:
        OutOfMemoryError: see `tasks.plan.measure`.
    """
    from jaximpute.tasks import plan

    if most is not None:
        plan.measure(frame, method, preset=preset, options=options, draws=draws, most=most)
