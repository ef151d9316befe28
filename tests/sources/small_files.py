"""Small files as each source writes them, and tables as the lake keeps them."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

from marquee.lake import Lake
from sources.titles_imdb5000 import NEEDED, read_imdb5000

BASICS = "tconst\ttitleType\tprimaryTitle\toriginalTitle\tisAdult\tstartYear\tendYear\t"
BASICS += "runtimeMinutes\tgenres\n"


def tsv(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.tsv.gz").write_bytes(gzip.compress(text.encode()))


BUDGETS = [
    ("tt0000001", "5000000", "http://www.wikidata.org/entity/Q4917"),
    ("tt0000002", "3000000.5", "EUR"),
    ("tt0000003", "7", "Q1"),
    ("tt0000004", "7", "Q4917"),
    ("tt0000004", "9", "Q4917"),
    ("nonsense", "7", "Q4917"),
    ("tt0000005", "-7", "Q4917"),
]


def wikidata_file(folder: Path, form: str) -> Path:
    path = folder / f"budgets.{form.split('-')[0]}"
    if form == "csv":
        lines = [",".join(row) for row in BUDGETS]
        path.write_text("imdb,amount,unit\n" + "\n".join(lines))
        return path
    entries = [dict(zip(("imdb", "amount", "unit"), row, strict=True)) for row in BUDGETS]
    if form == "json-sparql":
        cells = [{k: {"type": "literal", "value": v} for k, v in e.items()} for e in entries]
        path.write_text(json.dumps({"results": {"bindings": cells}}))
    else:
        path.write_text(json.dumps(entries))
    return path


def row(**changes: str) -> dict[str, str]:
    return dict.fromkeys(NEEDED, "") | changes


def imdb5000(folder: Path, **cells: str) -> dict[str, Any]:
    """The record of one row with these cells."""
    cells = row(movie_imdb_link="http://www.imdb.com/title/tt0000001/", movie_title="A") | cells
    with (folder / "movies.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([cells.keys(), cells.values()])
    (found,) = read_imdb5000(folder / "movies.csv")
    return found


def fields_of(record: dict[str, Any]) -> list[str]:
    """The fields that notes are about."""
    return sorted(note.partition(":")[0] for note in record["notes"])


IMDB5000 = (
    *(
        "actor_1_name",
        "actor_2_name",
        "actor_3_name",
        "duration",
        "gross",
        "imdb_score",
        "language",
    ),
    *("num_voted_users", "title_year", "content_rating", "plot_keywords"),
)


def table(lake: Lake, path: str) -> list[list[str]]:
    """A file of a loaded release, without its header."""
    return [line.split("\t") for line in lake.read_bytes(path).decode().split("\n")[1:-1]]
