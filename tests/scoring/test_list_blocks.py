"""Lists made in blocks are those of one person at a time, ties included, in every family."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scoring.recommender.bundle import RecommenderBundle
from scoring.recommender.item_weights import ItemWeights
from scoring.recommender.list_blocks import best_columns, blocks_in_time
from scoring.recommender.model import Recommender
from scoring.recommender.ratings_arrays import DAY, RatingsMatrix
from scoring.recommender.timed_titles import HOUR, TimedTitles, last_times
from scoring.recommender.top_n import lists_of, top_unseen
from tests.scoring.made_up import FACTS, FOLD_IN, make_bundle
from tests.scoring.test_rankers import FAMILIES, sparse

PEOPLE, WARM, TITLES, SAME = 60, 50, 70, 8
NOW = 3_000 * DAY
LATELY = {"half_life": 3.0, "share": 1.0, "damping": 2.0}
PARTS = ("plain", "lately", "content", "lately and content")


def weights_with_ties() -> ItemWeights:
    """Eight titles have the same column of weights, and nobody's rating adds to five others."""
    rng = np.random.default_rng(4)
    weights = rng.normal(0, 0.3, (TITLES, TITLES)) * (rng.random((TITLES, TITLES)) < 0.3)
    weights[:, 10 : 10 + SAME] = weights[:, [10]]
    weights[10 : 10 + SAME] = 0.0
    weights[WARM:], weights[:, WARM:] = 0.0, 0.0
    np.fill_diagonal(weights, 0.0)
    weights[:, 40:45], weights[40:45, 20] = 0.0, 0.25
    return sparse(weights.astype(np.float32))


def bundle_of(family: str, parts: str) -> RecommenderBundle:
    """Fifty titles that the ranker knows; somebody rated none of them, somebody nearly all."""
    rng = np.random.default_rng(9)
    rated = rng.random((PEOPLE, TITLES)) < 0.25
    rated[:, 60:], rated[3], rated[4, :48], rated[5] = False, False, True, False
    rated[3, 55], rated[5, 2] = True, True
    users, items = np.nonzero(rated)
    stars = rng.integers(1, 11, len(users)) / 2.0
    stars[users == 6] = 0.5  # somebody liked nothing
    times = NOW - rng.integers(0, 900 * DAY, len(users))
    facts = {"fold_in": FOLD_IN | {"ranker": FAMILIES[family]}}
    factors = rng.normal(0, 0.5, (TITLES, 4)).astype(np.float32)
    factors[WARM:] = 0.0
    fields = {
        "ratings": RatingsMatrix.build(users, items, stars, PEOPLE, times),
        "rank_item_factors": factors,
        "rank_arrays": {} if family.startswith("imp") else weights_with_ties().arrays(),
        "popularity": rated.sum(axis=0).astype(np.float64),
    }
    if "lately" in parts:
        facts["fold_in"] |= {"lately": LATELY}
        fields["timed"] = TimedTitles.build(items, times, last_times(users, times, PEOPLE))
    if "content" in parts:
        facts["content"] = {"ridge": 2.0, "optimism": 1.0}
        fields["content_vectors"] = rng.normal(size=(TITLES, 5)).astype(np.float32)
    return make_bundle(PEOPLE, TITLES, **fields, facts=FACTS | facts)


@pytest.mark.parametrize("parts", PARTS)
@pytest.mark.parametrize("family", list(FAMILIES))
@pytest.mark.parametrize("n", [5, 10, 25, 55])
def test_a_block_gives_what_each_person_gets_alone(family: str, parts: str, n: int) -> None:
    model = Recommender(bundle_of(family, parts))
    people = np.append(model.user_ids, 999_999)
    at = np.sort(NOW - np.random.default_rng(3).integers(-9 * DAY, 700 * DAY, len(people)))
    moments = at if "lately" in parts else None
    lists = lists_of(model, people, n, moments)
    assert len(set(lists.strategies.ravel().tolist()) - {""}) > 1
    for place, user in enumerate(people.tolist()):
        alone = Recommender(model.bundle).recommend(user, n, at=int(at[place]))
        length = len(alone)
        assert lists.movie_ids[place, :length].tolist() == [r.movie_id for r in alone]
        assert lists.strategies[place, :length].tolist() == [r.strategy for r in alone]
        scores = np.array([r.score for r in alone])
        assert lists.scores[place, :length] == pytest.approx(scores, rel=1e-5, abs=1e-5)
        assert length >= min(n, 12) and (lists.movie_ids[place, length:] == -1).all()


