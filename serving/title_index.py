"""Indexes of a champion: titles by words and filters, people and titles by their ids.

A model knows people and titles by number. Some releases name them by text; then
`marquee.identifiers.text_id` makes the number of a name, and a request may give the name or the
number. `serving.engines` builds the indexes once for each bundle, and the routes search them.
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
from sources.ratings_cells import comparable_name, trimmed, whole_id

Ids = NDArray[np.int64]
LARGEST_ID = 2**63 - 1
"""The largest id: arrays hold 64-bit integers."""
LARGEST_SEQUENTIAL_ID = 2**48
"""Ids that a release counts from 0 or 1 stay below; most numbers made from names lie above."""
ARTICLES = "The|A|An|Le|La|Les|L'|Un|Une|Der|Die|Das|El|Los|Las|Il|Lo|Gli|O|Os"
_SPACES = {code: " " for code in range(128) if not chr(code).isalnum()}
_TRAILING_ARTICLE = re.compile(rf"(?P<rest>.+), (?P<article>{ARTICLES})")


@dataclass(frozen=True)
class TitleIndex:
    """Titles from the most to the least popular, with columns to filter them."""

    titles: tuple[Title, ...]
    search_keys: tuple[str, ...]
    """The search key of each title, in the same order."""
    by_id: Mapping[int, Title]
    movie_ids: Ids
    years: NDArray[np.float64]
    """NaN where the year is unknown."""
    genres: Mapping[str, NDArray[np.bool_]]
    """By genre: [titles] whether a title has it."""

    def search(self, query: str, limit: int) -> list[Title]:
        """The best `limit` titles that contain every word of the query.

        Better matches come first (`_rank`), then more popular titles. An empty query gives the most
        popular titles.
        """
        wanted = search_key(query)
        words = wanted.split()
        rows = [row for row, key in enumerate(self.search_keys) if all(w in key for w in words)]
        rows.sort(key=lambda row: _rank(self.search_keys[row], wanted))
        return [self.titles[row] for row in rows[:limit]]

    def allowed(self, genre: str | None, year_from: int | None, year_to: int | None) -> Ids | None:
        """The movie ids that pass the filter; None without a filter.

        Both years belong to the range. A title without a year passes no filter on years. Raises
        KeyError for an unknown genre.
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
    """An index of all titles that the bundle scores or describes.

    A title without a description is shown by its number: `title 17`.
    """
    ids = np.union1d(bundle.movie_ids, np.fromiter(bundle.titles, dtype=np.int64))
    popularity = np.zeros(len(ids))
    popularity[np.searchsorted(ids, bundle.movie_ids)] = bundle.popularity
    movie_ids = ids[np.argsort(-popularity, kind="stable")]
    titles = tuple(_title(bundle, m) for m in movie_ids.tolist())
    return TitleIndex(
        titles=titles,
        search_keys=tuple(search_key(t.title) for t in titles),
        by_id={t.movie_id: t for t in titles},
        movie_ids=movie_ids,
        years=np.array([np.nan if t.year is None else t.year for t in titles]),
        genres=_by_genre(titles),
    )


def article_first(title: str) -> str:
    """`Glass Tide, The` (MovieLens' spelling) becomes `The Glass Tide`."""
    match = _TRAILING_ARTICLE.fullmatch(title) if ", " in title else None
    if match is None:
        return title
    space = "" if match["article"].endswith("'") else " "
    return f"{match['article']}{space}{match['rest']}"


def search_key(text: str) -> str:
    """The text in lower case, without accents and punctuation, to compare titles with queries."""
    if text.isascii():
        return " ".join(text.lower().translate(_SPACES).split())
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    kept = (c if c.isalnum() else " " for c in decomposed if not unicodedata.combining(c))
    return " ".join("".join(kept).split())


def _title(bundle: RecommenderBundle, movie_id: int) -> Title:
    known = bundle.titles.get(movie_id)
    if known is None:
        return Title(movie_id, None, f"title {movie_id}", None, ())
    title = article_first(known.title)
    return known if title == known.title else replace(known, title=title)


def _rank(key: str, wanted: str) -> int:
    """0: equal; 1: the title begins with the query; 2: a later word does; 3: any other match."""
    if key == wanted:
        return 0
    if key.startswith(wanted):
        return 1
    return 2 if f" {wanted}" in key else 3


def _by_genre(titles: Iterable[Title]) -> dict[str, NDArray[np.bool_]]:
    found = [set(t.genres) for t in titles]
    return {g: np.array([g in one for one in found]) for g in sorted(set().union(*found))}


@dataclass(frozen=True)
class IdIndex:
    """The ids of a release's people, or of its titles."""

    numbers: Ints
    """The numbers that the model knows, ascending."""
    ids_are_text: bool
    """Whether the release writes these ids as text."""
    by_folded_name: Mapping[str, int] = field(default_factory=dict)
    """Numbers by folded name; a folded name that stands for two ids is left out."""

    @classmethod
    def of(
        cls,
        kind: str,
        known: Ints,
        facts: Mapping[str, Any],
        names: Mapping[str, int] | None = None,
    ) -> IdIndex:
        """Make the index of one kind of ids in a bundle.

        `kind` is `users` or `titles`, `facts` is `bundle.json`, and `names` are the numbers by the
        names that the bundle lists. An old bundle has no `text_ids` in its facts. Its ids count as
        text if their median is above LARGEST_SEQUENTIAL_ID: numbers made from names are spread
        evenly up to 2^53.
        """
        listed = names or {}
        count = Counter(map(comparable_name, listed))
        unique = {
            comparable_name(n): number
            for n, number in listed.items()
            if count[comparable_name(n)] == 1
        }
        stated = facts.get("text_ids")
        if isinstance(stated, list | tuple):
            return cls(known, kind in stated, unique)
        ids_are_text = bool(len(known)) and float(np.median(known)) > LARGEST_SEQUENTIAL_ID
        return cls(known, ids_are_text, unique)

    def number(self, written: int | str) -> int | None:
        """The number of an id in a request; None for text that cannot be an id of this release.

        A known name comes first, because a name may look like a number.
        """
        if (known := self.number_of_name(str(written))) is not None:
            return known
        number = int(whole_id(str(written)) or -1)
        return number if number >= 0 else self._unknown_name(str(written))

    def number_of_name(self, text: str) -> int | None:
        """The number of a known name, in any spelling that the loader of ratings accepts."""
        found = (text_id(name) for name in dict.fromkeys((text, trimmed(text))) if name)
        known = next((number for number in found if self.knows(number)), None)
        return self.by_folded_name.get(comparable_name(trimmed(text))) if known is None else known

    def knows(self, number: int) -> bool:
        """Whether the model knows this number."""
        row = int(np.searchsorted(self.numbers, number))
        return row < len(self.numbers) and int(self.numbers[row]) == number

    def _unknown_name(self, text: str) -> int | None:
        """The number that `text_id` makes of a name that the model does not know."""
        name = trimmed(text)
        return text_id(name) if self.ids_are_text and name else None
