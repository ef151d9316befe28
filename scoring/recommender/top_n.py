"""Everybody's top N, in blocks of people: the same lists as `Recommender.recommend`, sooner.

A ranker of factors scores a block by one matrix product and picks by partition; any other ranker
is asked person by person. Single precision sums in another order than one by one, so titles whose
scores are equal to about 1e-6 may change places.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.arrays import Floats, Ints, Mask, Rows, Singles, rows_of
from scoring.recommender.chain import Listed
from scoring.recommender.model import Recommender

BLOCK = 256  # people at once: with 20,000 titles, 20 MB of scores


@dataclass(frozen=True)
class Lists:
    """`movie_ids` [people, n], the best first and -1 past the end; `scores` and `strategies` of one
    shape with it."""

    user_ids: Ints
    movie_ids: Ints
    scores: Floats
    strategies: NDArray[np.str_]

    def put(self, place: int, movies: Ints, found: Listed, start: int = 0) -> None:
        """A person's titles from the place `start` of their list on; `movies` are their ids."""
        end = start + len(movies)
        self.movie_ids[place, start:end] = movies
        self.scores[place, start:end] = found.scores
        self.strategies[place, start:end] = found.strategies


def top_lists(
    model: Recommender, n: int, user_ids: Ints | None = None, block: int = BLOCK
) -> Iterator[Lists]:
    """The best `n` unseen titles of each of `user_ids` (default: of everybody known)."""
    people = model.user_ids if user_ids is None else user_ids
    answer = _by_factors if ranks_by_factors(model) else _one_by_one
    for start in range(0, len(people), block):
        yield answer(model, people[start : start + block], n)


def ranks_by_factors(model: Recommender) -> bool:
    """Whether the ranking score is the product of the bundle's rank factors and nothing else."""
    ranker = model.bundle.facts.get("fold_in", {}).get("ranker", {})
    return bool(ranker.get("family") == "implicit_als")


def _one_by_one(model: Recommender, people: Ints, n: int) -> Lists:
    lists = _empty(people, n)
    for place, user in enumerate(people.tolist()):
        found = model.listed(user, n)
        lists.put(place, model.movie_ids[found.rows], found)
    return lists


def _by_factors(model: Recommender, people: Ints, n: int) -> Lists:
    lists, bundle = _empty(people, n), model.bundle
    users = rows_of(model.user_ids, people)
    known = np.flatnonzero(users >= 0)
    scores: Singles = bundle.rank_user_factors[users[known]] @ bundle.rank_item_factors.T
    cold = model.chain.cold(scores, n)
    scores[:, ~model.ranker.known] = -np.inf
    for place, user in enumerate(users[known].tolist()):
        scores[place, bundle.ratings.items(user)] = -np.inf
    best = _best(scores, n)
    width = best.shape[1]
    found = np.take_along_axis(scores, best, axis=1)
    ranked: Mask = found > -np.inf
    lists.movie_ids[known, :width] = np.where(ranked, model.movie_ids[best], -1)
    lists.scores[known, :width] = np.where(ranked, found, np.nan)
    lists.strategies[known, :width] = np.where(ranked, "personal", "")
    for row, place in enumerate(known.tolist() if cold is not None else []):
        rows, own = best[row][ranked[row]], scores[row].astype(np.float64)
        barred = _barred(model, int(users[place]))
        with_cold = model.chain.listed(rows, own, cold and cold.of(row), "personal", barred, n)
        lists.put(place, model.movie_ids[with_cold.rows], with_cold)
    for short in np.flatnonzero((lists.movie_ids < 0).any(axis=1)).tolist():
        _fill_with_popular(model, lists, short, int(users[short]))
    return lists


def _best(scores: Singles, n: int) -> Rows:
    """Columns of the `n` highest of each row, best first; equal scores in column order."""
    n = min(n, scores.shape[1])
    part = np.sort(np.argpartition(scores, scores.shape[1] - n, axis=1)[:, scores.shape[1] - n :])
    order = np.argsort(-np.take_along_axis(scores, part, axis=1), axis=1, kind="stable")
    return np.take_along_axis(part, order, axis=1)


def _barred(model: Recommender, user: int) -> Mask:
    """What this person rated; nothing for a stranger."""
    barred = np.zeros(len(model.movie_ids), dtype=np.bool_)
    if user >= 0:
        barred[model.bundle.ratings.items(user)] = True
    return barred


def _fill_with_popular(model: Recommender, lists: Lists, place: int, user: int) -> None:
    """What the ranker leaves empty, as `recommend` fills it."""
    barred = _barred(model, user)
    there = int((lists.movie_ids[place] >= 0).sum())
    barred[rows_of(model.movie_ids, lists.movie_ids[place, :there])] = True
    found = model.chain.popular(barred, lists.movie_ids.shape[1] - there)
    lists.put(place, model.movie_ids[found.rows], found, start=there)


def _empty(people: Ints, n: int) -> Lists:
    shape = len(people), n
    return Lists(
        people, np.full(shape, -1, np.int64), np.full(shape, np.nan), np.full(shape, "", "<U8")
    )
