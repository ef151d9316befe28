"""What a training run knows of its titles: what the bundle says of each, and the words of each.

Both come from the prepared titles where the run has any, else from the release's own list. The
words describe a title for the content vectors: `genres=Drama`, `directors=nm0000116`, `year=1997`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from marquee.artefacts.inputs import Inputs
from marquee.artefacts.model_card import Degraded
from marquee.identifiers import text_id
from marquee.lake import Lake
from scoring.recommender.bundle import Title
from scoring.recommender.ratings_files import listed_title
from sources.ratings_cells import whole_id
from sources.ratings_forms import LISTED, TITLES_FILE

COLUMNS = ["movie_id", "title_id", "title", "year", "genres"]
YEARS_NEAR = 2  # before and after a title's own
WORD_LISTS = ("genres", "directors", "writers", "cast", "companies", "languages", "countries")
WORDS_SCHEMA = pa.schema(
    [("movie_id", pa.int64()), ("names", pa.list_(pa.string())), ("plot", pa.string())]
)


def read_titles(lake: Lake, inputs: Inputs, run: str, scratch: Path) -> dict[int, Title]:
    """Titles by movie id.

    A run whose titles could not be prepared takes those of an earlier run, as its inputs froze
    them, else the release's list: a broken crawl does not hold back a good recommender.
    `without_titles` says so.
    """
    if path := _prepared(lake, inputs, run):
        return prepared_titles(lake.fetch(path, scratch / "titles"))
    release, is_text = inputs.ratings.path, "titles" in inputs.ratings.text_ids
    files = (f"{release}/{TITLES_FILE}", f"{release}/movies.csv")
    listed = next((lake.read_bytes(path) for path in files if lake.exists(path)), b"")
    return listed_titles(listed, is_text)


def without_titles(lake: Lake, inputs: Inputs, run: str) -> list[Degraded]:
    """What the recommender uses instead where this run's titles could not be prepared."""
    path = _prepared(lake, inputs, run)
    if path == f"runs/{run}/prepared/titles":
        return []
    instead = (
        f"the recommender knows of titles what {path.split('/')[1]} prepared"
        if path
        else "the recommender knows of titles what the release lists, and no more"
    )
    return [Degraded(task="prepare_titles", instead=instead)]


def _prepared(lake: Lake, inputs: Inputs, run: str) -> str | None:
    """Where prepared titles lie: this run's own, else the earlier ones it froze, else None."""
    own, earlier = f"runs/{run}/prepared/titles", inputs.earlier_titles
    if lake.exists(own):
        return own
    return earlier.path if earlier and lake.exists(earlier.path) else None


def prepared_titles(folder: Path) -> dict[int, Title]:
    """Of the contract `titles`, those that ratings know (a movie id)."""
    rows = pq.read_table(folder, columns=COLUMNS).to_pylist()
    known = (r for r in rows if r["movie_id"] is not None)
    return {
        r["movie_id"]: Title(
            r["movie_id"], r["title_id"], r["title"] or "", r["year"], tuple(r["genres"] or ())
        )
        for r in known
    }


def listed_titles(listed: bytes, is_text: bool = False) -> dict[int, Title]:
    """The list of a loaded release, or the `movies.csv` of an older lake, in UTF-8 or Latin-1.
    Lines without an id are omitted."""
    try:
        text = listed.decode("utf-8")
    except UnicodeDecodeError:
        text = listed.decode("latin-1")
    is_ours = text.startswith("\t".join(LISTED))
    plain: dict[str, Any] = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if is_ours else {}
    rows = (
        tuple((row.get(name) or "").strip() for name in LISTED)
        for row in csv.DictReader(io.StringIO(text, newline=""), **plain)
    )
    number = text_id if is_text else int
    titles = (
        listed_title(number(kept), title, genres, title_id or None)
        for key, title, genres, title_id in rows
        if (kept := key if is_text else whole_id(key))
    )
    return {t.movie_id: t for t in titles}


def with_names(
    titles: Mapping[int, Title], lake: Lake, inputs: Inputs, run: str, scratch: Path
) -> dict[int, Title]:
    """The titles with the names that their release gives them, where it names titles by text."""
    if "titles" not in inputs.ratings.text_ids:
        return dict(titles)
    folder = lake.fetch(f"runs/{run}/prepared/ids", scratch / "ids", below="titles")
    names = {row["id"]: row["text"] for row in pq.read_table(folder).to_pylist()}
    return {m: replace(title, name=names.get(m)) for m, title in titles.items()}


def read_words(prepared: Path, titles: Mapping[int, Title]) -> pa.Table:
    """Words of the prepared titles in that folder; of the release's list where there are none."""
    return prepared_words(prepared) if prepared.exists() else listed_words(titles)


def listed_words(titles: Mapping[int, Title]) -> pa.Table:
    """Genres and years: all that a release's list holds."""
    return words_table([{**vars(title), "genres": list(title.genres)} for title in titles.values()])


def prepared_words(folder: Path) -> pa.Table:
    """Of the contract `titles`, the words of those that ratings know (a movie id)."""
    columns = ("movie_id", "year", *WORD_LISTS, "certificate", "keywords", "plot")
    there = pq.read_schema(next(iter(sorted(folder.glob("*.parquet"))))).names
    table = pq.read_table(folder, columns=[name for name in columns if name in there])
    return words_table([row for row in table.to_pylist() if row["movie_id"] is not None])


def words_table(rows: list[dict[str, Any]]) -> pa.Table:
    """`movie_id`, `names` (no word twice) and `plot`, by movie id. Rows are named as in the
    contract `titles`; a key that a row lacks is not known. Plots stay text: Spark's own stages
    make words of them."""
    known = sorted(rows, key=lambda row: int(row["movie_id"]))
    lines = [
        {
            "movie_id": row["movie_id"],
            "names": sorted(set(_names(row))),
            "plot": row.get("plot") or "",
        }
        for row in known
    ]
    return pa.Table.from_pylist(lines, schema=WORDS_SCHEMA)


def _names(row: Mapping[str, Any]) -> Iterator[str]:
    """A year is five words, so that neighbouring years share four: measured against decades on
    hidden titles it ranks a quarter better (`bench/logs/content_search.jsonl`)."""
    if row.get("year") is not None:
        yield from (
            f"year={year}" for year in range(row["year"] - YEARS_NEAR, row["year"] + YEARS_NEAR + 1)
        )
    if row.get("certificate"):
        yield f"certificate={row['certificate']}"
    for field in WORD_LISTS:
        yield from (f"{field}={name}" for name in row.get(field) or ())
    for phrase in row.get("keywords") or ():
        yield from (f"keywords={word}" for word in {phrase, *phrase.split()})
