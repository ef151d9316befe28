"""`marquee recommend-all`: everybody's recommendations into one file."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from cli.bundle_argument import BundleArgument, fetched, kind_of
from cli.data import arguments
from cli.lake_flags import AsJson, LakeFlag, WebHdfsFlag, WorldFlag, out
from marquee.errors import SourceError

Out = Annotated[
    Path, typer.Option("--out", help="The file to write: .parquet or .csv.", show_default=False)
]
N = Annotated[int, typer.Option("-n", "--n", min=1, max=1000, help="Titles a person.")]


def recommend_all(
    bundle: BundleArgument,
    out_file: Out,
    n: N = 10,
    lake: LakeFlag = "",
    webhdfs: WebHdfsFlag = "",
    data: WorldFlag = "",
    as_json: AsJson = False,
) -> None:
    """Write the best N unrated titles of every person a bundle knows into one file.

    Columns: user_id, rank, movie_id, title, year, score, strategy. The lists
    are those the API gives one by one; people are scored in blocks. The file
    appears whole or not at all.

    \b
    marquee recommend-all champion:recommender --out everybody.parquet --n 20
    """
    from scoring.recommender.top_n_file import WRITERS

    with arguments():
        if out_file.suffix not in WRITERS:
            raise SourceError(f"{out_file} is neither .parquet nor .csv", "name it one of the two")
    started = time.monotonic()
    with fetched(bundle, lake, webhdfs, data) as folder:
        if (kind := kind_of(folder)) != "recommender":
            raise SourceError(f"{bundle} is a {kind} model", "give a recommender's bundle")
        people, rows = _write(folder, out_file, n)
    seconds = time.monotonic() - started
    if as_json:
        told = {"people": people, "rows": rows, "out": str(out_file), "seconds": seconds}
        print(json.dumps({"bundle": bundle, "n": n, **told}))
    else:
        where = escape(str(out_file))
        out.print(f"{rows:,} recommendations for {people:,} people in {seconds:.1f} s: {where}")


def _write(folder: Path, out_file: Path, n: int) -> tuple[int, int]:
    from scoring.recommender.model import Recommender
    from scoring.recommender.top_n_file import write_top_n

    model = Recommender.load(folder)
    people = len(model.user_ids)
    columns = "[progress.description]{task.description}", BarColumn(), MofNCompleteColumn()
    # On standard error: a script reads --json from the other.
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task("people", total=people)
        return people, write_top_n(model, n, out_file, lambda k: progress.advance(task, k))
