"""The world's files, in MovieLens' headers and one JSON line a title."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from replica.world.genres import movielens_genres
from replica.world.ratings import Ratings
from replica.world.title import WorldTitle


def write_ratings(path: Path, ratings: Ratings, titles: Sequence[WorldTitle]) -> None:
    movie_ids = [t.movie_id for t in titles]
    columns = (ratings.person, ratings.title, ratings.stars, ratings.time)
    rows = zip(*(c.tolist() for c in columns), strict=True)
    lines = (f"{p + 1},{movie_ids[t]},{s:.1f},{when}" for p, t, s, when in rows)
    path.write_text("\n".join(["userId,movieId,rating,timestamp", *lines]) + "\n", "utf-8")


def write_movies(path: Path, titles: Sequence[WorldTitle]) -> None:
    rows = ((t.movie_id, _movielens_name(t), movielens_genres(t.genres)) for t in titles)
    _write_csv(path, ("movieId", "title", "genres"), rows)


def write_links(path: Path, titles: Sequence[WorldTitle]) -> None:
    rows = ((t.movie_id, t.title_id.removeprefix("tt"), 10_000 + t.movie_id) for t in titles)
    _write_csv(path, ("movieId", "imdbId", "tmdbId"), rows)


def write_titles(path: Path, titles: Sequence[WorldTitle]) -> None:
    lines = (json.dumps(_record(t), ensure_ascii=False) for t in titles)
    path.write_text("\n".join(lines) + "\n", "utf-8")


def _record(t: WorldTitle) -> dict[str, Any]:
    return {
        "title_id": t.title_id,
        "title": t.title,
        "original_title": t.title,
        "type": t.type,
        "year": t.year,
        "release_date": t.release_date.isoformat(),
        "runtime": t.runtime,
        "directors": list(t.directors),
        "writers": list(t.writers),
        "cast": list(t.cast),
        "genres": list(t.genres),
        "rating": t.rating,
        "vote_count": t.vote_count,
        "budget": t.budget,
        "gross": t.gross,
        "countries": [t.country],
        "languages": [t.language],
        "certificate": t.certificate,
        "companies": list(t.companies),
        "plot": t.plot,
        "keywords": list(t.keywords),
    }


def _movielens_name(title: WorldTitle) -> str:
    """`The Glass Tide` of 1995 as MovieLens spells it: `Glass Tide, The (1995)`."""
    moved = re.sub(r"^(The|A) (.+)$", r"\2, \1", title.title)
    return f"{moved} ({title.year})"


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
