"""The `marquee` command. It prints each failure as one line with a remedy, without a stack trace.

The exit status is 0 after success, 1 after a failure, 2 where the arguments were wrong (nothing was
started), 130 after an interrupt.

- `run_command`: `run` and `step`
- `run_watch`, `run_results`: what `run` prints during the run, and after it
- `stack_commands`: `up`, `down`, `status`, `doctor`
- `shelf_commands`: `plan`, `units`
- `ledger_views`: `history`, `ledger`, `champion`
- `ledger_changes`: `rollback`, `accept-world`
- `token_commands`: `tokens add`, `tokens list`, `tokens revoke`
- `answer_commands`: `stream`, and `documents publish`, `documents check`, `documents status`
- `file_commands`: `evaluate`, `compare`, `recommend-all`, `parse-pages`
- `export_commands`: `export`
- `world_and_lake`, `bundle_argument`: find the world, the lake and the bundle of a command
- `terminal`: printing, and interrupts
"""

from __future__ import annotations

import sys

import typer
from rich.console import Console
from rich.markup import escape
from typer.exceptions import TyperException

from cli.answer_commands import documents, stream
from cli.export_commands import export
from cli.file_commands import compare, evaluate, parse_pages, recommend_all
from cli.ledger_changes import accept_world, rollback
from cli.ledger_views import champion, history, ledger
from cli.run_command import run, step
from cli.shelf_commands import plan, units
from cli.stack_commands import doctor, down, status, up
from cli.terminal import Interruptible, as_typed_here
from cli.token_commands import tokens
from marquee import __version__
from marquee.errors import MarqueeError

__all__ = ["app", "main"]

app = typer.Typer(
    name="marquee",
    cls=Interruptible,
    help="Movie ratings and movie pages into two models that serve people, every week.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    *(run, up, down, status, doctor),
    *(history, ledger, champion, rollback, accept_world),
    *(evaluate, compare, recommend_all),
    *(export, parse_pages, step),
    *(plan, units),
    stream,
):
    app.command()(command)
app.add_typer(tokens)
app.add_typer(documents)


@app.callback(invoke_without_command=True)
def version(show: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
    """What every command shares."""
    if show:
        print(f"marquee {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command; print an error as one line, and exit with its status.

    KeyboardInterrupt passes through: `cli.__main__` catches it, also while it imports this package.
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
            raise KeyboardInterrupt from None  # a question turns Ctrl-C into Abort
        code = _refused("nothing was done: the question was not answered, or not with yes", 1)
    sys.exit(code if isinstance(code, int) else 0)


def _refused(text: str, code: int) -> int:
    line = f"[red]error:[/red] {escape(as_typed_here(text))}"
    Console(stderr=True, soft_wrap=True).print(line, highlight=False)
    return code
