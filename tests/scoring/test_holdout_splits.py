"""Splits against a plain-Python twin, on any ratings."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scoring.recommender.holdout import global_time, last_session, last_share, random_share
from scoring.recommender.ratings_arrays import Ratings

PAIRS = st.lists(
    st.tuples(st.integers(-3, 5), st.integers(0, 30), st.integers(0, 4)),
    unique_by=lambda row: row[:2],
    max_size=120,
)


def to_ratings(rows: list[tuple[int, int, int]]) -> Ratings:
    columns = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return Ratings(columns[:, 0], columns[:, 1], np.ones(len(rows)), columns[:, 2])


def held_out_slowly(rows: list[tuple[int, int, int]], fewest: int = 5) -> set[tuple[int, int]]:
    people: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for user, movie, time in rows:
        people[user].append((time, movie))
    held = set()
    for user, own in people.items():
        keep = math.ceil(4 * len(own) / 5)
        if len(own) >= fewest:
            held |= {(user, movie) for _, movie in sorted(own)[keep:]}
    return held


@given(PAIRS)
def test_last_share_holds_out_what_the_rule_says(rows):
    ratings = to_ratings(rows)
    held = ratings.take(last_share(ratings))
    assert set(zip(held.user_ids.tolist(), held.movie_ids.tolist())) == held_out_slowly(rows)


@given(PAIRS, st.randoms())
def test_random_share_does_not_depend_on_the_order_of_rows(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    kept = []
    for some in (rows, shuffled):
        ratings = to_ratings(some)
        held = ratings.take(random_share(ratings, seed=42))
        kept.append(set(zip(held.user_ids.tolist(), held.movie_ids.tolist())))
    assert kept[0] == kept[1]


def test_random_share_keeps_three_quarters_of_each_person():
    ratings = to_ratings([(u, m, 0) for u in range(5) for m in range(8)])
    held = random_share(ratings, seed=1)
    assert np.bincount(ratings.user_ids[held]).tolist() == [2] * 5
    assert (random_share(ratings, seed=2) != held).any()


def test_global_time_cuts_at_one_moment():
    ratings = to_ratings([(u, m, 10 * m + u) for u in range(5) for m in range(8)])
    held = global_time(ratings.times)
    assert 0 < held.sum() <= 9
    assert ratings.times[~held].max() < ratings.times[held].min()


def test_people_with_fewer_than_five_hold_out_none():
    ratings = to_ratings([(1, m, m) for m in range(4)] + [(2, m, m) for m in range(5)])
    held = ratings.take(last_share(ratings))
    assert held.user_ids.tolist() == [2]
    assert held.movie_ids.tolist() == [4]


def held_pairs(rows: list[tuple[int, int, int]], **rule: int) -> set[tuple[int, int]]:
    ratings = to_ratings(rows)
    held = ratings.take(last_session(ratings, **rule))
    return set(zip(held.user_ids.tolist(), held.movie_ids.tolist()))


def last_sittings_slowly(
    rows: list[tuple[int, int, int]], gap: int, fewest: int
) -> set[tuple[int, int]]:
    people: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for user, movie, time in rows:
        people[user].append((time, movie))
    held = set()
    for user, own in people.items():
        sittings: list[list[tuple[int, int]]] = []
        for time, movie in sorted(own):
            if not sittings or time - sittings[-1][-1][0] >= gap:
                sittings.append([])
            sittings[-1].append((time, movie))
        if len(sittings) > 1 and sum(map(len, sittings[:-1])) >= fewest:
            held |= {(user, movie) for _, movie in sittings[-1]}
    return held


@given(PAIRS, st.integers(1, 4), st.integers(1, 6))
def test_last_session_holds_out_what_the_rule_says(rows, gap, fewest):
    expected = last_sittings_slowly(rows, gap, fewest)
    assert held_pairs(rows, gap=gap, fewest=fewest) == expected


@given(PAIRS, st.randoms())
def test_last_session_does_not_depend_on_the_order_of_rows(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert held_pairs(rows, gap=2, fewest=2) == held_pairs(shuffled, gap=2, fewest=2)


def test_a_sitting_ends_with_a_pause_of_a_day():
    day = 86_400
    before = [(1, movie, movie * (day - 1)) for movie in range(6)]
    last = before[-1][2]
    back = [(1, 10, last + day), (1, 11, last + day), (1, 12, last + 2 * day - 1)]
    assert held_pairs(before + back) == {(1, 10), (1, 11), (1, 12)}
    assert held_pairs([*before, (1, 10, last + day - 1)]) == set()


def test_of_few_ratings_before_the_pause_none_is_held_out():
    before, back = [(1, movie, movie) for movie in range(5)], [(1, 10, 10**6), (1, 11, 10**6 + 9)]
    assert held_pairs(before + back) == {(1, 10), (1, 11)}
    assert held_pairs(before[1:] + back) == set()
