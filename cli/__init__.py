"""The `marquee` command. Every failure is one line with a remedy; no stack trace for its user.

The status is 0 where it did what was asked, 1 where it failed, 2 where it was typed wrong (nothing
was started), 130 where it was interrupted.
"""

from __future__ import annotations

import sys

import typer
from rich.console import Console
from rich.markup import escape
from typer.exceptions import TyperException

from cli import bundles, local, parse_pages, release, step
from cli.run import run
from cli.showing import typed
from marquee import __version__
from marquee.errors import MarqueeError

app = typer.Typer(
    name="marquee",
    help="Movie ratings and movie pages into two models that serve people, every week.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(run)
local.mount(app)
release.mount(app)
bundles.mount(app)
parse_pages.mount(app)
step.mount(app)


@app.callback(invoke_without_command=True)
def version(show: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
    """What every command shares."""
    if show:
        print(f"marquee {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command; turn our errors, and arguments typed wrong, into one line and a status.

    KeyboardInterrupt is for `cli.__main__`, which also hears one while this is imported.
    """
    try:
        status = app(standalone_mode=False, prog_name="marquee")
    except TyperException as error:
        said = " ".join(error.format_message().split()).replace("Value error, ", "").rstrip(".")
        if said and (context := getattr(error, "ctx", None)) is not None:
            said += f" — `{context.command_path} --help` says what it takes"
        status = _refused(said, error.exit_code) if said else error.exit_code
    except MarqueeError as error:
        status = _refused(str(error), error.status)
    except typer.Abort as error:
        if isinstance(error.__cause__ or error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None  # Ctrl-C, as the parser passes it on
        status = _refused("nothing was done: the question was not answered, or not with yes", 1)
    sys.exit(status if isinstance(status, int) else 0)


def _refused(said: str, status: int) -> int:
    told = f"[red]error:[/red] {escape(typed(said))}"
    Console(stderr=True, soft_wrap=True).print(told, highlight=False)
    return status
