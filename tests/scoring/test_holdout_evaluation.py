"""`evaluation.json` on made-up bundles: every number against a slow twin or a known answer."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from marquee.errors import BundleError, ContractError
from scoring.arrays import rows_of
from scoring.recommender.holdout import LIKED, global_time, last_share
from scoring.recommender.holdout_evaluation import evaluate_forecast, evaluate_recommender
from scoring.recommender.model import Recommender
from scoring.recommender.ratings_arrays import Ratings, RatingsMatrix
from scoring.recommender.ratings_files import read_ratings
from scoring.recommender.timed_titles import TimedTitles, last_times
from tests.scoring.made_up import FACTS, FOLD_IN, make_ratings, save_bundle, save_ratings

ROWS = make_ratings(people=50, titles=40)
LATE = last_share(ROWS)
TRAIN, HOLDOUT = ROWS.take(~LATE), ROWS.take(LATE)
LATER = global_time(ROWS.times)
LATELY = {"half_life": 0.1, "share": 0.4, "damping": 5.0}

RANKER = FOLD_IN["ranker"] | {"stars": {"neutral": 0.4}}  # the gate wants stars to count


def bundle_of(folder: Path, rows: Ratings, noise: float, seed: int = 1) -> Path:
    """Factors that know the stars of `ROWS`, spoilt by `noise`."""
    users, movies = np.unique(rows.user_ids), np.unique(ROWS.movie_ids)
    rng = np.random.default_rng(seed)
    stars = np.full((50, len(movies)), 3.0)
    stars[ROWS.user_ids - 1, ROWS.movie_ids - 1] = ROWS.values
    people, values, titles = np.linalg.svd(stars + rng.normal(0, noise, stars.shape) - 3.5)
    known = (people[:, :40] * values)[users - 1], titles[:40].T
    u, i = rows_of(users, rows.user_ids), rows_of(movies, rows.movie_ids)
    return save_bundle(
        folder,
        user_ids=users,
        movie_ids=movies,
        user_bias=np.zeros(len(users)),
        item_bias=np.zeros(len(movies)),
        user_factors=known[0],
        item_factors=known[1],
        rank_user_factors=known[0],
        rank_item_factors=known[1],
        ratings=RatingsMatrix.build(u, i, rows.values, len(users)),
        popularity=np.bincount(i, minlength=len(movies)).astype(float),
        timed=TimedTitles.build(i, rows.times, last_times(u, rows.times, len(users))),
        facts=FACTS | {"fold_in": FOLD_IN | {"ranker": RANKER, "lately": LATELY}},
    )


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    at = tmp_path_factory.mktemp("evaluate")
    return {
        "evaluated": bundle_of(at / "evaluated", TRAIN, noise=0.3),
        "shipped": bundle_of(at / "shipped", ROWS, noise=0.1),
        "incumbent": bundle_of(at / "incumbent", TRAIN, noise=1.0, seed=2),
        "train": save_ratings(at / "train", TRAIN),
        "holdout": save_ratings(at / "holdout", HOLDOUT),
    }


@pytest.fixture(scope="module")
def found(folders):
    return evaluate_recommender(**folders, seed=5)


@pytest.fixture(scope="module")
def forecast(tmp_path_factory) -> Path:
    early = ROWS.take(~LATER)
    return bundle_of(tmp_path_factory.mktemp("early") / "forecast", early, noise=0.6, seed=3)


def test_it_is_json_without_nan(found):
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    titles = len(set(HOLDOUT.movie_ids.tolist()))
    assert found["holdout"] == {"rows": len(HOLDOUT), "people": 50, "titles": titles}


def test_errors_are_those_of_the_rows(found, folders):
    model = Recommender.load(folders["evaluated"])
    squares = [
        (model.predict(np.array([u]), np.array([m])).values[0] - r) ** 2
        for u, m, r in zip(HOLDOUT.user_ids, HOLDOUT.movie_ids, HOLDOUT.values)
    ]
    assert found["metrics"]["rmse"] == pytest.approx(math.sqrt(sum(squares) / len(squares)))
    assert 0.1 < found["metrics"]["rmse"] < 0.5
    assert found["metrics"]["answered"] == found["metrics"]["coverage"] == 1.0


def slow_ndcg(model: Recommender, least: float) -> float:
    values = []
    for user in np.unique(HOLDOUT.user_ids).tolist():
        own = HOLDOUT.user_ids == user
        liked = set(HOLDOUT.movie_ids[own & (HOLDOUT.values >= least)].tolist())
        if liked:
            asked = int(HOLDOUT.times[own].min())
            ranked = [r.movie_id for r in model.recommend(user, 10, at=asked)]
            gains = [1 / math.log2(i + 2) for i, m in enumerate(ranked) if m in liked]
            ideal = sum(1 / math.log2(i + 2) for i in range(min(10, len(liked))))
            values.append(sum(gains) / ideal)
    return sum(values) / len(values)


@pytest.mark.parametrize(("name", "least"), [("ndcg@10", LIKED), ("ndcg@10_any", 0.0)])
def test_ranking_is_that_of_recommend(found, folders, name, least):
    model = Recommender.load(folders["evaluated"])
    assert found["metrics"][name] == pytest.approx(slow_ndcg(model, least))
    assert found["metrics"][name] > 0.1


def test_segments_add_up_to_the_whole(found):
    segments = found["metrics"]["segments"]
    for one, two in (("cold people", "warm people"), ("rare titles", "popular titles")):
        pair = [segments[name] for name in (one, two) if name in segments]
        assert sum(p["rows"] for p in pair) == len(HOLDOUT)
        squares = sum(p["rmse"] ** 2 * p["rows"] for p in pair)
        assert math.sqrt(squares / len(HOLDOUT)) == pytest.approx(found["metrics"]["rmse"])


def test_comparisons_are_of_the_same_people(found):
    versus = found["versus"]
    for other, name in (
        ("bias", "rmse"),
        ("popularity", "ndcg@10"),
        ("popularity_lately", "ndcg@10"),
    ):
        assert versus[other][name]["challenger"] == pytest.approx(found["metrics"][name])
        assert versus[other][name]["other"] == pytest.approx(found["baselines"][other][name])
    assert versus["champion"]["rmse"]["upper95"] < 0 < versus["champion"]["ndcg@10"]["lower95"]
    assert versus["bias"]["rmse"]["units"] == "people"


def test_without_an_incumbent_there_is_no_comparison(folders):
    found = evaluate_recommender(**(folders | {"incumbent": None}), seed=5)
    assert found["versus"]["champion"] is None


def test_the_forecast_is_of_everybodys_later_ratings(forecast):
    later, model = ROWS.take(LATER), Recommender.load(forecast)
    answers = model.predict(later.user_ids, later.movie_ids)
    errors = answers.values - later.values
    found = evaluate_forecast(forecast, ROWS, seed=5)
    assert found["rows"] == len(later) and found["since"] == later.times.min()
    assert found["metrics"]["rmse"] == pytest.approx(math.sqrt(float((errors**2).mean())))
    assert found["metrics"]["coverage"] == float((answers.strategies == "personal").mean())
    versus = found["versus"]
    assert versus["bias"]["rmse"]["challenger"] == pytest.approx(found["metrics"]["rmse"])
    assert versus["popularity"]["ndcg@10"]["challenger"] == pytest.approx(
        found["metrics"]["ndcg@10"]
    )


def test_without_later_rows_there_is_no_forecast(forecast):
    at_once = ROWS.take(ROWS.times == ROWS.times[0])
    assert evaluate_forecast(forecast, at_once, seed=5) is None


def test_the_shipped_bundle_is_loaded_and_scored(found):
    shipped = found["shipped"]
    assert (shipped["loads"], shipped["why"]) == (True, "")
    assert shipped["error_on_holdout"] < shipped["error_evaluated"] == found["metrics"]["rmse"]


def test_a_broken_shipped_bundle_is_an_answer(folders, tmp_path):
    found = evaluate_recommender(**(folders | {"shipped": tmp_path}), seed=5)
    assert found["shipped"]["loads"] is False
    assert "bundle.json" in found["shipped"]["why"]
    assert found["shipped"]["error_on_holdout"] is None


def test_people_and_titles_the_fit_never_saw_are_answered(folders, tmp_path):
    with_unknown_person = Ratings(
        *(np.append(c, v) for c, v in zip(vars(HOLDOUT).values(), (999, 1, 4.0, 5)))
    )
    with_unknown_title = Ratings(
        *(np.append(c, v) for c, v in zip(vars(with_unknown_person).values(), (1, 999, 4.0, 5)))
    )
    folder = save_ratings(tmp_path / "holdout", with_unknown_title)
    found = evaluate_recommender(**(folders | {"holdout": folder}), seed=5)
    assert found["metrics"]["answered"] == 1.0
    assert found["metrics"]["coverage"] == pytest.approx(len(HOLDOUT) / (len(HOLDOUT) + 2))


def test_nothing_held_out_is_refused(folders, tmp_path):
    empty = save_ratings(tmp_path / "none", HOLDOUT.take(np.zeros(len(HOLDOUT), dtype=bool)))
    with pytest.raises(ContractError, match="0 of holdout"):
        evaluate_recommender(**(folders | {"holdout": empty}), seed=5)
    with pytest.raises(ContractError, match="holds no ratings"):
        read_ratings(tmp_path / "nowhere")


def test_a_torn_evaluated_bundle_is_refused(folders, tmp_path):
    with pytest.raises(BundleError):
        evaluate_recommender(**(folders | {"evaluated": tmp_path}), seed=5)
