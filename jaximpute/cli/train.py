"""`jaximpute train`: `fit` on many devices, in one process or in one on each host."""

from dataclasses import replace
from typing import Annotated, Any

import typer

from jaximpute._errors import OptionError
from jaximpute._terminal import stage
from jaximpute.cli import limits, manifest, paths, settings
from jaximpute.cli import reading as files_read
from jaximpute.cli.common import (
    Assignments,
    Debug,
    Force,
    Quiet,
    Resume,
    reported,
    say,
)
from jaximpute.cli.settings import TrainSettings
from jaximpute.engine.compiled import keep_compiled


def train(
    config: Annotated[
        str,
        typer.Argument(
            metavar="TOML",
            help="Settings: data and save (a file and the model's folder), and those of fit.",
        ),
    ],
    mesh: Annotated[
        str | None,
        typer.Option(metavar="data=N", help="Devices over which rows are spread; all by default."),
    ] = None,
    coordinator: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Of process 0; for one process on each host."),
    ] = None,
    processes: Annotated[int | None, typer.Option(help="How many there are.")] = None,
    process: Annotated[int | None, typer.Option(help="The number of this one, from 0.")] = None,
    distributed: Annotated[
        bool,
        typer.Option("--distributed", help="The same, told by SLURM, a TPU pod or Kubernetes."),
    ] = False,
    save: Annotated[
        str | None,
        typer.Option("--save", "-o", metavar="DIR", help="Folder to write the model to."),
    ] = None,
    assignments: Assignments = None,
    seed: Annotated[int | None, typer.Option(help="Of everything random.")] = None,
    resume: Resume = False,
    force: Force = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Learn to complete a table, on a mesh of devices; jaximpute apply completes others.

    All processes read the same settings and the same data, and each keeps its part of the rows;
    the first one writes the model. Checkpoints go to a folder that all of them reach.
    """
    with reported(debug):
        flags = {
            "mesh": mesh,
            "save": save,
            "options": settings.parse_options(assignments or []),
            "seed": seed,
            "resume": resume,
            "force": force,
            "quiet": quiet,
        }
        run = settings.resolve(TrainSettings, flags, config)
        data, save = (_path(name, getattr(run, name), config) for name in ("data", "save"))
        paths.check_distinct(
            {"TOML": config, "data": data},
            {"save": save, "report": run.report, "checkpoint": run.checkpoint},
            whole=["save", "checkpoint"],
        )
        size = mesh_size(run.mesh)
        kept = settings.checkpoints(run)
        keep_compiled()
        join(coordinator, processes, process, distributed)
        _train(run, data, save, size, kept)


def _path(name: str, value: str | None, config: str) -> str:
    if value is None:
        raise OptionError(f'{config} sets no {name}; add a line {name} = "..."')
    return value


def _train(run: TrainSettings, data: str, save: str, size: int | None, kept: Any) -> None:
    import jax

    from jaximpute.cli import models
    from jaximpute.engine import parallel
    from jaximpute.engine.execution import Execution
    from jaximpute.files import sheets
    from jaximpute.tasks import saving

    on, first = parallel.mesh(size), jax.process_index() == 0
    quiet = run.quiet or not first
    if run.report is not None:  # written last: what a run that died left of it goes first
        sheets.check_output(run.report, force=run.force)
    saving.check(save, force=run.force)
    if run.max_memory is not None and jax.process_count() > 1:
        raise OptionError(
            "max_memory is a limit of one process: of several, one that it stops would leave the "
            "others waiting. Leave it out, or take one process"
        )
    limits.refuse_large(data, run.max_memory)
    stage(f"reading {data}", show=not quiet)
    sheet = files_read.read(data, run, quiet)
    how = Execution(on, run.accumulate, run.bfloat16, run.remat)
    learned = models.learn(sheet, data, replace(run, quiet=quiet), kept, how)
    about = learned.report | {"devices": on.size, "processes": jax.process_count()}
    if first:
        learned.imputer.save(save, force=run.force)
        for text in about["warnings"]:
            say(f"warning: {text}")
        if run.report is not None:
            manifest.write("train", data, run, about)
    if not quiet:
        where = f"{on.size} device{'s' if on.size > 1 else ''}"
        say(
            f"learned {about['columns']} columns of {about['rows']} rows with "
            f"'{about['method']}' on {where} in {about['seconds']:.1f} s: {save}"
        )


def mesh_size(text: str) -> int | None:
    """The number of devices in `data=8`; None for `all`.

    Raises:
        OptionError: it is written otherwise.

    Example:
        >>> mesh_size("data=8"), mesh_size("all")
        (8, None)
    """
    axis, equals, size = text.partition("=")
    if text == "all":
        return None
    if axis.strip() != "data" or not equals or not size.strip().isdecimal() or int(size) < 1:
        raise OptionError(
            f"--mesh is '{text}'; expected data=N with N of at least 1, or all: a mesh has the one "
            "axis data, over which rows are spread"
        )
    return int(size)


def join(coordinator: str | None, processes: int | None, process: int | None, detect: bool) -> None:
    """Meet the other processes, before anything touches a device.

    Args:
        coordinator: the address of process 0.
        processes: how many there are.
        process: the number of this one.
        detect: all three are told by a cluster's launcher.

    Raises:
        OptionError: some of the three are missing, or no cluster is found.
    """
    told = [value is not None for value in (coordinator, processes, process)]
    if any(told) and not all(told):
        raise OptionError("--coordinator, --processes and --process go together; give all three")
    if not any(told) and not detect:
        return
    if all(told) and not 0 <= (process or 0) < (processes or 0):
        raise OptionError(f"--process is {process}; expected 0..{(processes or 0) - 1}")
    import jax

    try:
        jax.distributed.initialize(coordinator, processes, process)
    except (ValueError, RuntimeError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise OptionError(
            f"the processes did not meet ({first}); by hand they do with --coordinator HOST:PORT "
            "--processes N --process I"
        ) from error
