"""The `marquee` command. Every failure is one line with a remedy; no stack trace for its user."""

from __future__ import annotations

import sys

import typer
from rich.console import Console
from rich.markup import escape

from marquee import __version__
from marquee.cli import bundles, local, parse_pages, release, step
from marquee.cli.run import run
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
    """Run the command; turn our errors into one line and a status of 1."""
    try:
        app()
    except MarqueeError as error:
        told = f"[red]error:[/red] {escape(str(error))}"
        Console(stderr=True, soft_wrap=True).print(told, highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
