"""The command line. Its modules import nothing heavy until a command runs."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from jaximpute._version import __version__
from jaximpute.cli import interrupt
from jaximpute.cli.evaluate import evaluate
from jaximpute.cli.fit import apply, fit
from jaximpute.cli.forecast import forecast
from jaximpute.cli.impute import impute
from jaximpute.cli.inspect import inspect
from jaximpute.cli.methods import methods
from jaximpute.cli.report import report
from jaximpute.cli.reproduce import reproduce
from jaximpute.cli.sensitivity import sensitivity
from jaximpute.cli.simulate import simulate
from jaximpute.cli.train import train


class Commands(TyperGroup):
    """Commands with a limit of time, whose list says all of their first sentence."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command, for as long as it may."""
        with interrupt.limit(ctx.params.get("timeout")):
            return super().invoke(ctx)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list; typer would cut each sentence to one line."""
        whole = 1000
        rows = [(name, each.get_short_help_str(whole)) for name, each in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


app = typer.Typer(
    cls=Commands,
    help="Fill in missing data in tables, time series, images and physical fields.",
    epilog="Exit codes: 0 done; 1 failed; 2 usage; 3 input that cannot be used; 4 a quality gate "
    "failed, or a result not reproduced; 5 out of memory; 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich takes half of the time until help appears
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    impute,
    fit,
    train,
    apply,
    forecast,
    evaluate,
    simulate,
    inspect,
    methods,
    report,
    reproduce,
    sensitivity,
):
    app.command()(command)


def _print_version(wanted: bool) -> bool:
    if wanted:
        typer.echo(f"jaximpute {__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def _jaximpute(
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=0,
            help="Stop the command after so long, as Ctrl-C does: what is saved stays, exit 130.",
        ),
    ] = None,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    pass
