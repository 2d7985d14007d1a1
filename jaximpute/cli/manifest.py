"""The manifest of a run: what it was made of, and what came out, as JSON."""

import json
from pathlib import Path
from typing import Any

from jaximpute._errors import DataError

FORMAT = 1
_PARTS = {
    "command": str,
    "input": str,
    "method": str,
    "settings": dict,
    "hashes": dict,
    "versions": dict,
}


def write(command: str, file: str, run: dict[str, Any], report: dict[str, Any]) -> None:
    """Write `run["report"]`: command, file, settings, and what the run had to say.

    Args:
        command: of the command line.
        file: its argument.
        run: its settings.
        report: see `jaximpute.api.fill`.

    Raises:
        OutputError: it cannot be written.
    """
    from jaximpute.data import placing

    about = {
        "format": FORMAT,
        "command": command,
        "input": file,
        "settings": run,
        "configuration": _configuration(report),
        **report,
    }
    with placing.replacing(run["report"], force=run["force"]) as out:
        out.write(f"{json.dumps(about, indent=2, default=str)}\n".encode())


def read(path: str) -> dict[str, Any]:
    """What `write` wrote.

    Raises:
        DataError: it is none, or of another format.
    """
    try:
        about = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:  # no JSON, or no text
        raise DataError(f"{path} is no manifest: {error}") from error
    if not isinstance(about, dict) or any(
        not isinstance(about.get(name), kind) for name, kind in _PARTS.items()
    ):
        raise DataError(f"{path} is no manifest; --report writes one")
    found = about.get("format")
    if found != FORMAT:
        newer = isinstance(found, int) and found > FORMAT
        raise DataError(
            f"{path} is in format {found}, and this version reads format {FORMAT}"
            + ("; a newer jaximpute has written it, and repeats it" if newer else "")
        )
    return about


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
