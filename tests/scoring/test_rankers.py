"""What every family of rankers must do, and each family's own arithmetic against a slow twin."""

from __future__ import annotations

import json

import numpy as np
import pytest

from marquee.errors import BundleError
from scoring.recommender.bundle import PLACES, read_bundle, write_bundle
from scoring.recommender.item_weights import WEIGHT_ARRAYS, ItemWeightRanker, ItemWeights, Recency
from scoring.recommender.model import Recommender
from scoring.recommender.ratings_arrays import RatingsMatrix
from tests.scoring.made_up import FOLD_IN, history_of, make_bundle

PEOPLE, TITLES = 6, 12
RECENCY = {"span": 2.0, "floor": 0.1}
EQUATIONS = {"alpha": 4.0, "reg": 0.2, "power": 0.5}
STARS = {"neutral": 0.45}
FAMILIES = {
    "implicit_als": {"family": "implicit_als", "alpha": 4.0, "reg": 0.2},
    "implicit_als with a power": {"family": "implicit_als", **EQUATIONS},
    "ease": {"family": "ease", "recency": None},
    "ease with recency": {"family": "ease", "recency": RECENCY},
    "ease_als": {"family": "ease_als", "factors": EQUATIONS, "recency": RECENCY, "share": 0.4},
    "implicit_als with stars": {"family": "implicit_als", **EQUATIONS, "stars": STARS},
    "ease with stars": {"family": "ease", "recency": RECENCY, "stars": STARS},
    "ease_als with stars": {
        "family": "ease_als",
        "factors": EQUATIONS | {"stars": STARS},
        "recency": RECENCY,
        "share": 0.4,
        "stars": STARS,
    },
}


def dense_weights() -> np.ndarray:
    """Three in five weights; nothing of the last title, which nobody rated."""
    rng = np.random.default_rng(5)
    weights = rng.normal(0, 0.3, (TITLES, TITLES)) * (rng.random((TITLES, TITLES)) < 0.6)
    np.fill_diagonal(weights, 0.0)
    weights[-1], weights[:, -1] = 0.0, 0.0
    return weights.astype(np.float32)


def sparse(weights: np.ndarray) -> ItemWeights:
    rows, columns = np.nonzero(weights)
    ends = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(weights)))])
    return ItemWeights(ends.astype(np.int64), columns.astype(np.int32), weights[rows, columns])


def bundle_of(family: str, **changes):
    """The made-up bundle with a ranker of this family, ratings in a shuffled order."""
    plain = make_bundle(PEOPLE, TITLES)
    old = plain.ratings
    users = np.repeat(np.arange(PEOPLE), np.diff(old.indptr))
    times = np.random.default_rng(8).permutation(len(users))
    matrix = RatingsMatrix.build(users, old.indices, old.values, PEOPLE, times)
    facts = plain.facts | {"fold_in": FOLD_IN | {"ranker": FAMILIES[family]}}
    ranker_arrays = {
        "facts": facts,
        "ratings": matrix,
        "rank_arrays": sparse(dense_weights()).arrays(),
    }
    if family.startswith("implicit_als"):
        ranker_arrays["rank_arrays"] = {}
    return make_bundle(PEOPLE, TITLES, **(ranker_arrays | changes))


@pytest.fixture(params=list(FAMILIES))
def family(request) -> str:
    return request.param


@pytest.fixture
def model(family) -> Recommender:
    return Recommender(bundle_of(family))


def test_saved_and_loaded_it_ranks_the_same(family, model, tmp_path):
    again = Recommender(read_bundle(write_bundle(tmp_path, model.bundle)))
    for user in model.user_ids.tolist():
        assert again.recommend(user, 5) == model.recommend(user, 5)
        assert len(model.recommend(user, 5)) == 5
    assert (tmp_path / "rank_weights_values.npy").exists() is not family.startswith("implicit")
    ordered = FAMILIES[family].get("recency") is not None
    assert (tmp_path / "ratings_places.npy").exists() is ordered


