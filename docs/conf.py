"""Sphinx settings. The notebooks are text in `notebooks/`; the build turns them into pages."""

import os
import sys
from pathlib import Path

import jupytext

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT))

from jaximpute import __version__  # noqa: E402

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAXIMPUTE_QUICK", "1")


def convert_notebooks():
    (DOCS / "notebooks").mkdir(exist_ok=True)
    for source in sorted((ROOT / "notebooks").glob("*.py")):
        notebook = jupytext.read(source)
        jupytext.write(notebook, DOCS / "notebooks" / f"{source.stem}.ipynb")


def write_commands():
    """The help of every command, as a page."""
    import typer

    from jaximpute.cli import app

    group = typer.main.get_command(app)
    pages = {"jaximpute": group} | {
        f"jaximpute {name}": group.get_command(None, name) for name in group.list_commands(None)
    }
    parts = ["# The command line\n"]
    for name, command in pages.items():
        context = command.make_context(name, [], resilient_parsing=True)
        context.terminal_width = 90
        parts.append(f"## `{name}`\n\n```text\n{command.get_help(context).strip()}\n```\n")
    (DOCS / "commands.md").write_text("\n".join(parts))


convert_notebooks()
write_commands()

project = "jaximpute"
author = "The jaximpute developers"
copyright = f"2026, {author}"
release = version = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_mathjax_offline",
]
exclude_patterns = ["_build", "jupyter_execute"]
html_theme = "furo"
html_title = f"jaximpute {release}"

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_use_ivar = True


def skip_tuple_fields(app, what, name, obj, skip, options):
    """A NamedTuple's fields stand in its docstring; `Alias for field number 0` says nothing."""
    if type(obj).__name__ == "_tuplegetter":
        return True
    return None


def escape_shapes(app, what, name, obj, options, lines):
    """The star of a shape such as `n *event`, in the type of a field, is no emphasis."""
    for i, line in enumerate(lines):
        if line.startswith(":vartype"):
            lines[i] = line.replace("*", r"\*")


def setup(app):
    app.connect("autodoc-skip-member", skip_tuple_fields)
    app.connect("autodoc-process-docstring", escape_shapes, priority=900)  # after napoleon
