"""`jaximpute impute` block by block, for files larger than memory."""

import os
from pathlib import Path
from typing import Any

from jaximpute._errors import OptionError
from jaximpute._terminal import stage
from jaximpute.cli import manifest, reading, settings
from jaximpute.cli.common import say, split_dims
from jaximpute.cli.settings import ImputeSettings
from jaximpute.engine.compiled import keep_compiled

# what needs all rows at once
_WHOLE = ("mask", "plot", "checkpoint")


def is_streamed(file: str, run: ImputeSettings) -> bool:
    """Whether a file is to be completed block by block: if asked, or if it is too large.

    A file is too large if it takes more than half of the machine's memory.

    Args:
        file: its path.
        run: settings of `impute`.

    Raises:
        OptionError: it is asked for together with what needs all rows at once.
    """
    clash = [
        f"--{name.replace('_', '-')}" for name in _WHOLE if getattr(run, name) not in (None, ())
    ]
    if run.max_gap is not None and not run.group:
        clash.append("--max-gap")
    clash += reading.used(run)
    if run.block_rows is not None:
        if clash:
            raise OptionError(f"{', '.join(clash)} needs all rows at once; leave out --block-rows")
        return True
    if clash or _drawn_together(file, run) or not _is_large(file):
        return False
    say(f"note: {file} takes more than half of the memory, and is completed block by block")
    return True


def impute_blocks(file: str, run: ImputeSettings) -> dict[str, Any]:
    """Complete a file block by block, and tell how far it came.

    Args:
        file: its path.
        run: settings of `impute`.

    Returns:
        The report.
    """
    from jaximpute.files import sheets
    from jaximpute.streaming import impute_file

    if run.report is not None:
        sheets.check_output(run.report, force=run.force)
    keep_compiled()

    def watch(done: int, blocks: int) -> None:
        stage(f"{done} of {blocks} blocks done" if done < blocks else "writing the last of it")

    report = impute_file.impute_file(
        file,
        run.output,
        force=run.force,
        watch=None if run.quiet else watch,
        **arguments(run),
    )
    if run.report is not None:
        manifest.write("impute --block-rows", file, run, report)
    if report["went_on_at"] and not run.quiet:
        say(f"went on after {report['went_on_at']} of {report['blocks']} blocks")
    return report


def arguments(run: ImputeSettings) -> dict[str, Any]:
    """What `stream.impute_file` is told by settings, where it writes and how it goes on apart.

    Raises:
        OptionError: an option of the method has the name of a setting.
    """
    from jaximpute.streaming import impute_file

    settings.refuse_taken(run.options, impute_file.impute_file)
    return {
        "method": run.method,
        "seed": run.seed,
        "preset": run.preset,
        "block_rows": run.block_rows,
        **({} if run.sample_rows is None else {"sample_rows": run.sample_rows}),
        "time": run.time,
        "group": run.group or None,
        "max_gap": run.max_gap,
        "dims": split_dims(run.dims),
        "fill_unseen": run.fill_unseen,
        "bounds": settings.parse_bounds(run.bounds),
        "circular": settings.parse_circular(run.circular),
        "completions": run.draws,
        "interval": run.interval,
        "max_memory": settings.parse_memory(run.max_memory),
        "progress": not run.quiet,
        **run.options,
    }


def _drawn_together(file: str, run: ImputeSettings) -> bool:
    """Whether draws are asked for that blocks may have no place for: of grids, and along time."""
    from jaximpute.files import grids

    if run.draws is None and run.interval is None:
        return False
    return (run.time is not None and not run.group) or grids.is_grid_file(file)


def _is_large(file: str) -> bool:
    from jaximpute.files import identity
    from jaximpute.streaming import formats

    if Path(file).suffix.lower() not in formats.SUFFIXES or not Path(file).exists():
        return False
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows does not tell
        return False
    return identity.size_of(file) > memory / 2
