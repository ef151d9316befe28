"""Golden probabilities of stars: recorded without the scorer's code, repeated by it, and broken by
any other number."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scoring.recommender.bundle import RecommenderBundle
from scoring.recommender.holdout import last_share
from scoring.recommender.model import Recommender
from scoring.recommender.rating_intervals import COLUMNS
from spark_apps.recommender.recipes import read_recipe
from spark_apps.recommender.trainer import Trainer
from tests.plugins.spark_session import spark  # noqa: F401
from tests.scoring.made_up import make_ratings
from tests.spark_recommender.made_up import RECIPE

ROWS = make_ratings(60, 40)
LATE = last_share(ROWS)


@pytest.fixture(scope="module")
def bundle(spark, tmp_path_factory) -> RecommenderBundle:  # noqa: F811
    """The shipped fit of a training job: its intervals come from an earlier fit and its holdout."""
    folder: Path = tmp_path_factory.mktemp("intervals")
    recipe, trainer = read_recipe(RECIPE), Trainer(spark, {}, (0.5, 5.0), "x", seed=7)
    trainer.fit_bundle(ROWS.take(~LATE), recipe, 0.5, folder / "evaluated")
    assert Recommender.load(folder / "evaluated").intervals is None
    calibrated = trainer.with_intervals(folder / "evaluated", ROWS.take(LATE))
    calibrated.going_on().fit(ROWS, recipe, 0.5, folder)
    return Recommender.load(folder / "bundle").bundle


def failures(changed: RecommenderBundle) -> list[str]:
    found = Recommender(changed).check_golden().failures
    assert all(query.startswith("interval") for query in found)
    return list(found)


def test_the_scorer_repeats_the_probabilities(bundle: RecommenderBundle) -> None:
    assert failures(bundle) == []
    recorded = bundle.golden["intervals"]
    assert len(recorded) == 10 and bundle.title_stars.sum() == len(ROWS)
    assert all(sum(q["shares"]) == pytest.approx(1.0) for q in recorded)
    assert max(max(q["shares"]) for q in recorded) > 0.3


@pytest.mark.parametrize("column", [c for c in COLUMNS if c != "everybody_unknown"])
def test_another_weight_is_seen(bundle: RecommenderBundle, column: str) -> None:
    facts: Any = copy.deepcopy(dict(bundle.facts))
    facts["intervals"]["weights"][column] += 0.1
    assert failures(replace(bundle, facts=facts))


@pytest.mark.parametrize("name", ["shares", "levels", "priors"])
def test_another_number_is_seen(bundle: RecommenderBundle, name: str) -> None:
    facts: Any = copy.deepcopy(dict(bundle.facts))
    facts["intervals"][name][0] *= 0.9
    assert failures(replace(bundle, facts=facts))


def test_other_counts_of_titles_and_no_intervals_are_seen(bundle: RecommenderBundle) -> None:
    turned = np.array(bundle.title_stars[:, ::-1])
    assert failures(replace(bundle, title_stars=turned))
    without = {k: v for k, v in bundle.facts.items() if k != "intervals"}
    assert len(failures(replace(bundle, facts=without, title_stars=None))) == 10
