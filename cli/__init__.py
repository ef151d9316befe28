"""The `marquee` command. Every failure is one line with a remedy, and never a stack trace.

The exit status is 0 where the command did its work, 1 where it failed, 2 where its arguments were
wrong (nothing was started), 130 where it was interrupted.

- `run_command`: `run` and `step`. `run_watch`, `run_results`: what `run` shows on the way and at
  the end.
- `stack_commands`: `up`, `down`, `status`, `doctor`.
- `ledger_views`: `history`, `ledger`, `champion`. `ledger_changes`: `rollback`, `accept-world`.
- `file_commands`: `evaluate`, `compare`, `recommend-all`, `parse-pages`.
- `world_and_lake`, `bundle_argument`: which world, lake and bundle a command means.
- `terminal`: where commands print, and what an interrupt does.
"""

from __future__ import annotations

import sys

import typer
from rich.console import Console
from rich.markup import escape
from typer.exceptions import TyperException

from cli.file_commands import compare, evaluate, parse_pages, recommend_all
from cli.ledger_changes import accept_world, rollback
from cli.ledger_views import champion, history, ledger
from cli.run_command import run, step
from cli.stack_commands import doctor, down, status, up
from cli.terminal import as_typed_here
from marquee import __version__
from marquee.errors import MarqueeError

__all__ = ["app", "main"]

app = typer.Typer(
    name="marquee",
    help="Movie ratings and movie pages into two models that serve people, every week.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    *(run, up, down, status, doctor),
    *(history, ledger, champion, rollback, accept_world),
    *(evaluate, compare, recommend_all),
    *(parse_pages, step),
):
    app.command()(command)


@app.callback(invoke_without_command=True)
def version(show: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
    """What every command shares."""
    if show:
        print(f"marquee {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command; turn our errors, and wrong arguments, into one line and a status.

    KeyboardInterrupt is for `cli.__main__`, which also catches one while this is imported.
    """
    try:
        code = app(standalone_mode=False, prog_name="marquee")
    except TyperException as error:
        text = " ".join(error.format_message().split()).replace("Value error, ", "").rstrip(".")
        if text and (context := getattr(error, "ctx", None)) is not None:
            text += f" — `{context.command_path} --help` says what it takes"
        code = _refused(text, error.exit_code) if text else error.exit_code
    except MarqueeError as error:
        code = _refused(str(error), error.status)
    except typer.Abort as error:
        if isinstance(error.__cause__ or error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None  # Ctrl-C, as the parser passes it on
        code = _refused("nothing was done: the question was not answered, or not with yes", 1)
    sys.exit(code if isinstance(code, int) else 0)


def _refused(text: str, code: int) -> int:
    line = f"[red]error:[/red] {escape(as_typed_here(text))}"
    Console(stderr=True, soft_wrap=True).print(line, highlight=False)
    return code
