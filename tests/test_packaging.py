"""The promises that no single module keeps: versions, floors, sizes, examples, a light import."""

import ast
import importlib
import importlib.metadata
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import jaximpute

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "jaximpute"

# Imports only go down. What is not named here is the top floor, where everything may be imported.
FLOORS = {
    "_version": 0,
    "_errors": 0,
    "_terminal": 0,
    "_random": 0,
    "_steppers": 1,
    "types": 0,
    "diagnostics": 2,
    "conditional": 2,
    "gaussians": 1,
    "kernels": 1,
    "masking": 1,
    "missing": 1,
    "odes": 1,
    "processes": 1,
    "ipf": 1,
    "losses": 1,
    "metrics": 1,
    "optimise": 1,
    "partitions": 1,
    "exposure": 1,
    "contexts": 1,
    "physics": 1,
    "solvers": 1,
    "splits": 1,
    "surroundings": 1,
    "transport": 1,
    "views": 1,
    "warmup": 1,
    "units": 0,
    "wrapping": 0,
    "nets": 2,
    "baselines": 3,
    "methods": 3,
    "fingerprint": 4,
    "loop": 4,
    "parallel": 4,
    "catalogue": 5,
    "registry": 5,
    "draws": 5,  # its error names the methods that draw
    "recipes": 5,
    "data": 5,
    "hooks": 5,
}
TOP = 6
PLAIN = {"jax", "jaxtyping", "numpy", "optax", "diffrax", "ott"}  # what floors 0 to 4 may use
OPTIONAL = {"jaximpute.physics._exponax": {"exponax"}}  # imported when asked for
SIDES = {"methods": "baselines", "baselines": "methods"}  # same floor, never one another


def modules() -> list[str]:
    found = pkgutil.walk_packages(jaximpute.__path__, "jaximpute.")
    return [m.name for m in found if not m.name.endswith("__main__")]


def path(module: str) -> Path:
    base = ROOT / module.replace(".", "/")
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def imported(module: str) -> set[str]:
    """Every absolute module name that a file imports, at its top or inside a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path(module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def part(module: str) -> str:
    """The top-level part of the package a dotted name lies in: `masking`, `methods`, ..."""
    return module.split(".")[1] if "." in module else ""


def floor(module: str) -> int:
    return FLOORS.get(part(module), TOP)


@pytest.mark.fast
@pytest.mark.parametrize("module", modules())
def test_imports_only_go_down(module):
    ours = {name for name in imported(module) if name.split(".")[0] == "jaximpute"}
    # `from jaximpute import masking` names a module, `from jaximpute import __version__` does not
    up = {name for name in ours if part(name) != "__version__" and floor(name) > floor(module)}
    assert not up, f"{module} (floor {floor(module)}) imports what lies above it"
    across = {name for name in ours if part(name) == SIDES.get(part(module))}
    assert not across, f"{module} imports its neighbour"


@pytest.mark.fast
@pytest.mark.parametrize("module", [m for m in modules() if floor(m) <= 4])
def test_lower_floors_need_no_more_than_the_numerical_stack(module):
    allowed = PLAIN | OPTIONAL.get(module, set()) | ({"flax"} if part(module) == "nets" else set())
    others = {name.split(".")[0] for name in imported(module)} - {"jaximpute"}
    assert others - set(sys.stdlib_module_names) <= allowed


@pytest.mark.fast
def test_no_file_is_long():
    lengths = {
        str(file.relative_to(ROOT)): len(file.read_text(encoding="utf-8").splitlines())
        for folder in ("jaximpute", "tests", "benchmarks", "notebooks", "scripts", "docs")
        for file in (ROOT / folder).rglob("*.py")
    }
    assert lengths
    assert {file: n for file, n in lengths.items() if n > 400} == {}


@pytest.mark.fast
def test_one_version_everywhere():
    version = jaximpute.__version__
    assert importlib.metadata.version("jaximpute") == version
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\n## [{version}] - " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.fast
@pytest.mark.parametrize(
    "action",
    [
        "import jaximpute",
        "import jaximpute.__main__",
        "import sys, jaximpute.__main__ as m; sys.argv = ['jaximpute', '--version']; m.main()",
        "import sys, jaximpute.__main__ as m; sys.argv = ['jaximpute', '--help']; m.main()",
    ],
    ids=["import", "import of the command line", "--version", "--help"],
)
def test_starting_loads_nothing_heavy(action):
    code = f"""
import atexit, sys

def report():
    loaded = {{name.split(".")[0] for name in sys.modules}}
    heavy = {{"jax", "flax", "ott", "diffrax", "pandas", "polars", "sklearn", "matplotlib"}}
    heavy |= {{"rich"}}  # half of what help would take
    print("HEAVY", sorted(loaded & heavy))

atexit.register(report)
{action}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "HEAVY []" in done.stdout


@pytest.mark.fast
def test_the_flat_names_exist():
    for name in jaximpute.__all__:
        assert getattr(jaximpute, name) is not None


def public_functions() -> dict[str, object]:
    """What a user meets: the flat names, and what methods, baselines and nets offer."""
    found = {f"jaximpute.{name}": getattr(jaximpute, name) for name in jaximpute._NAMES}
    for package in ("methods", "baselines", "nets"):
        module = importlib.import_module(f"jaximpute.{package}")
        found |= {f"jaximpute.{package}.{name}": getattr(module, name) for name in module.__all__}
    errors = (BaseException, tuple)  # named by what they are, not shown by example
    return {
        name: value
        for name, value in found.items()
        if callable(value) and not (inspect.isclass(value) and issubclass(value, errors))
    }


@pytest.mark.fast
def test_public_functions_show_an_example():
    without = [
        name
        for name, value in public_functions().items()
        # Protocols have no behaviour to show; `run` is `steps`, jitted, and says so
        if not getattr(value, "_is_protocol", False) and value is not jaximpute.run
        if ">>> " not in (inspect.getdoc(value) or "")
    ]
    assert without == []


@pytest.mark.fast
@pytest.mark.parametrize("module", [m for m in modules() if "._" not in m])
def test_everything_public_says_what_it_is(module):
    tree = ast.parse(path(module).read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    definitions = (ast.FunctionDef, ast.ClassDef)
    silent = [
        node.name
        for node in tree.body
        if isinstance(node, definitions) and not node.name.startswith("_")
        if ast.get_docstring(node) is None
    ]
    assert silent == []


@pytest.mark.fast
def test_the_readme_has_two_commands_and_ci_runs_the_second():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.split("## Two commands")[1].split("\n## ")[0]
    commands = re.findall(r"```bash\n(.*?)```", section, re.DOTALL)
    assert len(commands) == 2
    assert f"\n{commands[1].strip()} <" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.fast
def test_the_shipped_series_has_its_own_gaps():
    lines = (ROOT / "examples" / "co2.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "date,co2"
    assert len(lines) - 1 == 2284
    assert sum(line.endswith(",") for line in lines) == 59
