"""Chains of stages and curves in a bundle: written and read alike, damage named, parts add up."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from handmade_bundle import bundle

from marquee.errors import BundleError
from scoring.budget.bundle import BudgetBundle, read_bundle, write_bundle
from scoring.budget.features import BEFORE_RELEASE, WITH_RATING
from scoring.budget.model import BudgetModel, BudgetQuery
from scoring.budget.predictor import Predictor
from scoring.budget.spark_stages import (
    Binary,
    Buckets,
    Curve,
    Grams,
    Hashed,
    Indexer,
    Isotonic,
    Linked,
    OneHot,
    Scale,
    Vectors,
)
from scoring.budget.stage_chain import StageChain, Step, chain_json, read_chain

STEPS = (
    Step(("director",), "director_index", Indexer(("nm1", "nm2"))),
    Step(("director_index",), "director_vector", OneHot(2, drop_last=True, keeps_invalid=True)),
    Step(("rating",), "bucket", Buckets((-math.inf, 5.0, 7.0, math.inf))),
    Step(("year",), "late", Binary(2000.5)),
    Step(("genres",), "pairs", Grams(2)),
    Step(("pairs",), "hashed", Hashed(4, is_binary=False)),
    Step(("cast",), "meaning", Vectors({"nm7": np.array([1.0, -1.0])}, 2)),
    Step(
        ("year", "rating"),
        "scaled",
        Scale(np.array([2000.0, 6.0]), np.array([0.1, 1.0]), np.zeros(2)),
    ),
)
FEATURES = ("director_vector", "bucket", "late", "hashed", "meaning", "scaled")
CHAIN = StageChain({"rating": 6.5, "year": 2000.0}, STEPS, FEATURES)
FIELDS = {"director": "nm2", "year": 2010.0, "rating": 8.0, "genres": ["War", "Drama", "Action"]}


def test_a_chain_is_worked_out_by_hand() -> None:
    found = CHAIN.vector(FIELDS | {"cast": ["nm7", "nm9"]})
    assert found[:4].tolist() == [0.0, 1.0, 2.0, 1.0]  # the second director, bucket 2, late
    assert found[4:8].sum() == 2.0  # two pairs of genres
    assert found[8:].tolist() == [0.5, -0.5, 1.0, 2.0]  # half of nm7; the scaled numbers
    assert CHAIN.names[:2] == ["director_vector 0", "director_vector 1"]
    assert CHAIN.groups[:4] == ["director", "director", "rating", "year"]
    assert CHAIN.groups[4:] == ["genres"] * 4 + ["cast"] * 2 + ["year", "rating"]


def test_what_is_missing_is_typical_and_what_is_unseen_is_nothing() -> None:
    found = CHAIN.vector({"director": "nm99"})
    assert found[:4].tolist() == [0.0, 0.0, 1.0, 0.0] and found[-2:].tolist() == [0.0, 0.5]
    assert CHAIN.missing({"director": "nm99", "year": 2001.0}) == ["rating", "genres", "cast"]


def test_a_chain_is_read_as_it_was_written() -> None:
    text = json.dumps(chain_json(CHAIN), allow_nan=False)
    again = read_chain(json.loads(text))
    fields = FIELDS | {"cast": ["nm7"]}
    assert np.array_equal(again.vector(fields), CHAIN.vector(fields))
    assert again.names == CHAIN.names and json.dumps(chain_json(again)) == text


def staged(*curves: Curve) -> BudgetBundle:
    """A bundle whose questions read the chain; linear in its features, with curves beside."""
    plain = bundle()
    width = len(CHAIN.names)
    fits = {
        question: Predictor(
            linear_share=0.5,
            intercept=6.0,
            coefficients=np.linspace(-0.1, 0.2, width),
            trees=None,
            means=np.full(width, 0.25),
            residuals=(-0.2, 0.3),
            tree_share=0.0,
            curves=tuple((0.5 / len(curves), curve) for curve in curves),
        )
        for question in (WITH_RATING, BEFORE_RELEASE)
    }
    chains = dict.fromkeys(fits, CHAIN)
    return replace(plain, encoder=replace(plain.encoder, chains=chains), predictors=fits)


WIDTH = len(CHAIN.names)
LOG = Linked(np.linspace(0.0, 0.02, WIDTH), 2.0, "log")
STEADY = Isotonic(WIDTH - 2, np.array([-1.0, 0.0, 1.0]), np.array([6.0, 7.0, 7.5]))
QUERY = BudgetQuery(("nm2",), ("Drama",), 2003, 7.5)


def test_a_bundle_with_stages_and_curves_answers_as_before_it_was_written(tmp_path: Path) -> None:
    before = BudgetModel(staged(LOG, STEADY))
    write_bundle(tmp_path, before.bundle)
    after = BudgetModel.load(tmp_path)
    assert json.loads((tmp_path / "bundle.json").read_text())["format"] == 3
    ours, again = before.estimate(QUERY), after.estimate(QUERY)
    assert ours.median == again.median and ours.contributions == again.contributions
    assert sum(ours.contributions.values()) == pytest.approx(math.log10(ours.median), abs=1e-12)
    assert set(ours.contributions) == {
        "a typical film", "director", "rating", "year", "genres", "cast"
    }  # fmt: skip
    assert "missing, taken as typical: cast" in ours.notes


@pytest.mark.parametrize("curve", [LOG, STEADY, replace(LOG, link="inverse")])
def test_contributions_of_a_curve_add_up(curve: Curve) -> None:
    row, means = np.linspace(-1.0, 2.0, WIDTH), np.full(WIDTH, 0.1)
    base, parts = curve.contributions(row, means)
    assert base + parts.sum() == pytest.approx(curve.predict(row[None, :])[0], abs=1e-12)
    assert parts.any() and curve.contributions(means, means)[1].tolist() == [0.0] * WIDTH


DAMAGE: dict[str, Any] = {
    "an unknown stage": lambda facts: steps(facts)[0].update(stage="Riddle"),
    "an input that nobody makes": lambda facts: steps(facts)[0].update(inputs=["budget"]),
    "a stage with a key too many": lambda facts: steps(facts)[2]["fitted"].update(odd=1),
    "another link": lambda facts: curve(facts, 0).update(link="probit"),
    "a curve of another width": lambda facts: curve(facts, 0).update(coefficients=[1.0]),
    "a curve of no feature": lambda facts: curve(facts, 1).update(feature=99),
    "boundaries without values": lambda facts: curve(facts, 1).update(values=[]),
}


def steps(facts: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = facts["stages"]["chains"][BEFORE_RELEASE]["steps"]
    return found


def curve(facts: dict[str, Any], number: int) -> dict[str, Any]:
    found: dict[str, Any] = facts["questions"][BEFORE_RELEASE]["curves"][number][1]
    return found


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_an_error_with_a_name(tmp_path: Path, what: str) -> None:
    write_bundle(tmp_path, staged(LOG, STEADY))
    facts = json.loads((tmp_path / "bundle.json").read_text())
    DAMAGE[what](facts)
    (tmp_path / "bundle.json").write_text(json.dumps(facts))
    with pytest.raises(BundleError, match=r"bundle.json is not complete"):
        read_bundle(tmp_path)
