"""What the evaluation adds for a reader: segments, calibration, intervals, sample people."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scoring.evaluation_blocks import (
    calibration_by_decile,
    calibration_by_half_star,
    shares_of_stars,
)
from scoring.recommender.holdout import LIKED, HoldoutSplit
from scoring.recommender.holdout_evaluation import measure
from scoring.recommender.model import Recommender
from tests.scoring.test_holdout_evaluation import HOLDOUT, TRAIN, bundle_of

SPLIT = HoldoutSplit.of(TRAIN, HOLDOUT)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Recommender:
    folder: Path = tmp_path_factory.mktemp("details")
    return Recommender.load(bundle_of(folder / "b", TRAIN, noise=0.6))


@pytest.fixture(scope="module")
def found(model: Recommender) -> dict[str, Any]:
    return measure(model, SPLIT, 5, None)


@pytest.mark.parametrize("by", ["people", "titles"])
def test_segments_hold_every_row_once_and_add_up(found: dict[str, Any], by: str) -> None:
    segments = [segment for segment in found["segments"] if segment["by"] == by]
    assert sum(segment["rows"] for segment in segments) == len(HOLDOUT)
    for metric, whole in (("rmse", found["metrics"]), ("bias", found["baselines"]["bias"])):
        squares = sum(segment[metric] ** 2 * segment["rows"] for segment in segments)
        assert math.sqrt(squares / len(HOLDOUT)) == pytest.approx(whole["rmse"])
    for segment in segments:
        assert segment["interval"][0] <= segment["rmse"] <= segment["interval"][1]
        assert segment["below"] is None or segment["from"] < segment["below"]


def test_a_figures_interval_holds_it(found: dict[str, Any]) -> None:
    for name in ("rmse", "ndcg@10"):
        low, high = found["intervals"][name]
        assert low < found["metrics"][name] < high


def test_calibration_counts_every_row(found: dict[str, Any]) -> None:
    groups = found["calibration"]
    assert sum(g["rows"] for g in groups) == len(HOLDOUT)
    mean = sum(g["rows"] * g["actual"] for g in groups) / len(HOLDOUT)
    assert mean == pytest.approx(HOLDOUT.values.mean())
    assert [g["predicted"] for g in groups] == sorted(g["predicted"] for g in groups)
    assert sum(found["stars"]["actual"].values()) == pytest.approx(1.0)


def test_calibration_by_hand() -> None:
    predicted, actual = np.array([3.1, 2.9, 4.0]), np.array([3.0, 4.0, 5.0])
    first, second = calibration_by_half_star(predicted, actual)
    assert (first["rows"], first["predicted"], first["actual"]) == (2, pytest.approx(3.0), 3.5)
    assert first["middle_half"] == [3.25, 3.75] and second["rows"] == 1
    tenths = calibration_by_decile(np.arange(100.0), np.arange(100.0))
    assert [g["rows"] for g in tenths] == [10] * 10 and tenths[0]["predicted"] == 4.5
    assert len(calibration_by_decile(predicted, actual)) == 3
    assert shares_of_stars(np.array([3.0, 3.0, 4.4, 4.5])) == {"3": 0.5, "4.5": 0.5}


def test_twenty_people_from_the_shortest_history_to_the_longest(found: dict[str, Any]) -> None:
    people = found["people"]
    ids = [person["user_id"] for person in people]
    assert len(set(ids)) == 20 and set(ids) <= set(SPLIT.people.tolist())
    lengths = [int((TRAIN.user_ids == user).sum()) for user in ids]
    assert lengths == sorted(lengths) == [person["rated"] for person in people]


def test_what_a_person_is_shown_is_theirs(found: dict[str, Any], model: Recommender) -> None:
    hits = 0
    for person in found["people"]:
        own = HOLDOUT.user_ids == person["user_id"]
        later = dict(zip(HOLDOUT.movie_ids[own].tolist(), HOLDOUT.values[own].tolist()))
        past = model.ratings_of(person["user_id"])
        asked = int(HOLDOUT.times[own].min())
        assert person["held_out"] == len(later)
        assert person["liked"] == sum(stars >= LIKED for stars in later.values())
        later_stars = [(title["movie_id"], title["stars"]) for title in person["recommended"]]
        assert [movie for movie, _ in later_stars] == [
            r.movie_id for r in model.recommend(person["user_id"], 10, at=asked)
        ]
        assert all(stars == later.get(movie) for movie, stars in later_stars)
        assert [t["stars"] for t in person["past"]] == sorted(past.values(), reverse=True)[:6]
        hits += sum(stars is not None for _, stars in later_stars)
    assert hits > 0


def test_another_seed_shows_other_people(model: Recommender, found: dict[str, Any]) -> None:
    again = measure(model, SPLIT, 5, None)
    assert again == found
    other = measure(model, SPLIT, 6, None)["people"]
    assert [p["user_id"] for p in other] != [p["user_id"] for p in found["people"]]
