"""The manifest of a run: what it was made of, and what came out, as JSON."""

import json
from pathlib import Path
from typing import Any

from jaximpute._errors import DataError
from jaximpute.cli import settings
from jaximpute.cli.settings import ApplySettings, RunSettings

FORMAT = 1
WithReport = RunSettings | ApplySettings
_PARTS = {
    "command": str,
    "input": str,
    "method": str,
    "settings": dict,
    "hashes": dict,
    "versions": dict,
}


def write(command: str, file: str, run: WithReport, report: dict[str, Any]) -> None:
    """Write `run.report`: command, file, settings, and what the run had to say.

    Args:
        command: of the command line.
        file: its argument.
        run: its settings, which name a report.
        report: see `jaximpute.tasks.filling.fill`.

    Raises:
        OutputError: it cannot be written.
    """
    from jaximpute.files import atomic

    about = {
        "format": FORMAT,
        "command": command,
        "input": file,
        "settings": settings.plain(run),
        "configuration": _configuration(report),
        **report,
    }
    assert run.report is not None
    with atomic.replacing(run.report, force=run.force) as out:
        out.write(f"{json.dumps(about, indent=2, default=str)}\n".encode())


def read(path: str) -> dict[str, Any]:
    """What `write` wrote.

    Raises:
        DataError: it is none, or of another format.
    """
    from jaximpute.files import safe_arrays

    try:
        about = json.loads(safe_arrays.read_text(Path(path)))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # no JSON, or no text
        raise DataError(f"{path} is no manifest: {error}") from error
    if not isinstance(about, dict) or any(
        not isinstance(about.get(name), kind) for name, kind in _PARTS.items()
    ):
        raise DataError(f"{path} is no manifest; --report writes one")
    _check_values(about, path)
    found = about.get("format")
    if found != FORMAT:
        newer = isinstance(found, int) and found > FORMAT
        raise DataError(
            f"{path} is in format {found}, and this version reads format {FORMAT}"
            + ("; a newer jaximpute has written it, and repeats it" if newer else "")
        )
    return about


def _check_values(about: dict[str, Any], path: str) -> None:
    """Refuse what no run has written, in as far as it is used."""
    texts = [*about["hashes"].values(), *about["versions"].values(), about["input"]]
    if not all(isinstance(text, str) and "\0" not in text for text in texts):
        raise DataError(f"{path} is damaged: its input, hashes and versions are not texts")
    losses = about.get("losses") or []
    if not isinstance(losses, list) or not all(isinstance(loss, int | float) for loss in losses):
        raise DataError(f"{path} is damaged: its losses are no numbers")
    for name in ("block_rows", "sample_rows", "devices", "processes"):
        value = about.get(name)
        if value is not None and not (type(value) is int and 1 <= value < 2**31):
            raise DataError(f"{path} is damaged: {name} is {str(value)[:60]}; expected at least 1")


def _configuration(report: dict[str, Any]) -> dict[str, Any]:
    """Every option of the method: its default, the preset's value over it, the user's over that.

    None where the shape of the data decides.
    """
    from jaximpute import registry

    name = report["method"]
    defaults = {
        key: option.default
        for key, option in registry.options(name).items()
        if option.default is not option.empty
    }
    return {**defaults, **registry.presets(name)[report["preset"]], **report["options"]}
