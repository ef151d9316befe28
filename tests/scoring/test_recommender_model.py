"""The recommender's answers on a made-up bundle, against plain arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.recommender.model import Recommender
from scoring.recommender.top_n import top_unseen
from tests.scoring.made_up import FOLD_IN, history_of, make_bundle

UNKNOWN_PERSON, UNKNOWN_TITLE = 999, 998


@pytest.fixture(scope="module")
def bundle():
    return make_bundle()


@pytest.fixture(scope="module")
def model(bundle):
    return Recommender(bundle)


def predict_slowly(bundle, user_id, movie_id):
    value, known = bundle.facts["mean"], []
    if user_id in bundle.user_ids:
        u = bundle.user_ids.tolist().index(user_id)
        value += bundle.user_bias[u]
        known.append(bundle.user_factors[u])
    if movie_id in bundle.movie_ids:
        i = bundle.movie_ids.tolist().index(movie_id)
        value += bundle.item_bias[i]
        known.append(bundle.item_factors[i])
    if len(known) == 2:
        value += sum(float(a) * float(b) for a, b in zip(*known))
    return min(max(value, 0.5), 5.0)


def test_every_pair_is_answered_and_names_its_strategy(model, bundle):
    users = [10, 20, 10, UNKNOWN_PERSON, UNKNOWN_PERSON]
    movies = [3, 5, UNKNOWN_TITLE, 3, UNKNOWN_TITLE]
    found = model.predict(np.array(users), np.array(movies))
    assert found.strategies.tolist() == ["personal", "personal", "bias", "bias", "mean"]
    expected = [predict_slowly(bundle, u, m) for u, m in zip(users, movies)]
    assert found.values == pytest.approx(expected)


def test_a_cold_title_is_predicted_by_the_bias(model, bundle):
    cold = int(bundle.movie_ids[-1])
    found = model.predict(np.array([10]), np.array([cold]))
    assert found.strategies.tolist() == ["bias"]
    assert found.values[0] == pytest.approx(3.5 + bundle.user_bias[0])


def test_predictions_stay_on_the_scale():
    model = Recommender(make_bundle(user_bias=np.full(6, 100.0)))
    assert model.predict(np.array([10]), np.array([3])).values.tolist() == [5.0]


def test_recommendations_are_the_best_unseen(model, bundle):
    for row, user in enumerate(bundle.user_ids.tolist()):
        scores = (bundle.rank_item_factors @ bundle.rank_user_factors[row]).astype(float)
        scores[bundle.ratings.items(row)] = -np.inf
        scores[-1] = -np.inf
        best = bundle.movie_ids[np.argsort(-scores)][:3].tolist()
        found = model.recommend(user, 3)
        assert [r.movie_id for r in found] == best
        assert {r.strategy for r in found} == {"personal"}


def test_what_was_rated_is_never_recommended(model):
    for user in model.user_ids.tolist():
        rated = set(model.ratings_of(user))
        assert rated
        assert not rated & {r.movie_id for r in model.recommend(user, 100)}


def test_filters(model):
    everything = [r.movie_id for r in model.recommend(10, 100)]
    assert model.recommend(10, 100, exclude=everything[:2])[0].movie_id == everything[2]
    assert [r.movie_id for r in model.recommend(10, 100, allowed={everything[3]})] == [
        everything[3]
    ]
    assert model.recommend(10, 100, allowed=[]) == []
    assert model.recommend(10, 0) == []


def test_a_short_list_is_filled_up_with_popular_titles(model, bundle):
    found = model.recommend(10, 100)
    unseen = set(bundle.movie_ids.tolist()) - set(model.ratings_of(10))
    assert {r.movie_id for r in found} == unseen
    assert found[-1].strategy == "popular"
    assert found[-1].movie_id == bundle.movie_ids[-1]


def test_an_unknown_person_gets_popular_titles(model, bundle):
    found = model.recommend(UNKNOWN_PERSON, 4)
    assert [r.strategy for r in found] == ["popular"] * 4
    order = np.argsort(-bundle.popularity, kind="stable")
    assert [r.movie_id for r in found] == bundle.movie_ids[order][:4].tolist()
    assert model.recommend_for({}, 4) == found
    assert model.recommend_for({UNKNOWN_TITLE: 5.0}, 4) == found


def test_ranker_fold_in_solves_the_normal_equations(model, bundle):
    ratings = {1: 5.0, 7: 2.0}
    factors = bundle.rank_item_factors.astype(float)
    rated = factors[[0, 3]]
    alpha, reg = FOLD_IN["ranker"]["alpha"], FOLD_IN["ranker"]["reg"]
    confidence = np.ones(len(factors))
    confidence[[0, 3]] += alpha
    system = factors.T @ np.diag(confidence) @ factors + reg * 2 * np.eye(4)
    person = np.linalg.solve(system, (1 + alpha) * rated.sum(axis=0))
    found = model.recommend_for(ratings, 5)
    for recommendation in found:
        row = bundle.movie_ids.tolist().index(recommendation.movie_id)
        assert recommendation.score == pytest.approx(factors[row] @ person, rel=1e-5)
    assert {r.strategy for r in found} == {"fold-in"}
    assert not {1, 7} & {r.movie_id for r in found}


def test_reasons_are_rated_titles_that_add_to_the_score(model):
    ratings = {1: 5.0, 7: 2.0, 9: 4.0}
    found = model.recommend_for(ratings, 5)
    assert any(r.because for r in found)
    for recommendation in found:
        assert set(recommendation.because) <= set(ratings)


def test_shares_of_the_reasons_sum_to_the_score(model, bundle):
    factors = bundle.rank_item_factors.astype(float)
    rated, wanted = history_of([0, 3, 4]), np.array([5, 6])
    shares = model.ranker.reasons(rated, wanted)
    person = model.ranker.person(rated)
    assert shares.sum(axis=1) == pytest.approx(factors[wanted] @ person)


def test_predicting_for_ratings_at_hand(model, bundle):
    found = model.predict_for({1: 5.0, 7: 5.0, 9: 4.5}, np.array([3, UNKNOWN_TITLE]))
    assert found.strategies.tolist() == ["fold-in", "bias"]
    nothing = model.predict_for({}, np.array([3, UNKNOWN_TITLE]))
    assert nothing.strategies.tolist() == ["bias", "mean"]
    assert nothing.values == pytest.approx([3.5 + bundle.item_bias[1], 3.5])


def test_similar_titles_by_cosine(model, bundle):
    factors = bundle.rank_item_factors.astype(float)
    found = model.similar(3, 4)
    assert 3 not in {s.movie_id for s in found}
    for similar in found:
        row = bundle.movie_ids.tolist().index(similar.movie_id)
        cosine = factors[1] @ factors[row]
        cosine /= np.linalg.norm(factors[1]) * np.linalg.norm(factors[row])
        assert similar.similarity == pytest.approx(cosine, rel=1e-5)
    assert [s.similarity for s in found] == sorted((s.similarity for s in found), reverse=True)


def test_a_title_nobody_rated_has_no_similar_ones(model, bundle):
    assert model.similar(int(bundle.movie_ids[-1])) == []
    assert model.similar(UNKNOWN_TITLE) == []
    assert int(bundle.movie_ids[-1]) not in {s.movie_id for s in model.similar(3, 100)}


def test_top_unseen_is_recommend(model):
    people = np.array([10, 30, UNKNOWN_PERSON])
    top = top_unseen(model, people, 5)
    for place, user in enumerate(people.tolist()):
        assert top[place].tolist() == [r.movie_id for r in model.recommend(user, 5)]


def golden_of(model):
    users, movies = np.array([10, 20, 10]), np.array([3, 5, 23])
    values = model.predict(users, movies).values
    ranked = model.recommend(20, 3)
    return {
        "tolerance": 1e-5,
        "predictions": [
            {"user_id": int(u), "movie_id": int(m), "value": float(v)}
            for u, m, v in zip(users, movies, values)
        ],
        "rankings": [
            {
                "user_id": 20,
                "movie_ids": [r.movie_id for r in ranked],
                "scores": [r.score for r in ranked],
            }
        ],
    }


def test_golden_queries_pass_and_fail(model):
    golden = golden_of(model)
    good = Recommender(make_bundle(golden=golden)).check_golden()
    assert (good.count, good.failures, good.passed) == (4, (), True)
    golden["predictions"][0]["value"] += 1e-3
    golden["rankings"][0]["scores"][2] *= 1.01
    bad = Recommender(make_bundle(golden=golden)).check_golden()
    assert bad.failures == ("predict 10 3", "recommend 20")
    assert not bad.passed


def test_golden_rankings_with_other_titles_fail(model):
    golden = golden_of(model)
    golden["rankings"][0]["movie_ids"][0] = UNKNOWN_TITLE
    assert len(Recommender(make_bundle(golden=golden)).check_golden().failures) == 1


def test_no_golden_query_is_not_a_pass(model):
    assert not model.check_golden().passed


def test_another_order_of_equal_scores_passes(model):
    twins = model.bundle.rank_item_factors.copy()
    twins[6:10] = twins[5]
    same = make_bundle(rank_item_factors=twins)
    golden = golden_of(Recommender(same))
    movies = golden["rankings"][0]["movie_ids"]
    golden["rankings"][0]["movie_ids"] = movies
    scores = golden["rankings"][0]["scores"]
    ties = [i for i, s in enumerate(scores) if scores.count(s) > 1]
    assert ties
    for a, b in zip(ties, reversed(ties)):
        if a < b:
            movies[a], movies[b] = movies[b], movies[a]
    assert Recommender(make_bundle(rank_item_factors=twins, golden=golden)).check_golden().passed
