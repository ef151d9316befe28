"""Evaluations and cards: checked whole before they are written, read in parts afterwards."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_race import draft
from release_examples import budget_evaluation, recommender_evaluation, record

from marquee.artefacts.evaluation import Evaluation, evaluation_json, read_evaluation
from marquee.artefacts.ledger_entry import Entry, read_entry
from marquee.artefacts.model_card import card_json, read_card
from marquee.errors import ContractError, LedgerError
from marquee.identifiers import canonical_json

FORMAT_1 = Path(__file__).parent / "format1"
CARD = {"model": "recommender", "recipe": {"name": "als"}, "rows": 10, "people": None}


def test_figures_that_are_no_numbers_become_null_and_nothing_else_changes() -> None:
    sound = recommender_evaluation(champion=(0.9, 0.2))
    sound["calibration"] = [{"rows": 3, "predicted": math.nan}]
    sound["metrics"]["rmse"] = math.inf
    written = evaluation_json(sound)
    assert written["format"] == 2
    assert written["metrics"]["rmse"] is None
    assert written["calibration"] == [{"rows": 3, "predicted": None}]
    assert written["versus"] == sound["versus"]
    assert read_evaluation(json.loads(canonical_json(written))) == read_evaluation(written)


@pytest.mark.parametrize("model", [recommender_evaluation, budget_evaluation])
def test_what_is_written_reads_as_it_was(model: Any) -> None:
    value = model() | {"intervals": {"rmse": [0.8, 0.9]}}
    value["versus"]["record"] = record(0.9, 0.88, 0.01)
    found = read_evaluation(evaluation_json(value))
    assert found.record is not None and found.record.matched == 500
    assert found.record.metrics["rmse"] is not None
    assert found.record.metrics["rmse"].difference == pytest.approx(0.02)
    assert found.intervals == {"rmse": (0.8, 0.9)}
    assert found.shipped is not None and found.shipped.loads is True


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"versus": None}, "versus"),
        ({"shipped": None, "holdout": None}, "holdout; shipped"),
        ({"versus": {"bias": {"rmse": {"challenger": 1.0}}}}, "versus/bias/rmse/other"),
        ({"holdout": [1]}, "holdout"),
        ({"questions": {"with_rating": {"bias_interval": [1.0]}}}, "questions/with_rating"),
    ],
)
def test_an_evaluation_that_is_not_whole_is_not_written(
    changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ContractError, match=problem) as refused:
        evaluation_json(recommender_evaluation() | changes)
    assert "evaluate step" in refused.value.remedy


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=15,
)


@given(ANY_JSON, st.sampled_from(["holdout", "metrics", "versus", "shipped", "questions"]))
def test_damage_in_one_part_leaves_the_others(damage: Any, part: str) -> None:
    sound = budget_evaluation(champion=0.6) | {"intervals": {"log_rmse": [0.5, 0.6]}}
    found, whole = read_evaluation(sound | {part: damage}), read_evaluation(sound)
    for key in ("model", "holdout", "metrics", "versus", "shipped", "questions", "intervals"):
        assert key == part or getattr(found, key) == getattr(whole, key)


def test_the_first_releases_evaluation_reads() -> None:
    old = read_evaluation(json.loads((FORMAT_1 / "evaluation.json").read_bytes()))
    assert (old.format, old.metric("rmse"), old.units("people")) == (1, 0.875, 600)
    champion = old.comparison("champion", "rmse")
    assert champion is not None and champion.other == 0.88
    assert old.record is None


def test_a_card_is_versioned_and_keeps_what_only_the_report_shows() -> None:
    written = card_json(CARD | {"content": {"columns": 128}})
    assert written == CARD | {"content": {"columns": 128}, "format": 1}
    card = read_card(canonical_json(written), "card.json")
    assert (card.recipe, card.rows, card.people) == ({"name": "als"}, 10, None)
    assert read_card(canonical_json(CARD), "a card of the first release") == card


@pytest.mark.parametrize(
    "changes", [{"recipe": None}, {"rows": "10"}, {"rows": -1}, {"model": 7}, {"notes": "none"}]
)
def test_a_card_that_is_none_says_where(changes: dict[str, Any]) -> None:
    (key,) = changes
    with pytest.raises(ContractError, match=f"here is not a card: {key}"):
        read_card(canonical_json(CARD | changes), "here")
    with pytest.raises(ContractError):
        card_json(CARD | changes)


def test_a_card_of_a_later_release_says_to_update() -> None:
    with pytest.raises(ContractError, match="its format is 2") as refused:
        read_card(canonical_json(CARD | {"format": 2}), "card.json")
    assert "update" in refused.value.remedy


UNKNOWN = [0, -5, True, "2", 2.0, None, [], {}]


@pytest.mark.parametrize("found", UNKNOWN)
def test_a_format_that_is_none_is_refused(found: Any) -> None:
    with pytest.raises(ContractError, match="format is not a whole number from 1 on"):
        read_card(canonical_json(CARD | {"format": found}), "card.json")
    with pytest.raises(ContractError, match="format is not a whole number from 1 on"):
        evaluation_json(recommender_evaluation() | {"format": found})
    entry = Entry(**vars(draft()), number=1, previous=None).to_json() | {"format": found}
    with pytest.raises(LedgerError, match="format is not a whole number from 1 on"):
        read_entry(json.dumps(entry).encode(), "here")


@pytest.mark.parametrize("found", [3, 70, *UNKNOWN])
def test_nothing_is_read_of_an_evaluation_of_an_unknown_format(found: Any) -> None:
    value = read_evaluation(recommender_evaluation() | {"format": found})
    assert value.format_problem and value == Evaluation(format=found)
    assert ("update" in value.format_problem) == (found in (3, 70))
    assert not any(
        read_evaluation(recommender_evaluation() | {"format": n}).format_problem for n in (1, 2)
    )
