"""Everything a change must pass, in its own virtual environment: `python3 scripts/check.py`.

Standard library only, so that it runs before anything is installed. The tests come last: their
summary is the last line.
"""

import argparse
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / ("Scripts" if os.name == "nt" else "bin")
SOURCES = ["jaximpute", "tests", "benchmarks", "notebooks", "docs", "scripts"]
WORKFLOW = ".github/workflows/check.yml"
# settings of the user's shell must not decide whether the checks pass
SETTINGS = {"JAX_PLATFORMS": "cpu", "JAXIMPUTE_QUICK": "1", "MPLBACKEND": "Agg"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fast", action="store_true", help="no docs, and only tests marked fast")
    parser.add_argument("--no-install", action="store_true", help="use .venv as it is")
    options = parser.parse_args()
    if not options.no_install:
        install("test" if options.fast else "test,docs")
    lint = [
        ["ruff", "check", *SOURCES],
        ["ruff", "format", "--check", *SOURCES],
        ["mypy"],
        ["check-jsonschema", "-q", "--builtin-schema", "vendor.github-workflows", WORKFLOW],
    ]
    # the notebooks are pages of the docs, so building these runs them
    docs = ["sphinx-build", "-W", "--keep-going", "-q", "docs", "docs/_build/html"]
    # with the examples in the docstrings, which carry no mark
    # two at a time; what shares a compiled program stays together
    pytest = ["pytest", "-n", "2", "--dist", "loadgroup"]
    tests = [*pytest, "--durations=30", "--doctest-modules", "jaximpute", "tests"]
    steps = [*lint, [*pytest, "-m", "fast"]] if options.fast else [*lint, docs, tests]
    return max([run(step) for step in steps])


def install(extras: str) -> None:
    """This checkout, editable, with its extras, in `.venv`."""
    if not BIN.is_dir():
        venv.create(ROOT / ".venv", with_pip=True)
    command = ["-m", "pip", "install", "--quiet", "--editable", f".[{extras}]"]
    subprocess.run([BIN / "python", *command], cwd=ROOT, check=True)


def run(command: list[str]) -> int:
    print("$", *command, flush=True)  # noqa: T201
    tool, *arguments = command
    environment = {**os.environ, **SETTINGS}
    return subprocess.run([BIN / tool, *arguments], cwd=ROOT, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
