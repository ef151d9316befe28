"""Every field of a budget request, over real HTTP and from a wide bundle."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest
from serving_bundles import promote_folder

from marquee.lake import Lake
from scoring.budget.bundle import BudgetBundle, write_bundle
from scoring.budget.features import (
    ALL_BEFORE_RELEASE,
    ALL_KNOWN,
    BEFORE_RELEASE,
    QUESTIONS,
    RECORD_FEATURES,
    WITH_RATING,
    FeatureEncoder,
    FieldCosts,
    KnownTitle,
)
from scoring.budget.predictor import Predictor
from serving.backend import Backend

LABELS = {"certificate": ("PG", "R"), "country": ("US",), "language": ("en",), "month": ("07",)}
ENCODER = FeatureEncoder(
    ("Drama",), 1990, 2030, 1.0, 0.0, RECORD_FEATURES,
    ("cast", "company", "keyword", "writer"), ("runtime", "vote_count"), LABELS,
)  # fmt: skip
EFFECTS = {"cast_most": 1.0, "runtime": 0.001, "certificate R": 0.1, "country US": 0.2,
           "language en": 0.05, "month 07": 0.3, "rating": 0.1, "writer_most": 0.5,
           "company_most": 0.25, "keyword_most": 0.125, "vote_count": 0.01}  # fmt: skip
COSTS = FieldCosts({"cast": 1.2, "month": 1.05, "company": 0.99, "rating": 1.1})
KNOWN = KnownTitle(
    "tt1", "A Known Film", 2001, ("nm1",), ("Ada Vogel",), ("Drama",), 7.0, 7.2, 0.4,
    {"cast": ("nm2",), "writer": ("nm3",), "company": ("big studio",), "keyword": ("heist",)},
    {}, {}, {"nm2": "Cy Öne", "nm3": "Di Two"},
)  # fmt: skip
WHOLE = {
    "directors": ["Ada Vogel"], "genres": ["Drama"], "release_date": "2027-07-14",
    "cast": ["cy one"], "writers": ["nm3"], "companies": ["Big  Studio"], "keywords": ["HEIST"],
    "countries": ["USA", "France"], "languages": ["English"], "runtime": 100, "certificate": "R",
}  # fmt: skip


@pytest.fixture
def client(
    lake: Lake, backend: Backend, tmp_path: Path, serve: Callable[[Backend], httpx.Client]
) -> httpx.Client:
    fits = {question: predictor(question) for question in QUESTIONS}
    query = {"directors": [], "genres": [], "year": 2020, "rating": None}
    golden = query | {"question": BEFORE_RELEASE, "log10": 7.0}
    facts = {"price_year": 2025, "as_of": "2026-01-04T03:00:00Z", "recipe": {"name": "wide"}}
    whole = BudgetBundle(ENCODER, fits, (KNOWN,), facts, {"tolerance": 1e-9, "queries": [golden]})
    promote_folder(lake, "budget", write_bundle(tmp_path / "made", whole))
    backend.budget.poll()
    backend.recommender.poll()
    return serve(backend)


def predictor(question: str) -> Predictor:
    """A linear fit with EFFECTS; what is missing counts as 0."""
    names = ENCODER.names(question)
    weights = np.array([EFFECTS.get(name, 0.0) for name in names])
    return Predictor(1.0, 7.0, weights, None, np.zeros(len(names)), (-0.2, 0.2), costs=COSTS)


def answer(client: httpx.Client, facts: dict) -> dict:
    response = client.post("/v1/budget-estimates", json=facts)
    assert response.status_code == 200, response.text
    body: dict = response.json()
    return body


def test_every_field_counts_by_name_or_id(client: httpx.Client) -> None:
    body = answer(client, WHOLE)
    assert body["strategy"] == ALL_BEFORE_RELEASE
    people = 0.4 * (1.0 + 0.5 + 0.25 + 0.125)
    words = 0.1 + 0.1 + 0.2 + 0.05 + 0.3  # running time, certificate, country, language, month
    assert math.log10(body["median"]) == pytest.approx(7.0 + people + words)
    assert body["notes"] == []
    assert body["missing"] == [{"field": "rating", "error_ratio": 1.1}]


@pytest.mark.parametrize(
    ("facts", "question"),
    [
        ({"year": 2027}, BEFORE_RELEASE),
        ({"year": 2027, "rating": 7.0}, WITH_RATING),
        ({"year": 2027, "cast": ["nm2"]}, ALL_BEFORE_RELEASE),
        ({"release_date": "2027-07"}, ALL_BEFORE_RELEASE),
        ({"year": 2027, "certificate": "R", "rating": 7.0}, ALL_KNOWN),
        ({"year": 2027, "vote_count": 900, "rating": 7.0}, ALL_KNOWN),
    ],
)
def test_the_answer_says_which_question_it_answered(
    client: httpx.Client, facts: dict, question: str
) -> None:
    assert answer(client, facts)["strategy"] == question


def test_missing_fields_are_listed_and_widen_the_interval(client: httpx.Client) -> None:
    poor = {k: v for k, v in WHOLE.items() if k not in ("cast", "companies")}
    body, whole = answer(client, poor), answer(client, WHOLE)
    ratios = {one["field"]: one["error_ratio"] for one in body["missing"]}
    assert ratios == {"cast": 1.2, "rating": 1.1, "companies": 0.99}
    assert list(ratios) == ["cast", "rating", "companies"]  # the most costly first
    assert body["high"] / body["low"] == pytest.approx((whole["high"] / whole["low"]) ** 1.2)
    assert "missing, taken as typical: cast, company" in body["notes"]


def test_unknown_names_and_words_are_noted(client: httpx.Client) -> None:
    strange = {"cast": ["A. Stranger"], "certificate": "Puppets", "languages": ["Old Elvish"]}
    body = answer(client, {"year": 2027, **strange})
    notes = " ".join(body["notes"])
    assert "cast without a film in training: a. stranger" in notes
    assert "certificate Puppets is rare or not seen" in notes and "Old Elvish" in notes


@pytest.mark.parametrize(
    "facts",
    [
        {"cast": ["x"] * 51},
        {"keywords": ["x" * 201]},
        {"writers": [""]},
        {"runtime": 0},
        {"runtime": 5000},
        {"vote_count": -1},
        {"release_date": "2027-13-01"},
        {"release_date": "soon"},
        {"release_date": "2026-07"},
        {"certificate": ""},
    ],
)
def test_fields_that_cannot_be_are_refused(client: httpx.Client, facts: dict) -> None:
    response = client.post("/v1/budget-estimates", json={"year": 2027, **facts})
    assert response.status_code == 422, response.text
    assert response.json()["detail"]


def test_the_form_asks_what_the_bundle_reads(client: httpx.Client) -> None:
    page = client.get("/").text
    for name in ("cast", "writers", "companies", "keywords", "languages", "countries"):
        assert f'name="{name}"' in page
    assert "<option>PG</option>" in page and 'name="runtime"' in page
