"""A query is read by its question's chain: names, missing fields, costs, interval and evidence."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from handmade_bundle import TITLES, bundle

from scoring.budget.bundle import BudgetBundle
from scoring.budget.features import BEFORE_RELEASE, NO_COSTS, FieldCosts
from scoring.budget.lookup import ChainLayout, VectorLayout, layout_of
from scoring.budget.model import BudgetEstimate, BudgetModel, BudgetQuery
from scoring.budget.predictor import ErrorSpread, Predictor
from scoring.budget.spark_stages import Hashed, Indexer, OneHot, Vectors
from scoring.budget.stage_chain import StageChain, Step

CHAIN = StageChain(
    {"runtime": 100.0},
    (
        Step(("director",), "director_index", Indexer(("nm0000001", "bo zell"))),
        Step(("director_index",), "director_vector", OneHot(2, False, keeps_invalid=True)),
        Step(("certificate",), "certificate_index", Indexer(("PG", "R"))),
        Step(("cast",), "meaning", Vectors({"nm7": np.array([0.5]), "nm8": np.array([-0.5])}, 1)),
        Step(("companies",), "hashed", Hashed(1, is_binary=False)),
    ),
    ("director_vector", "certificate_index", "meaning", "hashed", "runtime"),
)
WEIGHTS = np.array([0.3, 0.1, 0.0, 0.05, 1.0, 0.2, 0.001])
NAMED = replace(TITLES[1], people={"cast": ("nm7",), "company": ("big studio",)})
CREDITED = replace(NAMED, names={"nm7": "Cy Öne"})
WHOLE = BudgetQuery(
    ("Ada Lane",),
    ("Drama",),
    2003,
    people={"cast": ("cy one",), "company": ("Big  Studio", "BIG STUDIO")},
    numbers={"runtime": 120.0},
    labels={"certificate": "R"},
)
POOR = BudgetQuery(("Ada Lane",), ("Drama",), 2003)


def staged(costs: FieldCosts = NO_COSTS, spread: ErrorSpread | None = None) -> BudgetBundle:
    """A bundle that answers one question, from the chain and linear in its features."""
    plain = bundle()
    fit = Predictor(1.0, 7.0, WEIGHTS, None, np.zeros(len(WEIGHTS)), (-0.2, 0.3), costs=costs)
    fit = replace(fit, spread=spread) if spread else fit
    encoder = replace(plain.encoder, chains={BEFORE_RELEASE: CHAIN})
    titles = (TITLES[0], CREDITED, *TITLES[2:])
    return replace(plain, encoder=encoder, predictors={BEFORE_RELEASE: fit}, titles=titles)


def width(found: BudgetEstimate) -> float:
    return math.log10(found.high / found.low)


def test_the_layout_is_the_chain_where_there_is_one() -> None:
    encoder = staged().encoder
    found = layout_of(encoder, BEFORE_RELEASE)
    assert isinstance(found, ChainLayout) and found.roles == ("director", "cast", "company")
    assert found.fields == ("director", "certificate", "cast", "company", "runtime")
    assert found.words == {"certificate": ("PG", "R")}
    assert isinstance(layout_of(replace(encoder, chains={}), BEFORE_RELEASE), VectorLayout)


def test_people_count_by_name_or_id_and_once() -> None:
    model = BudgetModel(staged())
    assert model.features(WHOLE).tolist() == [1.0, 0.0, 0.0, 1.0, 0.5, 1.0, 120.0]
    by_id = replace(WHOLE, directors=("nm0000001",), people={**WHOLE.people, "cast": ("nm7",)})
    assert model.log_estimates([by_id]).tolist() == model.log_estimates([WHOLE]).tolist()


def test_the_parts_are_the_fields_and_add_up() -> None:
    found = BudgetModel(staged()).estimate(WHOLE)
    parts = {"director": 0.3, "certificate": 0.05, "cast": 0.5, "companies": 0.2, "runtime": 0.12}
    expected = {"a typical film": 7.0, **parts, "year": 0.0}
    assert found.contributions == pytest.approx(expected)
    assert math.log10(found.median) == pytest.approx(sum(expected.values()))


def test_a_field_without_a_cost_is_noted_and_widens_nothing() -> None:
    model = BudgetModel(staged())
    poor, whole = model.estimate(POOR), model.estimate(WHOLE)
    assert "missing, taken as typical: certificate, cast, company, runtime" in poor.notes
    assert poor.missing == {} and width(poor) == pytest.approx(width(whole))
    assert not any("typical" in note for note in whole.notes)


def test_a_known_cost_is_listed_and_widens_the_interval() -> None:
    model = BudgetModel(staged(FieldCosts({"company": 1.5, "rating": 1.2})))
    poor, whole = model.estimate(POOR), model.estimate(WHOLE)
    assert poor.missing == {"company": 1.5, "rating": 1.2} and whole.missing == {"rating": 1.2}
    assert width(poor) == pytest.approx(1.5 * width(whole))


def test_a_beginner_has_a_wider_interval_and_what_is_unseen_is_noted() -> None:
    model = BudgetModel(staged(spread=ErrorSpread(0.5, 0.0, 0.4, 7.0)))
    people = {"cast": ("A. Stranger",), "company": ("big studio",)}
    strange = replace(WHOLE, directors=("Nobody",), people=people, labels={"certificate": "X"})
    found, known = model.estimate(strange), model.estimate(WHOLE)
    assert width(found) == pytest.approx(math.exp(0.4) * width(known))
    assert "director Nobody has no film in training" in found.notes
    assert "cast without a film in training: a. stranger" in found.notes
    assert "certificate X is rare or not seen in training" in found.notes


def test_the_nearest_titles_are_those_of_a_model_without_a_chain() -> None:
    ours = BudgetModel(staged()).estimate(WHOLE).evidence
    plain = BudgetModel(bundle()).estimate(POOR).evidence
    assert ours and [t.title_id for t in ours] == [t.title_id for t in plain]
