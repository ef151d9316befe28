"""Ranking peers: they answer from train alone, at the moment of asking, and tune inside train."""

from __future__ import annotations

import numpy as np
import pytest

from bench.peers_ranking import (
    EASE,
    LATELY,
    PEERS,
    Peer,
    Question,
    ease,
    item_knn,
    popularity_lately,
)
from bench.recommender_splits import RULES, inner_rule
from scoring.recommender.ratings_arrays import Ratings

DAY = 86_400
CATALOGUE = np.arange(12, dtype=np.int64)


def to_ratings(rows: list[tuple[int, int, int]]) -> Ratings:
    columns = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return Ratings(columns[:, 0], columns[:, 1], np.full(len(rows), 4.0), columns[:, 2])


@pytest.fixture
def question() -> Question:
    """Title 1 was popular long ago, title 2 in the last days, title 3 after the moment."""
    old = [(user, 1, user) for user in range(1, 9)]
    new = [(user, 2, 100 * DAY + user) for user in range(1, 5)]
    later = [(user, 3, 110 * DAY + user) for user in range(1, 9)]
    own = [(20, 4, 50 * DAY)]
    asked = to_ratings([(20, 5, 102 * DAY), (20, 6, 101 * DAY), (30, 5, 10 * DAY)])
    return Question.of(to_ratings(old + new + later + own), asked, CATALOGUE, seed=1)


def test_people_ask_at_their_first_held_out_rating(question: Question) -> None:
    assert question.people.tolist() == [20, 30]
    assert question.moments.tolist() == [101 * DAY, 10 * DAY]


def test_popularity_lately_counts_the_days_before_the_moment(question: Question) -> None:
    lists = question.lists(popularity_lately(question)(days=7.0))
    assert lists[0, :2].tolist() == [2, 1]  # title 3 was rated later, title 4 is the person's own
    assert 4 not in lists[0]
    assert lists[1, 0] == 1  # nothing in the seven days: by all ratings before the moment
    ever = question.lists(popularity_lately(question)(days=1500.0))
    assert ever[0, :2].tolist() == [1, 2]


def test_ease_is_the_ridge_solution(question: Question) -> None:
    question = Question.of(question.train, to_ratings([(2, 5, 120 * DAY)]), CATALOGUE, seed=1)
    reg, seen = 3.0, question.seen
    inverse = np.linalg.inv(seen.T @ seen + reg * np.eye(seen.shape[1]))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    expected = seen[question.user_rows[0]] @ weights
    found = ease(question)(reg=reg)(0)
    assert np.allclose(found, expected)
    assert found.any()


def test_item_knn_keeps_the_nearest_of_each_title() -> None:
    rng = np.random.default_rng(3)
    rows = [(u, int(m), u) for u in range(30) for m in rng.permutation(12)[:5]]
    question = Question.of(to_ratings(rows), to_ratings([(3, 1, 50), (7, 2, 50)]), CATALOGUE, 1)
    both, neighbours, shrinkage = question.seen.T @ question.seen, 5, 10.0
    norms = np.sqrt(np.diag(both))
    for place, row in enumerate(question.user_rows.tolist()):
        expected = np.zeros(12)
        for title in range(12):
            cosine = both[title] / (norms[title] * norms + shrinkage)
            cosine[title] = 0.0
            near = cosine >= np.sort(cosine)[-neighbours]
            expected[title] = cosine[near & (question.seen[row] > 0)].sum()
        found = item_knn(question)(neighbours=neighbours, shrinkage=shrinkage)(place)
        assert found.any()
        assert np.allclose(found, expected)


@pytest.mark.parametrize("name", ["popularity", "popularity lately", "SAR", "item-kNN", "EASE"])
def test_a_peer_lists_unseen_titles_and_says_what_it_chose(name: str) -> None:
    rng = np.random.default_rng(5)
    rows = [
        (user, int(movie), int((movie % 3) * 2 * DAY + user))
        for user in range(12)
        for movie in rng.permutation(12)[:9]
    ]
    every = to_ratings(rows)
    held = RULES["session"](every, 1)
    assert held.any()
    train = every.take(~held)
    question = Question.of(train, every.take(held), CATALOGUE, seed=1)
    peer = PEERS[name]
    lists, tried = peer(question, inner_rule("random75"))
    assert tried[0][1] in peer.grid
    assert len(tried) == len(peer.grid)
    assert tried[0][0] == max(value for value, _ in tried)
    seen = {(u, m) for u, m in zip(train.user_ids.tolist(), train.movie_ids.tolist())}
    listed = [(u, m) for u, own in zip(question.people.tolist(), lists.tolist()) for m in own]
    assert listed
    assert not seen & set(listed)


def test_each_tuned_peer_tries_as_many() -> None:
    assert {len(peer.grid) for peer in PEERS.values()} == {1, len(EASE)}
    assert len({each["days"] for each in LATELY}) == len(EASE)


def test_a_peer_that_cannot_tune_takes_the_first_of_its_grid(question: Question) -> None:
    peer = Peer(popularity_lately, LATELY)
    assert peer.tried(question, lambda rows, seed: np.zeros(len(rows), dtype=np.bool_)) == [
        (0.0, LATELY[0])
    ]
