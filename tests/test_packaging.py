"""The promises that no single module keeps: versions, floors, sizes, examples, a light import."""

import ast
import builtins
import dis
import importlib
import importlib.metadata
import inspect
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

import pytest

import jaximpute

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "jaximpute"

# Imports only go down. A module's floor is that of its folder, or its own at the root.
FLOORS = (
    {"types", "_errors", "_terminal", "_version", "catalogue"},
    {"masking", "views"},
    {"maths"},
    {"registry", "nets", "metrics", "missing", "physics"},
    {"engine", "data"},
    {"methods", "files"},
    {"tasks", "plots"},
    {"streaming"},
    {"cli", "__init__", "__main__"},
)
AT_THE_ROOT = 10  # modules, at most
PLAIN = {"chex", "jax", "jaxtyping", "numpy", "optax", "diffrax", "ott"}  # what mathematics needs
ALSO = {
    "nets": {"flax"},
    "engine": {"filelock", "orbax", "rich", "threadpoolctl"},
    "_terminal": {"rich"},
}
CONTAINERS = {"data", "files", "tasks", "plots", "streaming", "cli", "__init__", "__main__"}
OPTIONAL = {  # imported when asked for
    "jaximpute.methods.simple._growing": {"sklearn"},
    "jaximpute.methods.simple._weights": {"scipy"},  # which jax brings
    "jaximpute.methods.simple.boosted_smoother": {"sklearn"},
    "jaximpute.physics._exponax": {"exponax"},
}


def modules() -> list[str]:
    found = pkgutil.walk_packages(jaximpute.__path__, "jaximpute.")
    return ["jaximpute", *(m.name for m in found)]


def path(module: str) -> Path:
    base = ROOT / module.replace(".", "/")
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def imports(module: str) -> list[ast.Import | ast.ImportFrom]:
    """All of a file's, at its top or inside a function, but those that only type checkers see."""
    tree = ast.parse(path(module).read_text(encoding="utf-8"))
    unseen = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found = [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]
    return [node for node in found if id(node) not in unseen]


def imported(module: str) -> set[str]:
    """Every absolute name that a file imports."""
    found: set[str] = set()
    for node in imports(module):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        else:
            assert node.level == 0, f"{module} imports relatively"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def arrows() -> dict[str, set[str]]:
    """For each module the modules of the package that it imports."""
    every = set(modules())
    return {
        module: {
            name if name in every else name.rpartition(".")[0]
            for name in imported(module)
            if name.split(".")[0] == "jaximpute"
        }
        for module in every
    }


ARROWS = arrows()


def part(module: str) -> str:
    """The folder or the module at the root that a dotted name lies in: `masking`, `methods`, ..."""
    return module.split(".")[1] if "." in module else "__init__"


def floor(module: str) -> int:
    return next(i for i, parts in enumerate(FLOORS) if part(module) in parts)


def room(module: str) -> str:
    """Of a method: `papers.spirit`, `relatives`, `simple`, or none for what they share."""
    names = module.split(".")[2:]
    if part(module) != "methods" or len(names) < 2:
        return ""
    return ".".join(names[:2]) if names[0] == "papers" else names[0]


@pytest.mark.fast
def test_every_folder_has_a_floor():
    parts = {part(module) for module in modules()}
    assert parts == set().union(*FLOORS)
    at_the_root = [file.name for file in PACKAGE.glob("*.py")]
    assert len(at_the_root) <= AT_THE_ROOT


@pytest.mark.fast
@pytest.mark.parametrize("module", modules())
def test_imports_only_go_down(module):
    up = {name for name in ARROWS[module] if floor(name) > floor(module)}
    assert not up, f"{module} (floor {floor(module)}) imports what lies above it"


@pytest.mark.fast
def test_no_modules_import_one_another_in_a_circle():
    left = {module: set(ARROWS[module]) - {module} for module in ARROWS}
    while done := {module for module, needs in left.items() if not needs & left.keys()}:
        left = {module: needs for module, needs in left.items() if module not in done}
    assert not left, f"a circle among {sorted(left)}, and what imports it"


@pytest.mark.fast
@pytest.mark.parametrize("module", [m for m in modules() if room(m)])
def test_methods_do_not_import_one_another(module):
    others = {room(name) for name in ARROWS[module]} - {"", room(module)}
    assert not others - ({"simple"} if room(module) == "relatives" else set())


@pytest.mark.fast
@pytest.mark.parametrize("module", [m for m in modules() if part(m) not in CONTAINERS])
def test_what_knows_no_container_needs_no_more_than_the_numerical_stack(module):
    allowed = PLAIN | OPTIONAL.get(module, set()) | ALSO.get(part(module), set())
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
@pytest.mark.parametrize("package", ["jaximpute", "jaximpute.methods"])
def test_type_checkers_see_the_names_that_are_loaded_late(package):
    tree = ast.parse(path(package).read_text(encoding="utf-8"))
    seen = {
        alias.asname
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for statement in node.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    assert seen == set(importlib.import_module(package).__all__) - {"__version__"}


@pytest.mark.fast
def test_the_flat_names_exist():
    for name in jaximpute.__all__:
        assert getattr(jaximpute, name) is not None


def public_functions() -> dict[str, object]:
    """What a user meets: the flat names, and what methods and nets offer."""
    found = {f"jaximpute.{name}": getattr(jaximpute, name) for name in jaximpute._NAMES}
    for package in ("methods", "nets"):
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


def unknown_names(source: str) -> set[str]:
    """Globals that code reads and nothing makes; linters lose these among the names of axes."""

    def parts(code: CodeType) -> Iterator[CodeType]:
        yield code
        for one in code.co_consts:
            if isinstance(one, CodeType):
                yield from parts(one)

    whole = compile(source, "source", "exec", dont_inherit=True)
    steps = [(code, step) for code in parts(whole) for step in dis.get_instructions(code)]
    made = {
        step.argval
        for code, step in steps
        if step.opname == "STORE_GLOBAL" or (step.opname == "STORE_NAME" and code is whole)
    }
    read = {step.argval for _, step in steps if step.opname == "LOAD_GLOBAL"}
    return read - made - {*dir(builtins), "__file__", "__path__"}


def test_every_name_is_made_before_it_is_read():
    assert unknown_names("def f(x):\n    return x + y + z\nz = 1\n") == {"y"}
    folders = ["jaximpute", "tests", "benchmarks", "scripts", "notebooks", "examples"]
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    assert len(files) > 500
    found = {str(file): unknown_names(file.read_text(encoding="utf-8")) for file in files}
    assert {file: names for file, names in found.items() if names} == {}
