"""The commands that ask a bundle: evaluate, compare, recommend-all."""

from __future__ import annotations

import typer

from cli.compare import compare
from cli.evaluate import evaluate
from cli.recommend_all import recommend_all


def mount(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    app.command()(evaluate)
    app.command()(compare)
    app.command("recommend-all")(recommend_all)
