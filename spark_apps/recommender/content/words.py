"""What is known of a title, as words: `genres=Drama`, `directors=nm0000116`, `year=1997`.

A year is five words, so that neighbouring years share four: measured against decades on hidden
titles it ranks a quarter better (`bench/logs/content_search.jsonl`). Plots stay text: Spark's own
stages make words of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from scoring.recommender.bundle import Title

NEAR = 2  # years on either side of a title's own
LISTS = ("genres", "directors", "writers", "cast", "companies", "languages", "countries")
SCHEMA = pa.schema(
    [("movie_id", pa.int64()), ("names", pa.list_(pa.string())), ("plot", pa.string())]
)


def read_words(prepared: Path, titles: Mapping[int, Title]) -> pa.Table:
    """Of the prepared titles in that folder; of the release's list where there are none."""
    return prepared_words(prepared) if prepared.exists() else listed_words(titles)


def listed_words(titles: Mapping[int, Title]) -> pa.Table:
    """Genres and years: all that a release tells."""
    return words_table([{**vars(title), "genres": list(title.genres)} for title in titles.values()])


def prepared_words(folder: Path) -> pa.Table:
    """Of the contract `titles`, those that ratings know."""
    columns = ("movie_id", "year", *LISTS, "certificate", "keywords", "plot")
    there = pq.read_schema(next(iter(sorted(folder.glob("*.parquet"))))).names
    table = pq.read_table(folder, columns=[name for name in columns if name in there])
    return words_table([row for row in table.to_pylist() if row["movie_id"] is not None])


def words_table(rows: list[dict[str, Any]]) -> pa.Table:
    """`movie_id`, `names` (no word twice) and `plot`, by movie id; rows are named as in the
    contract `titles`, and what one lacks is not known."""
    known = sorted(rows, key=lambda row: int(row["movie_id"]))
    lines = [
        {
            "movie_id": row["movie_id"],
            "names": sorted(set(_names(row))),
            "plot": row.get("plot") or "",
        }
        for row in known
    ]
    return pa.Table.from_pylist(lines, schema=SCHEMA)


def _names(row: Mapping[str, Any]) -> Iterator[str]:
    if row.get("year") is not None:
        yield from (f"year={year}" for year in range(row["year"] - NEAR, row["year"] + NEAR + 1))
    if row.get("certificate"):
        yield f"certificate={row['certificate']}"
    for field in LISTS:
        yield from (f"{field}={name}" for name in row.get(field) or ())
    for phrase in row.get("keywords") or ():
        yield from (f"keywords={word}" for word in {phrase, *phrase.split()})
