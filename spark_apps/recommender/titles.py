"""What the bundle says of titles: from the prepared titles, else from the release's own list."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from marquee.lake import Lake
from marquee.scoring.recommender_bundle import Title

COLUMNS = ["movie_id", "title_id", "title", "year", "genres"]
NAME_AND_YEAR = re.compile(r"(?P<name>.*\S)\s*\((?P<year>\d{4})\)\s*")
NO_GENRE = "(no genres listed)"  # MovieLens' words


def read_titles(lake: Lake, inputs: Mapping[str, Any], run: str, scratch: Path) -> dict[int, Title]:
    """Titles by movie id. A run whose titles could not be prepared still has the release's list,
    so that a broken crawl does not hold back a good recommender."""
    path = f"runs/{run}/prepared/titles"
    if lake.exists(path):
        return prepared_titles(lake.fetch(path, scratch / "titles"))
    listed = f"{inputs['ratings']['path']}/movies.csv"
    return listed_titles(lake.read_bytes(listed)) if lake.exists(listed) else {}


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


def listed_titles(movies_csv: bytes) -> dict[int, Title]:
    """MovieLens' `movies.csv`; older releases are in Latin-1. Lines without an id are left out."""
    try:
        text = movies_csv.decode("utf-8")
    except UnicodeDecodeError:
        text = movies_csv.decode("latin-1")
    rows = csv.DictReader(io.StringIO(text))
    titles = (listed_title(row) for row in rows if (row.get("movieId") or "").strip().isdigit())
    return {t.movie_id: t for t in titles}


def listed_title(row: Mapping[str, str | None]) -> Title:
    """One line: `Heat (1995)` is a name and a year."""
    text = (row.get("title") or "").strip()
    match = NAME_AND_YEAR.fullmatch(text)
    name, year = (match["name"], int(match["year"])) if match else (text, None)
    genres = (row.get("genres") or "").split("|")
    kept = tuple(g for g in genres if g and g != NO_GENRE)
    return Title(int(row["movieId"] or 0), None, name, year, kept)
