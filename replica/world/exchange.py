"""Titles exchanged between ratings, and nothing else changed.

Two rows of different people swap their titles where neither person has the other's already. The
chain of such swaps ends anywhere among the tables with these row and column sums with equal odds
(Rao, Jana and Bandyopadhyay 1996): how much each person rated, when, with which stars, and how
often each title was rated all stay; who rated what is chance.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from replica.world.ratings import Ratings

ROUNDS = 12
"""Swaps tried a row; after about five the overlap with the start no longer falls."""


def exchange_titles(ratings: Ratings, rng: np.random.Generator) -> Ratings:
    """The ratings after `ROUNDS` tries a row."""
    person, title = ratings.person.tolist(), ratings.title.tolist()
    taken = set(zip(person, title, strict=True))
    for _ in range(ROUNDS):
        order = rng.permutation(len(title)).tolist()
        for a, b in zip(order[::2], order[1::2], strict=False):
            _swap(a, b, person, title, taken)
    return replace(ratings, title=np.array(title))


def _swap(a: int, b: int, person: list[int], title: list[int], taken: set[tuple[int, int]]) -> None:
    """Rows `a` and `b` swap titles, unless that would repeat a pair."""
    one, other = (person[a], title[b]), (person[b], title[a])
    if one in taken or other in taken:
        return
    taken -= {(person[a], title[a]), (person[b], title[b])}
    taken |= {one, other}
    title[a], title[b] = title[b], title[a]
