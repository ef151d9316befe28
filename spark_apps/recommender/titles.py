"""What the bundle says of titles: from the prepared titles, else from the release's own list."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pyarrow.parquet as pq

from marquee.lake import Lake
from marquee.names import text_id
from marquee.release.card import Degraded
from marquee.release.inputs import Inputs
from marquee.scoring.recommender.bundle import Title
from marquee.scoring.recommender.releases import listed_title
from marquee.sources.ratings import is_whole

LISTED = ("movieId", "title", "genres")
COLUMNS = ["movie_id", "title_id", "title", "year", "genres"]


def read_titles(lake: Lake, inputs: Inputs, run: str, scratch: Path) -> dict[int, Title]:
    """Titles by movie id. A run whose titles could not be prepared has those of an earlier run, as
    its inputs froze them, else the release's list: a broken crawl does not hold back a good
    recommender. `without_titles` says so."""
    if path := _prepared(lake, inputs, run):
        return prepared_titles(lake.fetch(path, scratch / "titles"))
    listed = f"{inputs.ratings.path}/movies.csv"
    is_text = "titles" in inputs.ratings.text_ids
    return listed_titles(lake.read_bytes(listed), is_text) if lake.exists(listed) else {}


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


def listed_titles(movies_csv: bytes, is_text: bool = False) -> dict[int, Title]:
    """MovieLens' `movies.csv`; older releases are in Latin-1. Lines without an id are left out."""
    try:
        text = movies_csv.decode("utf-8")
    except UnicodeDecodeError:
        text = movies_csv.decode("latin-1")
    number = text_id if is_text else int
    lines = csv.DictReader(io.StringIO(text))
    cells = (tuple((row.get(c) or "").strip() for c in LISTED) for row in lines)
    known = (c for c in cells if c[0] and (is_text or is_whole(c[0])))
    titles = (listed_title(c, number, {}) for c in known)
    return {t.movie_id: t for t in titles}
