"""What serves and why: history, ledger, champion, rollback, accept-world."""

from __future__ import annotations

import typer

from cli.accept_world import accept_world
from cli.champion import champion
from cli.history import history
from cli.ledger import ledger
from cli.rollback import rollback


def mount(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    for command in (history, ledger, champion, rollback, accept_world):
        app.command()(command)


app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
mount(app)
