"""Find a champion's titles: by words, by filters, and by the ids that people write.

A model knows people and titles by number. A release that names them by text has each name's number
from `marquee.identifiers.text_id`, so a request may give the name or that number. `serving.engines`
builds these indexes once for each bundle; the routes search them.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marquee.identifiers import text_id
from scoring.arrays import Ints
from scoring.recommender.bundle import RecommenderBundle, Title
from sources.ratings_cells import folded, plain, whole_id

Ids = NDArray[np.int64]
LARGEST_ID = 2**63 - 1
"""The largest number that a release may use and that the arrays hold."""
LARGEST_COUNTED_ID = 2**48
"""No release counts its people or titles up to here; numbers made from names lie above."""
ARTICLES = "The|A|An|Le|La|Les|L'|Un|Une|Der|Die|Das|El|Los|Las|Il|Lo|Gli|O|Os"
_TRAILING_ARTICLE = re.compile(rf"(?P<rest>.+), (?P<article>{ARTICLES})")


@dataclass(frozen=True)
class TitleIndex:
    """Titles from the most to the least popular, with the columns that filters need."""

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
        passes = np.ones(len(self.movie_ids), dtype=np.bool_)
        if genre is not None:
            passes &= self.genres[genre]
        if year_from is not None:
            passes &= self.years >= year_from
        if year_to is not None:
            passes &= self.years <= year_to
        return self.movie_ids[passes]


def build_title_index(bundle: RecommenderBundle) -> TitleIndex:
    """All titles the model can score or has a record of; without one, a title is its number."""
    ids = np.union1d(bundle.movie_ids, np.fromiter(bundle.titles, dtype=np.int64))
    popularity = dict(zip(bundle.movie_ids.tolist(), bundle.popularity.tolist(), strict=True))
    movie_ids = np.array(sorted(ids.tolist(), key=lambda m: -popularity.get(m, 0.0)))
    titles = tuple(_title(bundle, m) for m in movie_ids.tolist())
    return TitleIndex(
        titles=titles,
        names=tuple(fold(t.title) for t in titles),
        by_id={t.movie_id: t for t in titles},
        movie_ids=movie_ids,
        years=np.array([np.nan if t.year is None else t.year for t in titles]),
        genres=_by_genre(titles),
    )


def article_first(title: str) -> str:
    """`Glass Tide, The`, as MovieLens sorts titles, the way people say it: `The Glass Tide`."""
    match = _TRAILING_ARTICLE.fullmatch(title)
    if match is None:
        return title
    space = "" if match["article"].endswith("'") else " "
    return f"{match['article']}{space}{match['rest']}"


def fold(text: str) -> str:
    """Lower case, without accents or punctuation: how people type."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    kept = (c if c.isalnum() else " " for c in decomposed if not unicodedata.combining(c))
    return " ".join("".join(kept).split())


def _title(bundle: RecommenderBundle, movie_id: int) -> Title:
    known = bundle.titles.get(movie_id)
    if known is None:
        return Title(movie_id, None, f"title {movie_id}", None, ())
    return replace(known, title=article_first(known.title))


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


@dataclass(frozen=True)
class IdIndex:
    """The ids of a release's people, or of its titles: how they are written, and their numbers."""

    known: Ints
    """The numbers the model knows, ascending."""
    are_text: bool
    """Whether the release names them by text."""
    by_folded_name: Mapping[str, int] = field(default_factory=dict)
    """Numbers by folded name, without the names that fold to the same text as another."""

    @classmethod
    def of(
        cls,
        kind: str,
        known: Ints,
        facts: Mapping[str, Any],
        names: Mapping[str, int] | None = None,
    ) -> IdIndex:
        """`kind` is `users` or `titles`; `facts` is `bundle.json`; `names` are those it lists.

        An old bundle has no `text_ids` in its facts. There the median decides: numbers made from
        names lie anywhere below 2^53, and numbers that a release counts stay far below.
        """
        listed = names or {}
        count = Counter(map(folded, listed))
        unique = {folded(n): number for n, number in listed.items() if count[folded(n)] == 1}
        stated = facts.get("text_ids")
        if isinstance(stated, list | tuple):
            return cls(known, kind in stated, unique)
        are_text = bool(len(known)) and float(np.median(known)) > LARGEST_COUNTED_ID
        return cls(known, are_text, unique)

    def number(self, written: int | str) -> int | None:
        """The number of an id as somebody wrote it; None for what is no id of such a release.

        A name the release knows comes first: it may look like a number.
        """
        if (known := self.named(str(written))) is not None:
            return known
        number = int(whole_id(str(written)) or -1)
        return number if number >= 0 else self._unknown_name(str(written))

    def named(self, text: str) -> int | None:
        """The number of a name the release knows, in any spelling that the loader takes for it."""
        found = (text_id(name) for name in dict.fromkeys((text, plain(text))) if name)
        known = next((number for number in found if self.knows(number)), None)
        return self.by_folded_name.get(folded(plain(text))) if known is None else known

    def knows(self, number: int) -> bool:
        """Whether the model knows this number."""
        row = int(np.searchsorted(self.known, number))
        return row < len(self.known) and int(self.known[row]) == number

    def _unknown_name(self, text: str) -> int | None:
        """The number that a name has which the release does not list."""
        name = plain(text)
        return text_id(name) if self.are_text and name else None
