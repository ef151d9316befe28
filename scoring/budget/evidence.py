"""The known films nearest to one asked about: what a person would compare it with."""

from __future__ import annotations

from collections.abc import Sequence

from scoring.budget.records import Film, person_key

SHOWN = 3
# Weights of a plain distance: sharing a director counts as much as all genres, thirty years apart
# as one and five points of rating as one.
YEARS, POINTS = 30.0, 5.0


def nearest_films(
    films: Sequence[Film],
    director_keys: Sequence[str],
    genres: Sequence[str],
    year: int,
    rating: float | None,
) -> tuple[Film, ...]:
    """The nearest first; of equally near ones the newer."""
    asked = set(genres)

    def distance(film: Film) -> float:
        shares = bool(set(director_keys) & set(map(person_key, film.directors)))
        either = asked | set(film.genres)
        overlap = len(asked & set(film.genres)) / len(either) if either else 0.0
        both_rated = rating is not None and film.rating is not None
        points = abs((film.rating or 0.0) - (rating or 0.0)) / POINTS if both_rated else 0.0
        return abs(film.year - year) / YEARS + points - overlap - shares

    return tuple(sorted(films, key=lambda f: (distance(f), -f.year, f.title_id))[:SHOWN])
