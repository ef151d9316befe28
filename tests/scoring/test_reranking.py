"""Varied lists against a slow implementation, and what stays true of every list."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from scoring.recommender.model import Recommender
from scoring.recommender.reranking import CANDIDATES, RankedRows, Reranker, candidates
from scoring.recommender.top_n import write_top_n
from tests.scoring.made_up import make_bundle
from tests.scoring.test_content import COLUMNS, TITLES, WARM, bundle_of

DEGREES = (0.1, 0.3, 0.5, 0.8, 1.0)


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    lengths = math.sqrt(float(one @ one)) * math.sqrt(float(other @ other))
    return float(one @ other) / lengths if lengths else 0.0


def likeness(model: Recommender, one: int, other: int) -> float:
    content = model.bundle.content_vectors
    if content is not None and content[one].any() and content[other].any():
        return cosine(content[one].astype(float), content[other].astype(float))
    factors = model.bundle.item_factors.astype(float)
    return cosine(factors[one], factors[other])


def between_0_and_1(values: list[float]) -> list[float]:
    low, high = min(values), max(values)
    return [(v - low) / (high - low) if high > low else 0.0 for v in values]


def chosen_slowly(model: Recommender, pool: list, n: int, diversity: float) -> list[int]:
    """Movie ids: one by one the best of (1 - d) relevance + d (unlikeness + novelty) / 2."""
    rows = {r.movie_id: model.movie_ids.tolist().index(r.movie_id) for r in pool}
    popular = [float(model.bundle.popularity[rows[r.movie_id]]) for r in pool]
    known = [bool(model.ranker.known[rows[r.movie_id]]) for r in pool]
    known = known if any(known) else [True] * len(known)
    least = min([p for p, k in zip(popular, known) if k and p > 0], default=1.0)
    novel = between_0_and_1([-math.log2(max(p, least)) for p, k in zip(popular, known) if k])
    each, middle = iter(novel), sum(novel) / len(novel)
    novelty = [next(each) if k else middle for k in known]
    relevance = between_0_and_1([r.score for r in pool])
    left, found = list(range(len(pool))), []
    while left and len(found) < n:

        def worth(place: int) -> float:
            alike = [likeness(model, rows[pool[place].movie_id], rows[m]) for m in found]
            unlike = 1.0 - max([0.0, *alike])
            return (1 - diversity) * relevance[place] + diversity * (unlike + novelty[place]) / 2

        best = max(left, key=worth)
        left.remove(best)
        found.append(pool[best].movie_id)
    return found


@pytest.fixture(params=["content", "factors", "some content"])
def model(request: pytest.FixtureRequest) -> Recommender:
    """60 people and 240 titles: lists of 10 have candidates and others."""
    rng = np.random.default_rng(5)
    bundle = make_bundle(people=60, titles=240, popularity=rng.permutation(240).astype(float))
    model = Recommender(bundle)
    if request.param != "factors":
        vectors = rng.normal(size=(240, COLUMNS)).astype(np.float32)
        vectors[:: 2 if request.param == "some content" else 500] = 0.0
        object.__setattr__(bundle, "content_vectors", vectors)
        kept = vectors, bundle.item_factors, bundle.popularity
        reranker = Reranker(*kept, model.ranker.known)
        object.__setattr__(model.fallback, "reranker", reranker)
    return model


@pytest.mark.parametrize("diversity", DEGREES)
def test_a_list_is_that_of_the_slow_implementation(model: Recommender, diversity: float) -> None:
    others = 0
    for user in model.user_ids[:8].tolist():
        pool = model.recommend(user, CANDIDATES)
        assert len(pool) == CANDIDATES
        found = model.recommend(user, 10, diversity=diversity)
        assert [r.movie_id for r in found] == chosen_slowly(model, pool, 10, diversity)
        by_title = {r.movie_id: r for r in pool}
        assert found == [by_title[r.movie_id] for r in found]  # score, strategy and reasons stay
        others += [r.movie_id for r in found] != [r.movie_id for r in pool[:10]]
    assert others


def test_without_diversity_every_list_is_as_before(model: Recommender) -> None:
    for user in [*model.user_ids[:8].tolist(), 999]:
        found = model.recommend(user, 10)
        assert model.recommend(user, 10, diversity=0.0) == found
        assert [r.score for r in found] == sorted((r.score for r in found), reverse=True)
        rated = model.ratings_of(user)
        assert model.recommend_for(rated, 10, diversity=0.0) == model.recommend_for(rated, 10)


def test_more_diversity_gives_lists_of_less_like_and_less_popular_titles(
    model: Recommender,
) -> None:
    alike, popular = [], []
    for diversity in (0.0, 0.5, 1.0):
        lists = [model.ranked_rows(u, 10, diversity=diversity).rows for u in model.user_ids]
        pairs = [(a, b) for rows in lists for a in rows for b in rows if a < b]
        alike.append(np.mean([likeness(model, a, b) for a, b in pairs]))
        popular.append(np.mean([model.bundle.popularity[rows].mean() for rows in lists]))
    assert alike[0] > alike[1] > alike[2]
    assert popular[0] > popular[1] > popular[2]


@pytest.mark.parametrize("n", [1, 50, 120, 400])
def test_lists_of_any_length_hold_every_title_once(model: Recommender, n: int) -> None:
    rated = model.ratings_of(10)
    found = [r.movie_id for r in model.recommend(10, n, diversity=0.7)]
    assert len(found) == len(set(found)) == min(n, 240 - len(rated))
    assert not set(found) & set(rated)
    assert candidates(n, 0.7) == max(CANDIDATES, 2 * n) and candidates(n, 0.0) == n


def test_filters_hold_and_a_short_list_is_filled_up_by_popularity(model: Recommender) -> None:
    best = [r.movie_id for r in model.recommend(10, 30)]
    known = [m for m in best if m != model.movie_ids[-1]]
    allowed = [*known[:6], int(model.movie_ids[-1])]  # the last is unknown to the ranker
    found = model.recommend(10, 10, allowed=allowed, exclude=known[:1], diversity=0.8)
    assert {r.movie_id for r in found} == set(allowed) - {known[0]}
    assert [r.strategy for r in found] == ["personal"] * 5 + ["popular"]


def test_a_fold_in_and_a_stranger_get_varied_lists_of_their_strategy(model: Recommender) -> None:
    rated = model.ratings_of(20)
    folded = model.recommend_for(rated, 10, diversity=0.6)
    pool = model.recommend_for(rated, CANDIDATES)
    assert [r.movie_id for r in folded] == chosen_slowly(model, pool, 10, 0.6)
    assert {r.strategy for r in folded} == {"fold-in"}
    strange, popular = model.recommend(999, 10, diversity=0.6), model.recommend(999, CANDIDATES)
    assert [r.movie_id for r in strange] == chosen_slowly(model, popular, 10, 0.6)
    assert strange == model.recommend_for({}, 10, diversity=0.6) != popular[:10]
    assert {r.strategy for r in strange} == {"popular"}


@pytest.mark.parametrize("n", [5, 10, 20])
@pytest.mark.parametrize("diversity", [0.3, 1.0])
def test_at_most_one_in_ten_is_cold_and_only_one_of_the_plain_list(n: int, diversity: float):
    model, admitted = Recommender(bundle_of("ease", optimism=50.0)), 0
    cold = set(model.movie_ids[WARM:].tolist())
    for user in model.user_ids.tolist():
        plain = {r.movie_id for r in model.recommend(user, n)}
        found = model.recommend(user, n, diversity=diversity)
        by_content = {r.movie_id for r in found if r.strategy == "content"}
        assert by_content == {r.movie_id for r in found} & cold
        assert by_content <= plain and len(by_content) <= n // 10
        assert all(r.because for r in found if r.strategy == "content")
        admitted += len(by_content)
    assert (admitted > 0) is (n >= 10)


def test_a_list_by_content_is_varied_too() -> None:
    model = Recommender(bundle_of())
    movie = int(model.movie_ids[WARM + 4])
    pool = model.recommend_for({movie: 5.0}, TITLES)
    pool = [r for r in pool if r.strategy == "content"]
    found = model.recommend_for({movie: 5.0}, 5, diversity=0.5)
    assert [r.movie_id for r in found] == chosen_slowly(model, pool, 5, 0.5)
    assert {r.strategy for r in found} == {"content"}


def test_everybodys_lists_are_those_of_recommend(model: Recommender, tmp_path: Path) -> None:
    write_top_n(model, 10, tmp_path / "all.parquet", lambda done: None, diversity=0.5)
    rows = pq.read_table(tmp_path / "all.parquet").to_pylist()
    wanted = [
        (int(user), rank, r.movie_id, r.strategy)
        for user in model.user_ids
        for rank, r in enumerate(model.recommend(int(user), 10, diversity=0.5), 1)
    ]
    assert [(r["user_id"], r["rank"], r["movie_id"], r["strategy"]) for r in rows] == wanted


def test_titles_that_nobody_rated_are_as_novel_as_the_least_rated() -> None:
    popularity, known = (
        np.array([8.0, 2.0, 0.0, 4.0, 1.0]),
        np.array([True, True, True, True, False]),
    )
    reranker = Reranker(None, np.ones((5, 2), np.float32), popularity, known)
    assert reranker.novelty(np.arange(5)).tolist() == [0.0, 1.0, 1.0, 0.5, 0.625]
    assert reranker.novelty(np.array([2, 4])).tolist() == [0.0, 0.0], "of the others there is one"
    assert reranker.novelty(np.array([4])).tolist() == [0.0]


def test_no_candidate_and_equal_candidates() -> None:
    reranker = Reranker(None, np.zeros((3, 0), np.float32), np.zeros(3), np.ones(3, np.bool_))
    none = RankedRows.of(np.empty(0, dtype=np.intp), np.zeros(3), "popular")
    assert len(reranker.choose(none, 10, 0.5).rows) == 0
    equal = RankedRows.of(np.array([2, 0, 1]), np.ones(3), "popular")
    assert reranker.choose(equal, 2, 0.5).rows.tolist() == [2, 0]