def test_what_was_rated_is_left_out_and_the_rest_is_all_there(model):
    for user in model.user_ids.tolist():
        found = [r.movie_id for r in model.recommend(user, 100)]
        assert set(found) == set(model.movie_ids.tolist()) - set(model.ratings_of(user))
        assert len(found) == len(set(found)) > 1


def test_what_the_ranker_does_not_know_comes_last_by_popularity(model):
    found = model.recommend(10, 100)
    assert found[-1].movie_id == model.movie_ids[-1]
    assert [r.strategy for r in found] == ["personal"] * (len(found) - 1) + ["popular"]


def test_reasons_sum_to_the_score_but_for_a_shift(model):
    rated, wanted = history_of([0, 3, 4, 7], [5.0, 1.0, 4.0, 2.5]), np.array([5, 6, 8])
    shares = model.ranker.reasons(rated, wanted).sum(axis=1)
    shift = model.ranker.fold_in(rated)[wanted] - shares
    assert shift == pytest.approx(np.full(3, shift[0]), abs=1e-5)


def test_similar_titles_descend_and_leave_itself_out(model):
    found = model.similar(3, 100)
    assert found
    assert 3 not in {s.movie_id for s in found}
    assert [s.similarity for s in found] == sorted((s.similarity for s in found), reverse=True)
    assert model.similar(int(model.movie_ids[-1])) == []


@pytest.mark.parametrize("rated", [[0], [11], [0, 11], list(range(12))])
def test_any_ratings_give_finite_scores(model, rated):
    assert np.isfinite(model.ranker.fold_in(history_of(rated))).all()
    ratings = {int(model.movie_ids[row]): 3.0 for row in rated}
    assert all(np.isfinite(r.score) for r in model.recommend_for(ratings, 5))


def test_ten_thousand_ratings_give_finite_scores():
    titles = 10_000
    rng = np.random.default_rng(1)
    columns = rng.integers(0, titles, titles * 5).astype(np.int32)
    ends = np.arange(titles + 1, dtype=np.int64) * 5
    values = rng.normal(size=len(columns)).astype(np.float32)
    model = Recommender(bundle_of("ease")).ranker
    big = type(model)(ItemWeights(ends, columns, values), Recency(5.0, 0.05))
    everything = history_of(rng.permutation(titles))
    scores = big.fold_in(everything)
    assert np.isfinite(scores).all()
    assert scores.any()


@pytest.mark.parametrize("family", ["ease", "ease with recency"])
def test_item_weights_add_up_as_by_hand(family):
    model, weights = Recommender(bundle_of(family)), dense_weights().astype(float)
    rated = np.array([7, 0, 3])  # oldest first
    ages = [0.1 + 0.9 * np.exp(-age / 2.0) for age in (2, 1, 0)] if "recency" in family else [1] * 3
    by_hand = sum(a * weights[r] for a, r in zip(ages, rated))
    assert model.ranker.fold_in(history_of(rated)) == pytest.approx(by_hand)


@pytest.mark.parametrize("recency", [None, Recency(2.0, 0.1)])
def test_few_and_many_ratings_are_summed_alike(recency):
    """One way gathers the rated titles' weights, the other passes over all; both are the sum."""
    rng, titles = np.random.default_rng(4), 60
    dense = rng.normal(size=(titles, titles)) * (rng.random((titles, titles)) < 0.3)
    dense[:, 7] = 0.0  # a title that nothing adds to
    ranker = ItemWeightRanker(sparse(dense.astype(np.float32)), recency)
    for count in (0, 1, 5, 11, 13, 30, 60):
        rated = rng.permutation(titles)[:count]
        history = history_of(rated)
        ages = recency.weights(count) if recency else np.ones(count)
        by_hand = ages @ dense[rated].astype(np.float32)
        assert ranker.fold_in(history) == pytest.approx(by_hand, abs=1e-9)
        shares = ranker.reasons(history, np.array([3, 7, 8]))
        assert shares.shape == (3, count)
        assert shares.sum(axis=1) == pytest.approx(by_hand[[3, 7, 8]], abs=1e-9)


