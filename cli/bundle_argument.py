"""Which bundle a command means: a local folder, a path in the lake, or what serves."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from cli.data import arguments
from cli.lake_flags import asked_lake
from marquee.errors import BundleError, NotFoundError, SourceError
from marquee.lake import Lake
from marquee.names import inside
from marquee.policy import MODELS
from release.bundles import bundle_folder
from release.ledger import Ledger

HELP = (
    "A bundle's folder, its path in the lake (runs/R/models/recommender/evaluated/bundle), or "
    "champion:recommender, champion:budget."
)
BundleArgument = Annotated[str, typer.Argument(help=HELP, show_default=False)]
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
    """The bundle as a local folder, for as long as it is needed."""
    local = Path(bundle).expanduser()
    if os.path.isdir(local):  # False also where no such name can be
        yield local
        return
    with arguments():
        _check_name(bundle)
    with tempfile.TemporaryDirectory(prefix="marquee-bundle-") as scratch:
        opened = asked_lake(lake, webhdfs, data)
        folder, below = _published(opened, _lake_path(opened, bundle))
        yield opened.fetch(folder, Path(scratch), below=below)


def _check_name(bundle: str) -> None:
    """SourceError for the champion of a model that is not there, before a lake is asked."""
    word, _, model = bundle.partition(":")
    if word == "champion" and model not in MODELS:
        known = " or ".join(f"champion:{name}" for name in MODELS)
        raise SourceError(f"'{model}' is no model", f"give {known}")


def kind_of(folder: Path) -> str:
    """`recommender` or `budget`, as the bundle says of itself; BundleError where it is none."""
    try:
        kind = json.loads((folder / "bundle.json").read_text("utf-8"))["model"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{folder} is not a bundle: {error}", "give its folder") from None
    if kind not in MODELS:
        raise BundleError(f"{folder} is a bundle of '{kind}'", f"known: {', '.join(MODELS)}")
    return str(kind)


def _lake_path(lake: Lake, bundle: str) -> str:
    """A path inside the lake, from any of the ways to name one."""
    word, _, model = bundle.partition(":")
    if word == "champion":
        entry = Ledger(lake, model).head()
        if entry is None:
            raise NotFoundError(f"no {model} serves yet", "promote one, or name a bundle")
        return f"{bundle_folder(model, entry.bundle)}/bundle"
    return inside(bundle.removeprefix(f"{lake.root}/").strip("/"), "the bundle")


def _published(lake: Lake, path: str) -> tuple[str, str]:
    """The published folder that holds `path`, and what is below it."""
    parts = path.split("/")
    for cut in range(len(parts), 0, -1):
        folder = "/".join(parts[:cut])
        if lake.exists(f"{folder}/_manifest.json"):
            return folder, "/".join(parts[cut:])
    raise NotFoundError(
        f"'{path}' is neither a folder here nor published in {lake.root}",
        "give a bundle's folder, a path in the lake, or champion:recommender",
    )
