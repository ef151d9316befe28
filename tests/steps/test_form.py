"""What a run may be asked for: one check, one sentence, before anything starts."""

from __future__ import annotations

from typing import Any

import pytest

from marquee.errors import AheadOfClockError, MarqueeError, SettingsError, SourceError
from marquee.settings import Settings, load_settings
from steps.form import BOUNDS, Form, check_form


@pytest.fixture(scope="module")
def settings() -> Settings:
    found = load_settings("local")
    titles = found.titles.model_copy(update={"imdb_tsv": "", "wikidata": "somewhere"})
    policy = found.policy.model_copy(
        update={
            "recommender": found.policy.recommender | {"rmse_ceiling": 1.2, "coverage_floor": 0.4},
            "budget": found.policy.budget | {"log_rmse_ceiling": 0.8},
        }
    )
    return found.model_copy(update={"titles": titles, "policy": policy})


RIGHT: dict[str, dict[str, Any]] = {
    "nothing": {},
    "all": {
        "promote": "ask",
        "search": "full",
        "max_pages": 0,
        "sources": ["wikidata", "crawl"],
        "as_of": "2026-03-01T12:00:00+01:00",
        "force": True,
        "recommender_rmse_ceiling": 1.2,
        "recommender_coverage_floor": 1,
        "budget_log_rmse_ceiling": 0.01,
    },
    "empty fields of the form": dict.fromkeys([*BOUNDS, "as_of", "budget_recipe"]),
    "a recipe of each model": {"budget_recipe": "talk", "recommender_recipe": "als-bias-16"},
    "a bound the form does not show": {"budget_margin_ridge": 0},
    "a whole number that JSON spells with a point": {"max_pages": 40.0},
}


@pytest.mark.parametrize("case", RIGHT)
def test_what_a_run_can_do_is_let_in(settings: Settings, case: str) -> None:
    check_form(settings, RIGHT[case])
    assert Form.of(settings, RIGHT[case]).promote in ("yes", "ask", "no")


WRONG: dict[str, tuple[Any, str]] = {
    "a slip in a key": ({"promot": "no"}, "a run knows no 'promot' — did you mean 'promote'?"),
    "a slip in a bound": (
        {"recommender_rmse_celing": 0.9},
        "a run knows no 'recommender_rmse_celing' — did you mean 'recommender_rmse_ceiling'?",
    ),
    "a recipe that config does not hold": (
        {"budget_recipe": "tolk"},
        "the form's 'budget_recipe' is 'tolk' — did you mean 'talk'?",
    ),
    "a hyphen": ({"max-pages": 4}, "a run knows no 'max-pages' — did you mean 'max_pages'?"),
    "another word": ({"promote": "later"}, "the form's 'promote' is 'later' — give yes, ask or no"),
    "a word in capitals": ({"search": "Full"}, "'search' is 'Full' — give none, quick or full"),
    "what YAML makes of yes": ({"promote": True}, "'promote' is True — give yes, ask or no"),
    "null for a word": ({"promote": None}, "'promote' is None — give yes, ask or no"),
    "fewer than no pages": ({"max_pages": -7}, "'max_pages' is -7 — give a whole number from 0"),
    "half a page": ({"max_pages": 2.5}, "'max_pages' is 2.5 — give a whole number"),
    "pages in words": ({"max_pages": "40"}, "'max_pages' is '40' — give a whole number"),
    "pages as a yes": ({"max_pages": True}, "'max_pages' is True — give a whole number"),
    "too many pages": ({"max_pages": 10**400}, "give a whole number from 0 to 100,000"),
    "force in words": ({"force": "no"}, "the form's 'force' is 'no' — give true or false"),
    "one source": ({"sources": "crawl"}, "'sources' is 'crawl' — give a list of crawl, csv,"),
    "no source": ({"sources": []}, "'sources' is [] — give a list of"),
    "a source twice": ({"sources": ["crawl", "crawl"]}, "at least one, none twice"),
    "a source unknown": ({"sources": [["csv"]]}, "'sources' is [['csv']] — give a list"),
    "a source that has no place": (
        {"sources": ["crawl", "imdb_tsv"]},
        "the form's 'sources' names imdb_tsv, and titles.imdb_tsv says no place — say where",
    ),
    "as-of a number": ({"as_of": 20260301}, "the form's 'as_of' is 20260301 — give a moment like"),
    "a looser ceiling": (
        {"recommender_rmse_ceiling": 1.3},
        "'recommender_rmse_ceiling' = 1.3 would loosen the gate, which holds 1.2 — "
        "a run may only tighten it: give at most 1.2",
    ),
    "a looser floor": (
        {"recommender_coverage_floor": 0.3},
        "'recommender_coverage_floor' = 0.3 would loosen the gate, which holds 0.4 — "
        "a run may only tighten it: give at least 0.4",
    ),
    "a looser bound that the form does not show": (
        {"budget_margin_ridge": 0.9},
        "'budget_margin_ridge' = 0.9 would loosen the gate",
    ),
    "a floor that nothing reaches": (
        {"recommender_coverage_floor": 1.5},
        "the gate's 'recommender_coverage_floor' is 1.5 — give a number from 0 to 1",
    ),
    "a bound in words": (
        {"budget_log_rmse_ceiling": "low"},
        "the form's 'budget_log_rmse_ceiling' is 'low' — give a number of at least 0",
    ),
    "a bound that is no number": ({"budget_log_rmse_ceiling": float("nan")}, "is nan — give a"),
    "a negative bound": ({"budget_log_rmse_ceiling": -1}, "is -1 — give a number of at least 0"),
    "a list": (["promote"], "a run's conf is ['promote'] — give an object of the form's keys"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_it_cannot_is_one_sentence(settings: Settings, case: str) -> None:
    asked, sentence = WRONG[case]
    with pytest.raises(SettingsError) as refused:
        check_form(settings, asked)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 300


def test_everything_that_is_wrong_is_said_at_once(settings: Settings) -> None:
    with pytest.raises(SettingsError) as refused:
        check_form(settings, {"promot": "no", "max_pages": -1, "budget_log_rmse_ceiling": 9})
    said = str(refused.value)
    assert all(word in said for word in ("'promot'", "'max_pages' is -1", "would loosen the gate"))


@pytest.mark.parametrize(
    ("moment", "error"), [("2999-01-01", AheadOfClockError), ("next week", SourceError)]
)
def test_an_as_of_is_a_moment_that_has_come(
    settings: Settings, moment: str, error: type[MarqueeError]
) -> None:
    with pytest.raises(error):
        check_form(settings, {"as_of": moment})


def test_the_settings_fill_what_is_not_asked(settings: Settings) -> None:
    form = Form.of(settings, {"max_pages": 3, "as_of": None, "budget_log_rmse_ceiling": 0.5})
    assert (form.max_pages, form.promote) == (3, settings.schedule.promote)
    assert form.tighten == {"budget": {"log_rmse_ceiling": 0.5}}


def test_a_task_refuses_a_key_that_came_past_the_door(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="a run knows no 'serach' — did you mean 'search'"):
        Form.of(settings, {"serach": "full"})


def test_a_run_under_way_is_not_held_against_a_policy_changed_since(settings: Settings) -> None:
    assert Form.of(settings, {"recommender_rmse_ceiling": 5}).tighten
