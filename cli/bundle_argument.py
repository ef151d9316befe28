"""The bundle argument of a command: a local folder, a path in the lake, or the champion.

`evaluate`, `compare` and `recommend-all` have this argument.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from cli.world_and_lake import checking_arguments, chosen_lake
from marquee.errors import NotFoundError, SourceError, StackError
from marquee.identifiers import checked_path
from marquee.lake import Lake
from marquee.policy import MODELS
from release.ledger import Ledger
from release.promotion import bundle_folder

HELP = (
    "A bundle's folder, its path in the lake (runs/R/models/recommender/evaluated/bundle), or "
    "champion:recommender, champion:budget."
)
BundleArgument = Annotated[str, typer.Argument(help=HELP, show_default=False)]
_REMEDY = "give a bundle's folder, a path in the lake, or champion:recommender"
FileFlag = Annotated[
    Path,
    typer.Option(
        "--on",
        help="Ratings (userId, movieId, rating, timestamp) for a recommender, titles (title_id, "
        "title, year, directors, genres, rating, budget; or IMDB 5000) for a budget model: CSV, "
        "Parquet, or a folder of Parquet.",
        exists=True,
        show_default=False,
    ),
]


@contextmanager
def fetched(bundle: str, lake: str, webhdfs: str, data: str = "") -> Iterator[Path]:
    """The bundle as a local folder; a bundle from the lake is copied, and removed at the end."""
    local = Path(bundle).expanduser()
    if os.path.isdir(local):  # pathlib would raise for a name that is too long
        yield local
        return
    with checking_arguments():
        _check_name(bundle)
    with tempfile.TemporaryDirectory(prefix="marquee-bundle-") as scratch:
        try:
            opened = chosen_lake(lake, webhdfs, data)
        except StackError as error:
            if ":" in bundle:
                raise
            with checking_arguments():
                what = f"'{bundle}' is no folder here, and {error.message}"
                raise SourceError(what, error.remedy) from None
        folder, below = _published(opened, _lake_path(opened, bundle))
        yield opened.fetch(folder, Path(scratch), below=below)


def _check_name(bundle: str) -> None:
    """Raise SourceError for the champion of an unknown model, and for a path of no lake.

    A path in the lake has no beginning that only a path here has.
    """
    if bundle.startswith(("/", "./", "../", "~")) or os.path.isfile(bundle):
        what = "is a file, not a folder" if os.path.isfile(bundle) else "is no folder here"
        raise SourceError(f"'{bundle}' {what}", _REMEDY)
    word, _, model = bundle.partition(":")
    if word == "champion" and model not in MODELS:
        known = " or ".join(f"champion:{name}" for name in MODELS)
        raise SourceError(f"'{model}' is no model", f"give {known}")


def _lake_path(lake: Lake, bundle: str) -> str:
    """A bundle's path inside the lake; NotFoundError where the model has no champion."""
    word, _, model = bundle.partition(":")
    if word == "champion":
        entry = Ledger(lake, model).head()
        if entry is None:
            raise NotFoundError(f"no {model} serves yet", "promote one, or name a bundle")
        return f"{bundle_folder(model, entry.bundle)}/bundle"
    return checked_path(bundle.removeprefix(f"{lake.root}/").strip("/"), "the bundle")


def _published(lake: Lake, path: str) -> tuple[str, str]:
    """Split `path` into a published folder and the path inside it."""
    parts = path.split("/")
    for cut in range(len(parts), 0, -1):
        folder = "/".join(parts[:cut])
        if lake.exists(f"{folder}/_manifest.json"):
            return folder, "/".join(parts[cut:])
    with checking_arguments():
        what = f"'{path}' is neither a folder here nor published in {lake.root}"
        raise NotFoundError(what, _REMEDY)
