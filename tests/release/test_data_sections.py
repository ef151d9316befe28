"""The report's sections on data: tests of independence, summaries and drift, as pictures."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from release_examples import budget_evaluation
from test_model_page import CARD, tags, verdict_on

from report.charts import WIDTH, drift_chart, spread
from report.data_sections import statistics
from report.model_page import model_report

SUMMARY = {"count": 300, "mean": 6.2, "std": 0.8, "min": 1.0, "max": 9.9}
GENRES = [
    {"word": "Action", "statistic": 48.0, "df": 3, "p": 1e-9},
    {"word": "Drama", "statistic": 3.0, "df": 3, "p": 0.39},
    {"word": "War", "statistic": 8.5, "df": 3, "p": 0.037},
]

DECADES = [
    {"word": "1960", "statistic": 1.0, "df": 3, "p": 0.8},
    {"word": "2000", "statistic": 27.0, "df": 3, "p": 6e-6},
]


def page_of(figures: Any = (), **changes: Any) -> str:
    evaluation = budget_evaluation() | changes
    page = model_report(verdict_on(evaluation, "budget"), evaluation, CARD, figures=figures)
    assert tags(page)["section"] >= 3
    return page


def week(as_of: str, drift: Any) -> dict[str, Any]:
    return {
        "as_of": as_of,
        "with_budget": 300,
        "numbers": {"rating": SUMMARY, "runtime": {"count": 0}},
        "chi_square": {"genres": GENRES, "directors": [], "decades": DECADES},
        "drift": drift,
    }


WEEKS = [
    week("2026-10-18T03:00:00Z", None),
    week("2026-10-25T03:00:00Z", {"decade": 0.05, "genre": 0.15}),
    week("2026-11-01T03:00:00Z", {"decade": 0.25, "genre": 0.02}),
]


def test_genres_are_shown_by_their_strength_and_chance_is_counted_over_all_tests() -> None:
    found = statistics(WEEKS)
    assert found is not None
    rows = found.associations["genres"]
    assert [row.name for row in rows] == ["Action", "War", "Drama"]
    # The root of 48 / 300; with five tests, a p of 0.037 is not beyond chance.
    assert [row.strength for row in rows] == ["0.40", "0.17", "0.10"]
    assert [row.is_certain for row in rows] == [True, False, False]
    assert rows[0].bar.length == WIDTH and rows[0].chance == "under 0.001"
    assert [(row.name, row.strength) for row in found.associations["decades"]] == [
        ("2000", "0.30"),
        ("1960", "0.06"),
    ]


def test_a_number_is_drawn_between_its_least_and_greatest() -> None:
    found = statistics(WEEKS)
    assert found is not None and [n.name for n in found.numbers] == ["rating"]
    picture = found.numbers[0].picture
    assert picture is not None and 6.0 < picture.start < picture.point < picture.end < WIDTH - 6.0
    assert spread(5.0, 1.0, 6.0, 9.0) is None and spread(None, 1.0, 0.0, 9.0) is None


def test_drift_is_drawn_run_by_run() -> None:
    found = statistics(WEEKS)
    assert found is not None and found.drift is not None
    assert found.drift.runs == ["2026-10-25", "2026-11-01"]
    decade, genre = found.drift.lines
    assert (decade.name, decade.last, decade.tone) == ("decade", "0.2500", "worse")
    assert (genre.last, genre.tone) == ("0.0200", "better")
    assert decade.dots[0][1] > decade.dots[1][1] and len(decade.dots) == 2
    assert drift_chart(["2026-11-01"], {"decade": [None]}) is None


def test_the_page_shows_them_and_one_without_figures_goes_without() -> None:
    page = page_of(figures=WEEKS)
    for expected in (
        'id="statistics"',
        "Action",
        "0.40",
        "budget: decades",
        "<polyline",
        "Drift, run by run",
    ):
        assert expected in page
    assert 'id="statistics"' not in page_of(figures=())


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
KEYS = ("as_of", "with_budget", "numbers", "chi_square", "drift")


@given(st.lists(st.dictionaries(st.sampled_from(KEYS), VALUES), max_size=3))
def test_whatever_an_earlier_run_wrote_there_is_a_page(figures: list[Any]) -> None:
    assert "</html>" in page_of(figures=figures)


@pytest.mark.parametrize("beside", [None, [], {"talk": None}, {"talk": {"log_rmse": {}}}])
def test_a_damaged_recipe_beside_is_no_error(beside: Any) -> None:
    assert "</html>" in page_of(beside=beside)


def test_a_recipe_beside_the_model_is_compared_in_the_report() -> None:
    comparison = {
        "challenger": 0.41,
        "other": 0.52,
        "difference": -0.11,
        "interval": [-0.15, -0.07],
        "upper95": -0.08,
    }
    page = page_of(beside={"talk": {"log_rmse": comparison}})
    assert "the recipe talk" in page and "0.5200" in page
