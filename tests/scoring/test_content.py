"""Content in top lists, similar titles and the fallback: against plain arithmetic."""

from __future__ import annotations

import json

import numpy as np
import pytest

from marquee.errors import BundleError
from scoring.recommender.bundle import RecommenderBundle, read_bundle, write_bundle
from scoring.recommender.content import ContentFacts, ContentMap
from scoring.recommender.model import Recommender
from scoring.recommender.ratings_arrays import RatingsMatrix
from scoring.recommender.top_n import top_lists, top_unseen
from tests.scoring.made_up import FOLD_IN, make_bundle
from tests.scoring.test_rankers import sparse

PEOPLE, WARM, COLD, COLUMNS = 8, 40, 15, 6
TITLES = WARM + COLD
FAMILIES = {
    "implicit_als": FOLD_IN["ranker"],
    "ease": {"family": "ease", "recency": None},
}


def bundle_of(family: str = "implicit_als", optimism: float = 1.0, **changes) -> RecommenderBundle:
    """Forty titles the ranker knows, of which content explains most, and fifteen it does not; of
    these the last has no content either, and two were rated all the same."""
    rng = np.random.default_rng(11)
    vectors = rng.normal(size=(TITLES, COLUMNS)).astype(np.float32)
    vectors[-1] = 0.0
    factors = vectors @ rng.normal(size=(COLUMNS, 4)) + rng.normal(0, 0.1, (TITLES, 4))
    factors[WARM:] = 0.0
    weights = factors @ factors.T
    np.fill_diagonal(weights, 0.0)
    rated = rng.random((PEOPLE, TITLES)) < 0.3
    rated[:, 0], rated[:, WARM + 2 :] = True, False
    users, items = np.nonzero(rated)
    weighing = family != "implicit_als"
    arrays = {
        "rank_user_factors": rng.normal(size=(PEOPLE, 4)).astype(np.float32),
        "rank_item_factors": (factors * (not weighing)).astype(np.float32),
        "rank_arrays": sparse(weights.astype(np.float32)).arrays() if weighing else {},
        "ratings": RatingsMatrix.build(users, items, np.ones(len(users)) * 4.0, PEOPLE),
        "popularity": rated.sum(axis=0).astype(np.float64),
        "content_vectors": vectors,
    }
    facts = {"mean": 3.5, "clip": [0.5, 5.0], "as_of": "x", "recipe": {}}
    facts["fold_in"] = FOLD_IN | {"ranker": FAMILIES[family]}
    facts["content"] = {"ridge": 2.0, "optimism": optimism}
    return make_bundle(PEOPLE, TITLES, **({"facts": facts} | arrays | changes))


@pytest.fixture(params=list(FAMILIES))
def family(request) -> str:
    return request.param


def cold_by_hand(bundle: RecommenderBundle, scores: np.ndarray) -> tuple[np.ndarray, float]:
    """The ridge as an ordinary least-squares fit with an unpenalised constant, row by row."""
    vectors = bundle.content_vectors.astype(float)
    base, ridge = vectors[:WARM], bundle.facts["content"]["ridge"]
    centre = base.mean(axis=0)
    stacked = np.vstack([base - centre, np.sqrt(ridge) * np.eye(COLUMNS)])
    target = np.concatenate([scores[:WARM] - scores[:WARM].mean(), np.zeros(COLUMNS)])
    effect = np.linalg.lstsq(stacked, target, rcond=None)[0]
    hat = stacked @ np.linalg.pinv(stacked)
    residual = target[:WARM] - (base - centre) @ effect
    freedom = WARM - 1 - np.trace(hat[:WARM, :WARM])
    fitted = scores[:WARM].mean() + (vectors[WARM:-1] - centre) @ effect
    return fitted, float(np.sqrt((residual**2).sum() / freedom))


