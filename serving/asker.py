"""Who asks, and about what: ids as people write them, and the numbers they stand for here.

A model knows people and titles by number. A release that names them by text has each name's
number from `marquee.names.text_id`, so whoever asks may write the name, or that number.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from marquee.names import person_id, text_id
from scoring.arrays import Ints
from scoring.recommender.model import Predictions, Recommendation, Recommender
from serving.catalogue import Ids
from serving.journal import Journal, ratings_now
from sources.ratings_cells import folded, plain, whole_id

LARGEST_ID = 2**63 - 1
"""What a release's own numbers may be, and what the arrays hold."""
OURS = re.compile(r"p-[A-Za-z0-9._-]{1,64}")
"""A person of our own API."""
NO_RELEASE_COUNTS_SO_FAR = 2**48


@dataclass(frozen=True)
class ReleaseIds:
    """The ids of a release's people, or of its titles: how they are written, and their numbers."""

    known: Ints
    """The numbers the model knows, ascending."""
    are_text: bool
    """Whether the release names them by text."""
    alike: Mapping[str, int] = field(default_factory=dict)
    """Numbers of the names whose like no other has, by what their spellings have in common."""

    @classmethod
    def of(
        cls,
        kind: str,
        known: Ints,
        facts: Mapping[str, Any],
        names: Mapping[str, int] | None = None,
    ) -> ReleaseIds:
        """`kind` is `users` or `titles`; `facts` is `bundle.json`; `names` are those it lists.

        A bundle written before `text_ids` was in it does not say which they are. Numbers of names
        lie anywhere below 2^53, those a release counts up to stay far below.
        """
        listed = names or {}
        count = Counter(map(folded, listed))
        alike = {folded(n): number for n, number in listed.items() if count[folded(n)] == 1}
        named = facts.get("text_ids")
        if isinstance(named, list | tuple):
            return cls(known, kind in named, alike)
        return cls(
            known, bool(len(known)) and float(np.median(known)) > NO_RELEASE_COUNTS_SO_FAR, alike
        )

    def number(self, asked: int | str) -> int | None:
        """The number of an id as somebody wrote it; None for what is no id of such a release.

        A name the release knows comes first: it may look like a number.
        """
        if (named := self.named(str(asked))) is not None:
            return named
        number = int(whole_id(str(asked)) or -1)
        return number if number >= 0 else self._strange(str(asked))

    def named(self, text: str) -> int | None:
        """The number of a name the release knows, in any spelling that the loader takes for it."""
        found = (text_id(name) for name in dict.fromkeys((text, plain(text))) if name)
        known = next((number for number in found if self.knows(number)), None)
        return self.alike.get(folded(plain(text))) if known is None else known

    def knows(self, number: int) -> bool:
        """Whether the model knows this number."""
        row = int(np.searchsorted(self.known, number))
        return row < len(self.known) and int(self.known[row]) == number

    def _strange(self, text: str) -> int | None:
        """The number a name would have that nobody has heard of."""
        name = plain(text)
        return text_id(name) if self.are_text and name else None


@dataclass(frozen=True)
class Asker:
    """`ratings` is None where the model knows all there is to know of `user_id`."""

    user_id: int
    ratings: Mapping[int, float] | None = None

    def recommend(
        self, model: Recommender, n: int, allowed: Ids | None, exclude: list[int]
    ) -> list[Recommendation]:
        wanted = None if allowed is None else allowed.tolist()
        if self.ratings is None:
            return model.recommend(self.user_id, n, allowed=wanted, exclude=exclude)
        return model.recommend_for(self.ratings, n, allowed=wanted, exclude=exclude)

    def predict(self, model: Recommender, movie_ids: Ids) -> Predictions:
        if self.ratings is None:
            return model.predict(np.full(len(movie_ids), self.user_id), movie_ids)
        return model.predict_for(self.ratings, movie_ids)


def is_ours(model: Recommender, users: ReleaseIds, journal: Journal, person: str) -> bool:
    """Whether a name is a person's of our own API.

    A release may name somebody like one of ours: the name is the release's, unless one of ours
    had it first.
    """
    if not OURS.fullmatch(person):
        return False
    had_it = bool(journal.said(person)) or model.knows_user(person_id(person))
    return had_it or users.named(person) is None


def asker_of(
    model: Recommender, users: ReleaseIds, journal: Journal, user_id: int | str
) -> Asker | None:
    """The person of that id: one of ours (`p-<name>`; what they said here is felt at once), or the
    release's. None for what is no id at all."""
    name = str(user_id)
    if not is_ours(model, users, journal, name):
        number = users.number(name)
        return None if number is None else Asker(number)
    number = person_id(name)
    now = ratings_now(model, number, journal.said(name))
    return Asker(number, None if now == model.ratings_of(number) else now)
