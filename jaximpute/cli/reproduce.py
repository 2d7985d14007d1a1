"""`jaximpute reproduce`: do what a manifest tells again, and say whether the same comes out."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from jaximpute._errors import DataError, OptionError
from jaximpute.cli import manifest, settings
from jaximpute.cli import reading as files_read
from jaximpute.cli.common import GATE, Debug, Quiet, reported, say
from jaximpute.cli.manifest import WithReport
from jaximpute.cli.settings import ApplySettings, FitSettings, ImputeSettings, TrainSettings
from jaximpute.engine.compiled import keep_compiled

# the settings of each command that is repeated
_COMMANDS: dict[str, type[WithReport]] = {
    "impute": ImputeSettings,
    "impute --block-rows": ImputeSettings,
    "fit": FitSettings,
    "train": TrainSettings,
    "apply": ApplySettings,
}
_WHERE = ("devices", "processes")


def reproduce(
    path: Annotated[
        str, typer.Argument(metavar="MANIFEST", help="JSON that --report has written.")
    ],
    file: Annotated[
        str | None, typer.Option("--input", help="The data, if they lie elsewhere now.")
    ] = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Repeat a run by its manifest and compare the result, bit for bit; nothing is written.

    Exits with 4 if the result is another one.
    """
    with reported(debug):
        about = manifest.read(path)
        run = replace(_settings(about, path), quiet=quiet)
        name = about["input"] if file is None else file
        if name == "-":
            raise DataError("the data came from stdin; name their file with --input")
        if not Path(name).exists():
            raise DataError(
                f"{name}, which {path} was made of, is not there; name the data with --input"
            )
        keep_compiled()
        again = _repeat(about, name, run)
        _refuse_others(about, again, name, run)
        if again["hashes"] == about["hashes"]:
            say(f"identical: '{about['method']}' on {name} gives the same result, bit for bit")
            return
        say(
            f"not identical: '{about['method']}' on {name} gives another result"
            f"{'; '.join(['', *explained(about, again)])}"
        )
        raise typer.Exit(GATE)


def explained(was: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What may be behind two results, and where they part.

    Args:
        was: the manifest.
        now: the report of the run that repeated it.

    Returns:
        Words, one text for each.

    Example:
        >>> was = {"versions": {"jax": "1"}, "losses": [3.0, 2.0], "filled": 7}
        >>> explained(was, {"versions": {"jax": "1"}, "losses": [3.0, 2.5], "filled": 7})
        ['the versions are the same', 'losses part at step 2 of 2 (was 2.0, is 2.5)']
    """
    from jaximpute.engine import fingerprint

    before, after = (
        {**each["versions"], **{name: each[name] for name in _WHERE if name in each}}
        for each in (was, now)
    )
    changed = fingerprint.differing(before, after)
    words = [f"what differs: {', '.join(changed)}" if changed else "the versions are the same"]
    old, new = was.get("losses") or [], now.get("losses") or []
    part = next((t for t, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), None)
    if part is not None:
        words.append(
            f"losses part at step {part + 1} of {len(old)} (was {old[part]}, is {new[part]})"
        )
    elif len(old) != len(new):
        words.append(f"it took {len(old)} steps, and takes {len(new)}")
    elif old:
        words.append("the losses of all steps are the same")
    if was.get("filled") != now.get("filled"):
        words.append(f"{was.get('filled')} cells were filled, and {now.get('filled')} are")
    return words


def _settings(about: dict[str, Any], path: str) -> WithReport:
    """The settings of a manifest, of its command's own type."""
    command = _COMMANDS.get(about["command"])
    if command is None:
        raise DataError(f"the manifest is of '{about['command']}', which is not repeated")
    strange = sorted(about["settings"].keys() - set(settings.names(command)))
    if strange:
        raise DataError(
            f"{path} sets {', '.join(strange)}, which this version does not know; it was written "
            f"by jaximpute {about['versions'].get('jaximpute')}: repeat it with that one"
        )
    try:
        run = settings.checked(command, about["settings"], path)
        settings.check_seed(getattr(run, "seed", 0))
    except OptionError as error:
        raise DataError(str(error)) from error
    if isinstance(run, ApplySettings) and run.model is None:
        raise DataError(f"{path} names no model")
    if about["command"] == "impute --block-rows" and "block_rows" not in about:
        raise DataError(f"{path} is damaged: it does not say how long its blocks were")
    return run


def _repeat(about: dict[str, Any], file: str, run: WithReport) -> dict[str, Any]:
    from jaximpute.cli import models
    from jaximpute.cli.work import fill, read_sheet

    if isinstance(run, ImputeSettings):
        if about["command"] == "impute":
            return fill(read_sheet(file, run), run).filled.report
        return _stream(about, file, run)
    sheet = files_read.read(file, run, True)
    if isinstance(run, ApplySettings):
        return models.complete(sheet, file, str(run.model)).report
    if isinstance(run, TrainSettings):
        how = _running(about, run)
        report = models.learn(sheet, file, run, None, how).report
        return report | {"devices": how.mesh.size, "processes": 1}
    assert isinstance(run, FitSettings)
    return models.learn(sheet, file, run).report


def _stream(about: dict[str, Any], file: str, run: ImputeSettings) -> dict[str, Any]:
    from jaximpute.cli import streaming
    from jaximpute.streaming import impute_file

    # as they were found, where nobody set them: hashes are of blocks
    run = replace(run, block_rows=about.get("block_rows"), sample_rows=about.get("sample_rows"))
    return impute_file.impute_file(file, None, **streaming.arguments(run))


def _running(about: dict[str, Any], run: TrainSettings) -> Any:
    """On as many devices as then, or on those there are."""
    import jax

    from jaximpute.engine import parallel
    from jaximpute.engine.execution import Execution

    on = parallel.mesh(min(int(about.get("devices", 1)), jax.device_count()))
    return Execution(on, run.accumulate, run.bfloat16, run.remat)


def _refuse_others(
    about: dict[str, Any], again: dict[str, Any], file: str, run: WithReport
) -> None:
    """Another result of other data is no news."""
    for what in ("data", "model"):
        if again["hashes"].get(what) != about["hashes"].get(what):
            mask = getattr(run, "mask", None)
            data = file if mask is None else f"{file}, or its mask {mask},"
            raise DataError(
                f"{data if what == 'data' else getattr(run, 'model', None)} is not what it was "
                "when the manifest was written"
            )