def test_a_cold_titles_score_is_the_ridge_fit_of_the_persons_own(family):
    bundle = bundle_of(family)
    model = Recommender(bundle)
    for user in model.user_ids.tolist():
        row = model._user_row(user)
        plain = model.fallback.personal(row, model.bundle.history(row))
        by_hand, error = cold_by_hand(bundle, plain)
        found = model.fallback.content.score(plain)
        assert found.rows.tolist() == list(range(WARM, TITLES - 1))
        assert found.values == pytest.approx(by_hand, rel=1e-4, abs=1e-4)
        assert float(found.error) == pytest.approx(error, rel=1e-4)
        assert model.scores(user)[WARM:-1] == pytest.approx(by_hand, rel=1e-4, abs=1e-4)
        assert model.scores(user)[:WARM] == pytest.approx(plain[:WARM])


def list_by_hand(model: Recommender, user: int, n: int, optimism: float) -> list[int]:
    """Warm titles by score; a cold one for the last while it may be better than that."""
    seen = {int(model.movie_ids.tolist().index(m)) for m in model.ratings_of(user)}
    scores = model.scores(user)
    _, error = cold_by_hand(model.bundle, scores)
    warm = sorted((r for r in range(WARM) if r not in seen), key=lambda r: -scores[r])[:n]
    cold = sorted((r for r in range(WARM, TITLES - 1) if r not in seen), key=lambda r: -scores[r])
    taken: list[int] = []
    for row in cold[: n // 10]:
        if len(warm) + len(taken) >= n and scores[row] + optimism * error <= scores[warm[-1]]:
            break
        warm = warm[: n - len(taken) - 1]
        taken.append(row)
    return [int(model.movie_ids[r]) for r in sorted(warm + taken, key=lambda r: -scores[r])]


@pytest.mark.parametrize("optimism", [0.0, 1.0, 50.0])
@pytest.mark.parametrize("n", [5, 9, 10, 19, 20])
def test_at_most_one_in_ten_is_cold_and_says_so(family, optimism, n):
    model, admitted = Recommender(bundle_of(family, optimism)), 0
    for user in model.user_ids.tolist():
        found = model.recommend(user, n)
        assert [r.movie_id for r in found] == list_by_hand(model, user, n, optimism)
        rows = [model.movie_ids.tolist().index(r.movie_id) for r in found]
        labels = ["content" if row >= WARM else "personal" for row in rows]
        assert [r.strategy for r in found] == labels
        assert [r.score for r in found] == sorted((r.score for r in found), reverse=True)
        assert labels.count("content") <= n // 10
        admitted += labels.count("content")
    if optimism == 50.0:
        assert admitted == PEOPLE * (n // 10)
    if (n, optimism) == (10, 0.0):
        assert 0 < admitted < PEOPLE  # some people's best cold title is better than their tenth


def test_fold_in_top_unseen_and_blocks_agree_with_recommend(family):
    model = Recommender(bundle_of(family, optimism=3.0))
    people = np.append(model.user_ids, 999)
    top, lists = top_unseen(model, people, 20), next(top_lists(model, 20, people))
    for place, user in enumerate(people.tolist()):
        known = model.recommend(user, 20)
        assert top[place].tolist() == [r.movie_id for r in known]
        assert lists.movie_ids[place].tolist() == [r.movie_id for r in known]
        assert lists.strategies[place].tolist() == [r.strategy for r in known]
    assert (lists.strategies == "content").any()
    folded = model.recommend_for(model.ratings_of(10), 20)
    assert {r.strategy for r in folded} == {"fold-in", "content"}


def test_filters_hold_for_cold_titles(family):
    model = Recommender(bundle_of(family, optimism=50.0))
    (first,) = (r for r in model.recommend(10, 10) if r.strategy == "content")
    other = model.recommend(10, 10, exclude=[first.movie_id])
    assert first.movie_id not in {r.movie_id for r in other}
    assert [r.strategy for r in other].count("content") == 1
    only = [int(m) for m in model.movie_ids[[0, 1, 2, WARM + 5, WARM + 6]]]
    found = model.recommend(10, 10, allowed=only)
    assert {r.movie_id for r in found} <= set(only)
    assert [r.strategy for r in found].count("content") == 1


def test_reasons_for_a_cold_title_are_the_rated_titles_most_like_it(family):
    model = Recommender(bundle_of(family, optimism=50.0))
    (found,) = (r for r in model.recommend(10, 10) if r.strategy == "content")
    rows = {int(m): row for row, m in enumerate(model.movie_ids)}
    vectors = model.bundle.content_vectors.astype(float)
    units = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    nearness = {
        m: float(units[rows[m]] @ units[rows[found.movie_id]]) for m in model.ratings_of(10)
    }
    best = sorted((m for m in nearness if nearness[m] > 0), key=lambda m: -nearness[m])[:3]
    assert list(found.because) == best != []


def test_only_titles_the_ranker_does_not_know_give_a_list_by_content(family):
    model = Recommender(bundle_of(family))
    movie = int(model.movie_ids[WARM + 4])
    found = model.recommend_for({movie: 5.0}, 5)
    vectors = model.bundle.content_vectors.astype(float)
    cosines = vectors @ vectors[WARM + 4] / np.linalg.norm(vectors[WARM + 4])
    cosines /= np.maximum(np.linalg.norm(vectors, axis=1), 1e-12)
    wanted = np.argsort(-np.maximum(cosines, 0) * model.bundle.popularity, kind="stable")[:5]
    assert [r.movie_id for r in found] == model.movie_ids[wanted].tolist()
    assert {r.strategy for r in found} == {"content"} == {model.strategy_for({movie: 5.0})}
    assert all(r.because == (movie,) for r in found)
    assert movie not in {r.movie_id for r in model.recommend_for({movie: 5.0}, TITLES)}


def test_without_any_known_title_the_list_is_popular(family):
    model = Recommender(bundle_of(family))
    for ratings in ({}, {10**6: 5.0}, {int(model.movie_ids[-1]): 5.0}):
        assert model.strategy_for(ratings) == "popular"
        assert {r.strategy for r in model.recommend_for(ratings, 5)} == {"popular"}


def test_a_known_person_of_unknown_titles_is_not_called_personal():
    lone = RatingsMatrix.build(
        np.repeat(np.arange(PEOPLE), 1), np.full(PEOPLE, WARM + 1), np.ones(PEOPLE), PEOPLE
    )
    model = Recommender(bundle_of("ease", ratings=lone))
    assert {r.strategy for r in model.recommend(10, 5)} == {"content"}


def test_similar_titles_of_a_cold_one_are_alike_in_content(family):
    model = Recommender(bundle_of(family))
    found = model.similar(int(model.movie_ids[WARM + 3]), 4)
    assert {s.strategy for s in found} == {"content"} and len(found) == 4
    vectors = model.bundle.content_vectors.astype(float)
    own = vectors[WARM + 3]
    for one in found:
        row = model.movie_ids.tolist().index(one.movie_id)
        cosine = vectors[row] @ own / np.linalg.norm(vectors[row]) / np.linalg.norm(own)
        assert one.similarity == pytest.approx(cosine, abs=2e-6)
    assert [s.similarity for s in found] == sorted((s.similarity for s in found), reverse=True)
    assert model.similar(int(model.movie_ids[-1])) == []
    assert {s.strategy for s in model.similar(1, 4)} == {"similar"}


def test_of_titles_alike_the_more_popular_comes_first():
    vectors = np.repeat(np.eye(COLUMNS, dtype=np.float32), 10, axis=0)[:TITLES]
    popularity = np.random.default_rng(1).permutation(TITLES).astype(float)
    model = Recommender(bundle_of(content_vectors=vectors, popularity=popularity))
    found = model.similar(int(model.movie_ids[WARM]), 9)
    rows = [model.movie_ids.tolist().index(s.movie_id) for s in found]
    assert rows == sorted(range(WARM + 1, WARM + 10), key=lambda r: -popularity[r])


def test_an_older_bundle_without_content_answers_as_before(tmp_path):
    new = bundle_of("ease", optimism=50.0)
    facts = {name: value for name, value in new.facts.items() if name != "content"}
    old = bundle_of("ease", facts=facts, content_vectors=None)
    model = Recommender.load(write_bundle(tmp_path, old))
    assert not (tmp_path / "content_vectors.npy").exists()
    assert {r.strategy for r in model.recommend(10, 10)} == {"personal"}
    assert model.similar(int(model.movie_ids[WARM + 3])) == []
    warm_only = [r for r in Recommender(new).recommend(10, 10) if r.strategy == "personal"]
    assert [r.movie_id for r in model.recommend(10, 10)][:9] == [r.movie_id for r in warm_only]


def test_written_and_read_content_is_equal(tmp_path, family):
    bundle = bundle_of(family, optimism=3.0)
    again = read_bundle(write_bundle(tmp_path, bundle))
    assert np.array_equal(again.content_vectors, bundle.content_vectors)
    for user in (10, 20):
        assert Recommender(again).recommend(user, 20) == Recommender(bundle).recommend(user, 20)


@pytest.mark.parametrize("harm", ["missing", "torn", "shorter", "flat", "wide", "infinite"])
def test_broken_content_is_refused(tmp_path, harm):
    file = write_bundle(tmp_path, bundle_of()) / "content_vectors.npy"
    array = np.load(file)
    if harm == "missing":
        file.unlink()
    elif harm == "torn":
        file.write_bytes(file.read_bytes()[:-7])
    elif harm == "infinite":
        np.save(file, np.where(np.arange(COLUMNS) == 2, np.inf, array).astype(np.float32))
    else:
        harmed = {"shorter": array[:-1], "flat": array[:, 0], "wide": array.astype(np.float64)}
        np.save(file, harmed[harm])
    with pytest.raises(BundleError, match="content_vectors"):
        Recommender.load(tmp_path)


@pytest.mark.parametrize("content", [{}, {"ridge": 1.0}, {"ridge": "x", "optimism": 1.0}, 7])
def test_content_facts_that_are_not_complete_are_refused(tmp_path, content):
    folder = write_bundle(tmp_path, bundle_of())
    facts = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps(facts | {"content": content}))
    with pytest.raises(BundleError, match=r"content in bundle\.json is not complete"):
        Recommender.load(folder)


def test_golden_cold_scores_pass_and_fail():
    model = Recommender(bundle_of("ease"))
    movie = int(model.movie_ids[WARM + 4])
    cold = {"user_id": 10, "movie_id": movie, "score": float(model.scores(10)[WARM + 4])}
    golden = {"tolerance": 1e-5, "predictions": [], "rankings": [], "cold": [cold]}
    assert Recommender(bundle_of("ease", golden=golden)).check_golden().passed
    cold["score"] += 1e-3
    report = Recommender(bundle_of("ease", golden=golden)).check_golden()
    assert report.failures == ("cold 10",)
    cold["movie_id"] = 10**6
    assert not Recommender(bundle_of("ease", golden=golden)).check_golden().passed


@pytest.mark.parametrize("warm", [0, 1, 2])
def test_hardly_any_title_to_learn_from_gives_finite_scores(warm):
    vectors = np.random.default_rng(3).normal(size=(9, 4)).astype(np.float32)
    found = ContentMap(vectors, np.arange(9) < warm, ContentFacts(0.1, 1.0))
    cold = found.score(np.arange(9, dtype=np.float64))
    assert len(cold.values) == 9 - warm
    assert np.isfinite(cold.values).all() and np.isfinite(cold.error)


def test_no_cold_title_that_would_come_is_left_unscored(family):
    model = Recommender(bundle_of(family))
    content, excluded, pruned = model.fallback.content, np.zeros(TITLES, dtype=np.bool_), 0
    for row, user in enumerate(model.user_ids.tolist()):
        scores = model.fallback.personal(row, model.bundle.history(row))
        whole = content.score(scores).best(excluded, 1)
        for last in np.linspace(scores.min(), 3.0 * abs(scores).max(), 12).tolist():
            found = content.best_of(scores, last, excluded, 10)
            comes = whole.values[0] + content.facts.optimism * whole.error > last
            assert len(found.rows) or not comes, user
            assert found.rows.tolist() in ([], whole.rows.tolist())
            may = content.may_come(scores[None, content.fitted], np.array([last]))
            assert may.tolist() == [bool(len(found.rows))]
            pruned += not len(found.rows)
    assert 0 < pruned < 12 * PEOPLE
