"""Make the synthetic world and write its files: MovieLens' tables, and one JSON line a title.

`python -m replica make-world` and the tests call `make_world`. The files are all that models learn
from: nothing that trains or scores imports a `world_*` module. `world.json` alone holds the true
parameters and the RMSE of an oracle.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from replica.world_faults import break_ratings, break_titles, check_fault_name
from replica.world_parameters import LAST_RATING, WorldParameters
from replica.world_ratings import Preferences, Ratings, draw_preferences, draw_ratings
from replica.world_titles import WorldTitle, make_titles
from sources.ratings_forms import IMDB_GENRES, NO_GENRE

MOVIELENS_GENRES = {imdb: movielens for movielens, imdb in IMDB_GENRES.items() if imdb}
"""MovieLens' spelling by IMDb's, for the genres where the two differ."""


def make_world(
    out: Path,
    seed: int = 20200229,
    people: int = 400,
    titles: int = 300,
    *,
    fault: str | None = None,
) -> None:
    """Write `ratings.csv movies.csv links.csv titles.jsonl world.json` into the folder `out`.

    The same arguments give the same bytes. `fault` is a name in `FAULTS`. A fault that acts in
    training changes `world.json` alone. Raises SourceError for a world too small or an unknown
    fault.
    """
    check_fault_name(fault)
    parameters = WorldParameters(seed=seed, people=people, titles=titles)
    titles_before = make_titles(parameters)
    preferences = draw_preferences(parameters, titles_before)
    ratings = draw_ratings(parameters, titles_before, preferences)
    facts = _facts(parameters, preferences, ratings)
    ratings = break_ratings(ratings, preferences, parameters, fault)
    written = break_titles(titles_before.rows, parameters, fault)
    out.mkdir(parents=True, exist_ok=True)
    _write_ratings(out / "ratings.csv", ratings, written)
    _write_movies(out / "movies.csv", written)
    _write_links(out / "links.csv", written)
    _write_titles(out / "titles.jsonl", written)
    facts |= {"fault": fault, "rows": len(ratings.person)}
    (out / "world.json").write_text(json.dumps(facts, indent=1) + "\n", "utf-8")


def _facts(
    parameters: WorldParameters, preferences: Preferences, ratings: Ratings
) -> dict[str, Any]:
    """The parameters, and the RMSE of an oracle that knows every preference."""
    oracle = np.clip(preferences.mean[ratings.person, ratings.title], 0.5, 5.0)
    error = float(np.sqrt(np.mean((ratings.stars - oracle) ** 2)))
    return {
        "format": 1,
        "world": "synthetic",
        "parameters": asdict(parameters),
        "last_rating": LAST_RATING.isoformat().replace("+00:00", "Z"),
        "oracle": {"rmse": round(error, 6), "budget_log_rmse": parameters.budget_noise},
    }


def _write_ratings(path: Path, ratings: Ratings, titles: Sequence[WorldTitle]) -> None:
    movie_ids = [t.movie_id for t in titles]
    columns = (ratings.person, ratings.title, ratings.stars, ratings.time)
    rows = zip(*(c.tolist() for c in columns), strict=True)
    lines = (f"{p + 1},{movie_ids[t]},{s:.1f},{when}" for p, t, s, when in rows)
    path.write_text("\n".join(["userId,movieId,rating,timestamp", *lines]) + "\n", "utf-8")


def _write_movies(path: Path, titles: Sequence[WorldTitle]) -> None:
    rows = ((t.movie_id, _movielens_title(t), _movielens_genres(t.genres)) for t in titles)
    _write_csv(path, ("movieId", "title", "genres"), rows)


def _write_links(path: Path, titles: Sequence[WorldTitle]) -> None:
    rows = ((t.movie_id, t.title_id.removeprefix("tt"), 10_000 + t.movie_id) for t in titles)
    _write_csv(path, ("movieId", "imdbId", "tmdbId"), rows)


def _write_titles(path: Path, titles: Sequence[WorldTitle]) -> None:
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


def _movielens_title(title: WorldTitle) -> str:
    """`The Glass Tide` of 1995 becomes `Glass Tide, The (1995)`."""
    moved = re.sub(r"^(The|A) (.+)$", r"\2, \1", title.title)
    return f"{moved} ({title.year})"


def _movielens_genres(genres: tuple[str, ...]) -> str:
    return "|".join(MOVIELENS_GENRES.get(g, g) for g in genres) or NO_GENRE


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
