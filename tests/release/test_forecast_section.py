"""The section "As a forecast" of a recommender's page, before and after the forecast is fitted."""

from __future__ import annotations

from release_examples import recommender_evaluation
from test_model_page import CARD, FULL, budget_page, full_page, plain, tags, verdict_on

from marquee.artefacts.model_card import Forecast
from report.model_page import insert_forecast, model_report


def test_the_forecast_says_since_when_and_stands_beside_the_bias_model() -> None:
    text = plain(full_page())
    assert (
        "ratings before 01 January 1998 and asked about the 1,200 later ones of 70 people" in text
    )
    assert "25.0% of them could be answered personally" in text
    assert "RMSE the bias model 0.9100 0.9600 -0.0500 -0.0700 to -0.0300" in text


def test_a_later_forecast_replaces_the_sentence_that_it_is_to_come() -> None:
    evaluation = recommender_evaluation(champion=(0.881, 0.18))
    page = model_report(verdict_on(evaluation), evaluation, CARD)
    assert "The forecast is fitted after this verdict" in plain(page)
    assert insert_forecast(page, None) == page
    value = {"run": "r<1>", "as_of": "2026-01-04T03:00:00Z", "code": "c", "recipe": {}}
    forecast = Forecast(**value, figures=FULL["forecast"])
    found = insert_forecast(page, forecast)
    tags(found)
    assert "after this verdict" not in plain(found)
    assert "the 1,200 later ones of 70 people" in plain(found)
    assert "fitted by run r&lt;1&gt;, as of 2026-01-04" in found
    assert "RMSE the bias model 0.9100 0.9600 -0.0500 -0.0700 to -0.0300" in plain(found)
    assert "No rating is later" in plain(insert_forecast(page, Forecast(**value)))
    assert insert_forecast("<p>an early page</p>", forecast) == "<p>an early page</p>"


def test_a_refused_model_and_a_budget_model_have_no_forecast() -> None:
    evaluation = recommender_evaluation(rmse=5.0)
    page = model_report(verdict_on(evaluation), evaluation, CARD)
    assert "A refused model gets no forecast." in plain(page)
    assert "forecast" not in plain(budget_page())
