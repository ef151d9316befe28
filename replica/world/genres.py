"""Genres: how often they come, which go together, and what MovieLens calls them."""

from __future__ import annotations

import numpy as np

GENRES: dict[str, float] = {
    "Action": 0.3,
    "Adventure": 0.05,
    "Animation": 0.05,
    "Comedy": 0.16,
    "Crime": 0.09,
    "Documentary": 0.04,
    "Drama": 0.17,
    "Family": 0.04,
    "Fantasy": 0.05,
    "Horror": 0.08,
    "Mystery": 0.04,
    "Romance": 0.07,
    "Sci-Fi": 0.06,
    "Thriller": 0.08,
}
"""IMDb's names, with the share of titles whose first genre it is (before normalising)."""

_MOVIELENS = {"Family": "Children"}


def movielens_genres(genres: tuple[str, ...]) -> str:
    return "|".join(_MOVIELENS.get(g, g) for g in genres) or "(no genres listed)"


def draw_genres(rng: np.random.Generator, favourites: tuple[str, ...]) -> tuple[str, ...]:
    """One to three genres; half of the time the first is one of the director's favourites."""
    names = list(GENRES)
    share = np.array(list(GENRES.values()))
    first = str(rng.choice(favourites)) if rng.random() < 0.5 else _one(rng, names, share)
    if first == "Documentary":
        return (first,)
    others = {_one(rng, names, share) for _ in range(rng.integers(0, 3))}
    return (first, *sorted(others - {first, "Documentary"}))


def _one(rng: np.random.Generator, names: list[str], share: np.ndarray) -> str:
    return str(rng.choice(names, p=share / share.sum()))
