"""The titles of a training run, and the words that describe each.

Both come from the prepared titles, else from the titles that the ratings release lists. Content
vectors are made from the words, for example `genres=Drama`, `directors=nm0000116`, `year=1997`.
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
from sources.ratings_forms import LISTED_COLUMNS, TITLES_FILE

COLUMNS = ["movie_id", "title_id", "title", "year", "genres"]
YEARS_NEAR = 2  # a title also gets the words of so many years before and after its year
WORD_LISTS = ("genres", "directors", "writers", "cast", "companies", "languages", "countries")
WORDS_SCHEMA = pa.schema(
    [("movie_id", pa.int64()), ("names", pa.list_(pa.string())), ("plot", pa.string())]
)


def read_titles(lake: Lake, inputs: Inputs, run: str, scratch: Path) -> dict[int, Title]:
    """Titles by movie id.

    Where `prepare_titles` failed, the titles are those of the earlier run in `inputs.json`, else
    those that the release lists. So a broken crawl stops no recommender; `without_titles` notes it.
    """
    if path := _prepared(lake, inputs, run):
        return prepared_titles(lake.fetch(path, scratch / "titles"))
    release, is_text = inputs.ratings.path, "titles" in inputs.ratings.text_ids
    files = (f"{release}/{TITLES_FILE}", f"{release}/movies.csv")
    listed = next((lake.read_bytes(path) for path in files if lake.exists(path)), b"")
    return listed_titles(listed, is_text)


def without_titles(lake: Lake, inputs: Inputs, run: str) -> list[Degraded]:
    """A note of the titles used instead; empty where this run prepared its titles."""
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
    """The path of this run's prepared titles, else of the earlier run's, else None."""
    own, earlier = f"runs/{run}/prepared/titles", inputs.earlier_titles
    if lake.exists(own):
        return own
    return earlier.path if earlier and lake.exists(earlier.path) else None


def prepared_titles(folder: Path) -> dict[int, Title]:
    """The titles with a movie id, from rows of the contract `titles`."""
    rows = pq.read_table(folder, columns=COLUMNS).to_pylist()
    known = (r for r in rows if r["movie_id"] is not None)
    return {
        r["movie_id"]: Title(
            r["movie_id"], r["title_id"], r["title"] or "", r["year"], tuple(r["genres"] or ())
        )
        for r in known
    }


def listed_titles(listed: bytes, is_text: bool = False) -> dict[int, Title]:
    """Titles of a loaded release's list, or of an older lake's `movies.csv`, in UTF-8 or Latin-1.

    Lines without a movie id are omitted.
    """
    try:
        text = listed.decode("utf-8")
    except UnicodeDecodeError:
        text = listed.decode("latin-1")
    is_ours = text.startswith("\t".join(LISTED_COLUMNS))
    plain: dict[str, Any] = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if is_ours else {}
    rows = (
        tuple((row.get(name) or "").strip() for name in LISTED_COLUMNS)
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
    """Add the release's text ids as names, where its title ids are text."""
    if "titles" not in inputs.ratings.text_ids:
        return dict(titles)
    folder = lake.fetch(f"runs/{run}/prepared/ids", scratch / "ids", below="titles")
    names = {row["id"]: row["text"] for row in pq.read_table(folder).to_pylist()}
    return {m: replace(title, name=names.get(m)) for m, title in titles.items()}


def read_words(prepared: Path, titles: Mapping[int, Title]) -> pa.Table:
    """Words of the prepared titles in the folder; without it, those of `titles`."""
    return prepared_words(prepared) if prepared.exists() else listed_words(titles)


def listed_words(titles: Mapping[int, Title]) -> pa.Table:
    """Words from genres and years, which are all that a release lists."""
    return words_table([{**vars(title), "genres": list(title.genres)} for title in titles.values()])


def prepared_words(folder: Path) -> pa.Table:
    """Words of the titles with a movie id, from rows of the contract `titles`."""
    columns = ("movie_id", "year", *WORD_LISTS, "certificate", "keywords", "plot")
    there = pq.read_schema(next(iter(sorted(folder.glob("*.parquet"))))).names
    table = pq.read_table(folder, columns=[name for name in columns if name in there])
    return words_table([row for row in table.to_pylist() if row["movie_id"] is not None])


def words_table(rows: list[dict[str, Any]]) -> pa.Table:
    """A table of `movie_id`, `names` (distinct words) and `plot`, ordered by movie id.

    Rows have the keys of the contract `titles`; keys may be missing. `content_fit` splits plots.
    """
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
    """The words of a title. A year gives five words, so that neighbouring years share four.

    This ranks cold titles a quarter better than decades (`bench/logs/content_search.jsonl`).
    """
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
