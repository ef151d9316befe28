"""The report's section on the intervals of predicted ratings, and its warning."""

from __future__ import annotations

from typing import Any

from release_examples import recommender_evaluation
from test_model_page import CARD, FULL, plain, tags, verdict_on

from marquee.artefacts.model_card import Forecast
from report.model_page import insert_forecast, model_report
from report.shared_sections import rating_intervals

FOUND: dict[str, Any] = {
    "nominal": 0.8,
    "rows": 600,
    "coverage": 0.82,
    "width": 1.5,
    "one_width": 2.1,
    "one_width_whole": 1.65,
    "known": 0.82,
    "strangers": None,
    "people": [
        {"from": 4, "to": 16, "rows": 200, "coverage": 0.79},
        {"from": 17, "to": 90, "rows": 400, "coverage": 0.835},
    ],
    "titles": [{"from": 0, "to": 3, "rows": 600, "coverage": 0.82}],
}


def test_the_sentence_has_coverage_width_and_one_width_for_all() -> None:
    found = rating_intervals(FOUND)
    assert found is not None and found.warning == ""
    for part in ("82.0% of the ratings", "82.0% of known people", "1.50", "2.10", "1.65"):
        assert part in found.text
    assert "strangers" not in found.text
    people, titles = found.tenths.values()
    assert [t.name for t in people] == ["4 to 16", "17 to 90"] and len(titles) == 1
    assert people[0].bar.length < people[1].bar.length < 220.0


def test_a_coverage_outside_is_a_warning() -> None:
    for coverage in (0.74, 0.86):
        found = rating_intervals({**FOUND, "coverage": coverage})
        assert found is not None and f"{coverage:.1%}" in found.warning
    assert rating_intervals(FOUND | {"coverage": 0.8}).warning == ""
    narrowest = FOUND | {"coverage": 0.9, "width": 0.14, "step": 1.0}
    assert rating_intervals(narrowest).warning == "", "no interval is narrower than one star"


def test_damaged_figures_are_no_section_or_an_empty_table() -> None:
    assert rating_intervals(None) is None and rating_intervals({"coverage": "x"}) is None
    found = rating_intervals({"coverage": 0.8, "width": 1.0, "people": [1, {"coverage": None}]})
    assert found is not None and found.tenths["People, by their ratings in train"] == []


def test_the_page_and_the_forecast_show_it() -> None:
    evaluation = recommender_evaluation(champion=(0.881, 0.18))
    without = tags(model_report(verdict_on(evaluation), evaluation, CARD))
    page = model_report(verdict_on(evaluation), evaluation | {"rating_intervals": FOUND}, CARD)
    assert tags(page)["rect"] == without["rect"] + 3, "a bar for each tenth"
    assert "82.0% of the ratings lie in their 80 % interval" in plain(page)
    figures = FULL["forecast"] | {"rating_intervals": FOUND | {"coverage": 0.7}}
    value = {"run": "r", "as_of": "2026-01-04T03:00:00Z", "code": "c", "recipe": {}}
    found = plain(insert_forecast(page, Forecast(**value, figures=figures)))
    assert "70.0% of the ratings lie" in found and "not 75% to 85%" in found
