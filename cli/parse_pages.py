"""`marquee parse-pages`: pages a person saved themselves, as JSON lines."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from marquee.settings import REPOSITORY


def mount(app: typer.Typer) -> None:
    """Add this command to `app`."""
    app.command("parse-pages")(parse_pages)


def parse_pages(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders, .html or .html.gz.")],
    out: Annotated[Path | None, typer.Option(help="Write here instead of to the screen.")] = None,
) -> None:
    """Read saved IMDb title pages into JSON lines, one a page.

    Refused pages are named with their reason on standard error; the status is non-zero only if
    nothing could be read.
    """
    command = [sys.executable, "-m", "scrapy_imdb", "parse", *map(str, paths)]
    if out is not None:
        command += ["--out", str(out)]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    raise typer.Exit(subprocess.run(command, env=environment).returncode)