def test_lists_hold_ties_at_their_end() -> None:
    """Else the test above would prove nothing about ties."""
    model = Recommender(bundle_of("ease with stars", "plain"))
    tied = 0
    for user in model.user_ids.tolist():
        rated, scores = model.ratings_of(user), model.scores(user)
        unrated = [m not in rated for m in model.movie_ids.tolist()]
        order = np.sort(scores[model.ranker.known & unrated])[::-1]
        tied += int(len(order) > 10 and order[9] == order[10])
    assert tied > 5


@pytest.mark.parametrize("size", [1, 7, 60])
def test_the_size_of_blocks_and_the_order_of_people_do_not_matter(monkeypatch, size: int) -> None:
    model = Recommender(bundle_of("ease_als with stars", "lately and content"))
    at = NOW - np.random.default_rng(1).integers(0, 2_500 * DAY, PEOPLE)
    whole = top_unseen(model, model.user_ids, 10, at)
    monkeypatch.setattr("scoring.recommender.list_blocks.MOST_PEOPLE", size)
    monkeypatch.setattr("scoring.recommender.list_blocks.CELLS", 50 * size)
    shuffled = np.random.default_rng(2).permutation(PEOPLE)
    again = top_unseen(Recommender(model.bundle), model.user_ids[shuffled], 10, at[shuffled])
    assert np.array_equal(again, whole[shuffled]) and (whole >= 0).all()


def test_a_block_spans_few_half_lives() -> None:
    model = Recommender(bundle_of("ease", "lately"))
    model = Recommender(replace(model.bundle, facts=facts_of(half_life=0.1)))
    at = NOW - np.arange(PEOPLE) * 2 * DAY
    blocks = blocks_in_time(model, at, PEOPLE, 256)
    assert sorted(np.concatenate(blocks).tolist()) == list(range(PEOPLE))
    assert len(blocks) > 1 and max(np.ptp(at[b]) for b in blocks) <= 500 * 0.1 * DAY
    top = top_unseen(model, model.user_ids, 5, at)
    for place, user in enumerate(model.user_ids.tolist()):
        alone = Recommender(model.bundle).recommend(user, 5, at=int(at[place]))
        assert top[place].tolist() == [r.movie_id for r in alone]


def facts_of(half_life: float) -> dict[str, object]:
    lately = LATELY | {"half_life": half_life}
    return FACTS | {"fold_in": FOLD_IN | {"ranker": FAMILIES["ease"], "lately": lately}}


def test_moving_counts_are_those_of_each_hour() -> None:
    rng = np.random.default_rng(2)
    items, times = rng.integers(0, 9, 400), rng.integers(0, 90 * DAY, 400)
    timed = TimedTitles.build(items, times, last_times(np.zeros(400, int), times, 1))
    hours = np.sort(rng.integers(20 * DAY, 95 * DAY, 30)) // HOUR
    start = timed.counts(int(hours[0]) * HOUR, 7.0, 9, None)
    chosen = np.array([1, 4, 8])
    found = timed.moving(hours, 7.0, chosen, start)
    for place, hour in enumerate(hours.tolist()):
        wanted = timed.counts(hour * HOUR, 7.0, 9, None)
        assert found.lately[place, :3] == pytest.approx(wanted.lately[chosen])
        assert found.ever[place, :3].tolist() == wanted.ever[chosen].tolist()
        assert found.ever[place].sum() == wanted.ever.sum() > 0
        lift = found.lift(np.full((30, 1), 0.7))[place, :3]
        assert lift == pytest.approx(wanted.lift(0.7, chosen))


def test_the_best_columns_keep_the_first_of_equal_scores() -> None:
    rng = np.random.default_rng(5)
    scores = rng.integers(0, 4, (50, 30)).astype(np.float64)
    scores[scores == 3] = -np.inf
    for n in (0, 1, 7, 30, 99):
        wanted = np.argsort(-scores, axis=1, kind="stable")[:, :n]
        assert np.array_equal(best_columns(scores, n), wanted)
