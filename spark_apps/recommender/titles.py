"""What the bundle says of titles: from the prepared titles, else from the release's own list."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from marquee.artefacts.card import Degraded
from marquee.artefacts.inputs import Inputs
from marquee.lake import Lake
from marquee.names import text_id
from scoring.recommender.bundle import Title
from scoring.recommender.releases import listed_title
from sources.ratings import LISTED, TITLES_FILE
from sources.ratings_cells import whole_id

COLUMNS = ["movie_id", "title_id", "title", "year", "genres"]


def read_titles(lake: Lake, inputs: Inputs, run: str, scratch: Path) -> dict[int, Title]:
    """Titles by movie id. A run whose titles could not be prepared has those of an earlier run, as
    its inputs froze them, else the release's list: a broken crawl does not hold back a good
    recommender. `without_titles` says so."""
    if path := _prepared(lake, inputs, run):
        return prepared_titles(lake.fetch(path, scratch / "titles"))
    release, is_text = inputs.ratings.path, "titles" in inputs.ratings.text_ids
    files = (f"{release}/{TITLES_FILE}", f"{release}/movies.csv")
    listed = next((lake.read_bytes(path) for path in files if lake.exists(path)), b"")
    return listed_titles(listed, is_text)


def without_titles(lake: Lake, inputs: Inputs, run: str) -> list[Degraded]:
    """What the recommender goes on with where this run's titles could not be prepared."""
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
    """Where prepared titles lie: this run's own, else the earlier ones it froze; None: nowhere."""
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
    """The list of a loaded release; a `movies.csv` that lies in older lakes, in UTF-8 or Latin-1,
    is read too. Lines without an id are left out."""
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
    """The titles with what their release calls them, where it names them by text."""
    if "titles" not in inputs.ratings.text_ids:
        return dict(titles)
    folder = lake.fetch(f"runs/{run}/prepared/ids", scratch / "ids", below="titles")
    names = {row["id"]: row["text"] for row in pq.read_table(folder).to_pylist()}
    return {m: replace(title, name=names.get(m)) for m, title in titles.items()}