@pytest.mark.parametrize("family", ["ease", "ease with recency"])
def test_with_item_weights_folding_in_is_personal(family):
    model = Recommender(bundle_of(family))
    for user in model.user_ids.tolist():
        folded = model.recommend_for(model.ratings_of(user), 4)
        known = model.recommend(user, 4)
        assert [(r.movie_id, r.score) for r in folded] == [(r.movie_id, r.score) for r in known]
        assert {r.strategy for r in folded} == {"fold-in"}


def test_a_blend_is_the_sum_of_standardised_parts():
    model = Recommender(bundle_of("ease_als"))
    blend, rated = model.ranker, history_of([0, 3, 4])
    scores = [blend.factors.fold_in(rated), blend.items.fold_in(rated)]
    known = blend.known
    ours, theirs = ((s - s[known].mean()) / s[known].std() for s in scores)
    assert blend.fold_in(rated) == pytest.approx(0.4 * ours + 0.6 * theirs)


def test_the_ridge_with_a_power_counts_the_titles_not_rated():
    ranker = Recommender(bundle_of("implicit_als with a power")).ranker
    factors = make_bundle(PEOPLE, TITLES).rank_item_factors.astype(float)
    rated = [0, 3]
    confidence = np.full(TITLES, 1 / 5)  # relative to a rated title's 1: alpha is 4
    confidence[rated] = 1.0
    ridge = 0.2 * (2 + (TITLES - 1) / 5) ** 0.5
    system = factors.T @ np.diag(confidence) @ factors + ridge * np.eye(4)
    person = np.linalg.solve(system, factors[rated].sum(axis=0))
    assert ranker.person(history_of(rated)) == pytest.approx(person)


def test_the_order_of_rating_is_kept_person_by_person():
    users, items = np.array([1, 0, 1, 1, 0]), np.array([2, 5, 9, 4, 1])
    times = np.array([30, 7, 10, 30, 8])
    matrix = RatingsMatrix.build(users, items, np.ones(5), 3, times)
    order = [matrix.items(u)[matrix.oldest_first(u)].tolist() for u in range(3)]
    assert order == [[5, 1], [9, 2, 4], []]
    assert matrix.fault(3, 10) == ""
    assert "outside" in matrix.fault(3, 9)


@pytest.mark.parametrize(
    "name", [f"rank_{n}" for n in WEIGHT_ARRAYS] + [f"ratings_{n}" for n in PLACES]
)
@pytest.mark.parametrize("harm", ["missing", "torn", "shorter", "outside"])
def test_a_broken_array_of_the_ranker_is_refused(tmp_path, name, harm):
    write_bundle(tmp_path, bundle_of("ease with recency"))
    file = tmp_path / f"{name}.npy"
    array = np.load(file)
    if harm == "missing":
        file.unlink()
    elif harm == "torn":
        file.write_bytes(file.read_bytes()[:-7])
    elif harm == "shorter":
        np.save(file, array[:-1])
    else:
        array[0] = np.nan if array.dtype.kind == "f" else 99
        np.save(file, array)
    with pytest.raises(BundleError):
        Recommender.load(tmp_path)


@pytest.mark.parametrize(
    "facts",
    [
        {"family": "magic"},
        {"family": "ease"},
        {"family": "ease", "recency": {"span": 2.0}},
        {"family": "ease_als", "recency": None, "share": 0.4},
        {"family": "implicit_als", "alpha": 4.0},
    ],
)
def test_a_ranker_that_is_not_complete_is_refused(tmp_path, facts):
    write_bundle(tmp_path, bundle_of("ease"))
    tree = json.loads((tmp_path / "bundle.json").read_text())
    tree["fold_in"]["ranker"] = facts
    (tmp_path / "bundle.json").write_text(json.dumps(tree))
    with pytest.raises(BundleError):
        Recommender.load(tmp_path)
