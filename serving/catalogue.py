"""The titles of a recommender, ready to be searched and filtered."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scoring.recommender.bundle import Title
from scoring.recommender.model import Recommender

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Catalogue:
    """Titles from the most to the least popular, with the columns filters need."""

    titles: tuple[Title, ...]
    names: tuple[str, ...]
    """Folded titles, in the same order."""
    by_id: Mapping[int, Title]
    movie_ids: Ids
    years: NDArray[np.float64]
    """NaN where the year is unknown."""
    genres: Mapping[str, NDArray[np.bool_]]
    """For each genre, which titles have it."""

    def search(self, query: str, limit: int) -> list[Title]:
        """Titles that hold every word of the query, those that begin with it first.

        An empty query gives the most popular titles.
        """
        wanted = fold(query)
        words = wanted.split()
        rows = [row for row, name in enumerate(self.names) if all(w in name for w in words)]
        rows.sort(key=lambda row: _rank(self.names[row], wanted))
        return [self.titles[row] for row in rows[:limit]]

    def allowed(self, genre: str | None, year_from: int | None, year_to: int | None) -> Ids | None:
        """The movie ids a filter lets through; None where there is no filter.

        A title without a year passes no filter on years. Raises KeyError for an unknown genre.
        """
        if genre is None and year_from is None and year_to is None:
            return None
        keep = np.ones(len(self.movie_ids), dtype=np.bool_)
        if genre is not None:
            keep &= self.genres[genre]
        if year_from is not None:
            keep &= self.years >= year_from
        if year_to is not None:
            keep &= self.years <= year_to
        return self.movie_ids[keep]


ARTICLES = "The|A|An|Le|La|Les|L'|Un|Une|Der|Die|Das|El|Los|Las|Il|Lo|Gli|O|Os"
_MOVED = re.compile(rf"(?P<rest>.+), (?P<article>{ARTICLES})")


def spoken(title: str) -> str:
    """`Glass Tide, The`, as MovieLens sorts titles, the way people say it: `The Glass Tide`."""
    match = _MOVED.fullmatch(title)
    if match is None:
        return title
    space = "" if match["article"].endswith("'") else " "
    return f"{match['article']}{space}{match['rest']}"


def build_catalogue(model: Recommender) -> Catalogue:
    """All titles the model can score or has a record of; without one, a title is its number."""
    ids = np.union1d(model.movie_ids, np.fromiter(model.titles, dtype=np.int64))
    popularity = dict(zip(model.movie_ids.tolist(), model.bundle.popularity.tolist(), strict=True))
    movie_ids = np.array(sorted(ids.tolist(), key=lambda m: -popularity.get(m, 0.0)))
    titles = tuple(_title(model, m) for m in movie_ids.tolist())
    return Catalogue(
        titles=titles,
        names=tuple(fold(t.title) for t in titles),
        by_id={t.movie_id: t for t in titles},
        movie_ids=movie_ids,
        years=np.array([np.nan if t.year is None else t.year for t in titles]),
        genres=_by_genre(titles),
    )


def _title(model: Recommender, movie_id: int) -> Title:
    known = model.titles.get(movie_id)
    if known is None:
        return Title(movie_id, None, f"title {movie_id}", None, ())
    return replace(known, title=spoken(known.title))


def fold(text: str) -> str:
    """Lower case, without accents or punctuation: how people type."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    kept = (c if c.isalnum() else " " for c in plain if not unicodedata.combining(c))
    return " ".join("".join(kept).split())


def _rank(name: str, wanted: str) -> int:
    """Equal titles first, then those that begin so, then those with a word that does."""
    if name == wanted:
        return 0
    if name.startswith(wanted):
        return 1
    return 2 if f" {wanted}" in name else 3


def _by_genre(titles: Iterable[Title]) -> dict[str, NDArray[np.bool_]]:
    found = [set(t.genres) for t in titles]
    return {g: np.array([g in one for one in found]) for g in sorted(set().union(*found))}
