"""Inputs are frozen once, and what has not changed is known by its digest."""

from __future__ import annotations

from datetime import timedelta

import pytest

from marquee.errors import ConflictError, LedgerError, SettingsError, SourceError
from marquee.run_folder import inputs_of
from release.ledger import Ledger
from steps.freeze_inputs import freeze_inputs
from steps.run import Run
from tests.steps.frozen_runs import Make, add_snapshot, freeze, write_entry


def test_first_run_has_no_champion_and_nothing_unchanged(make_run: Make) -> None:
    run = make_run("first")
    assert freeze(run) == {"recommender": None, "budget": None}
    inputs = inputs_of(run.lake, "first")
    assert inputs.as_of == run.as_of and inputs.interval == timedelta(weeks=1)
    assert inputs.ratings.rows == 2
    assert inputs.models["recommender"].champion is None
    assert inputs.models["recommender"].recipes[0]["family"] == "bayes"


def served_once(run: Run) -> Ledger:
    """A promoted entry that the frozen inputs of `run` name, and nothing else does."""
    write_entry(run, "recommender", "promote")
    freeze(run)
    ledger = Ledger(run.lake, "recommender")
    (entry,) = ledger.entries()
    named = inputs_of(run.lake, run.id).models["recommender"].champion
    assert named is not None and (named.number, named.digest) == (1, entry.digest)
    return ledger


@pytest.mark.parametrize("kind", ["manual", "backfill"])
def test_nothing_is_frozen_beside_a_ledger_that_lost_an_entry(make_run: Make, kind: str) -> None:
    ledger = served_once(make_run("first"))
    ledger.lake.delete(f"{ledger.path}/000001.json")
    assert ledger.head() is None
    second = make_run("second", kind=kind)
    with pytest.raises(LedgerError, match="ends with entry 0, and entry 1 is known to have been"):
        freeze(second)
    assert not second.lake.exists("runs/second/inputs.json")


def test_a_retry_keeps_what_was_frozen(make_run: Make) -> None:
    run = make_run("first")
    freeze(run)
    before = run.lake.read_bytes("runs/first/inputs.json")
    add_snapshot(run, "2026-01-01T00:00:00Z")
    freeze(run)
    assert run.lake.read_bytes("runs/first/inputs.json") == before


def test_policy_may_be_tightened_and_not_loosened(make_run: Make) -> None:
    tight = make_run("tight", recommender_rmse_ceiling=0.9)
    freeze(tight)
    policy = inputs_of(tight.lake, "tight").models["recommender"].policy
    assert policy["rmse_ceiling"] == 0.9
    with pytest.raises(SettingsError, match="rmse_ceiling"):
        freeze(make_run("loose", recommender_rmse_ceiling=5.0))


def test_a_recipe_that_the_form_names_is_frozen_alone_with_those_beside_it(make_run: Make) -> None:
    run = make_run("named", budget_recipe="linear", recommender_recipe="als-bias-16")
    freeze(run)
    models = inputs_of(run.lake, "named").models
    assert [recipe["name"] for recipe in models["recommender"].recipes] == ["als-bias-16"]
    assert [recipe["name"] for recipe in models["budget"].recipes] == ["linear", "talk"]
    alone = make_run("alone", budget_recipe="talk")
    freeze(alone)
    recipes = inputs_of(alone.lake, "alone").models["budget"].recipes
    assert [recipe["name"] for recipe in recipes] == ["talk"]


def test_a_lake_holds_one_world(make_run: Make) -> None:
    run = make_run("first")
    freeze(run)
    other = run.settings.model_copy(update={"world": "another"})
    with pytest.raises(ConflictError, match="another world is another root"):
        freeze(Run("x", run.as_of, "manual", run.form, other, run.lake))


def test_a_backfill_before_any_load_says_what_to_do(make_run: Make) -> None:
    with pytest.raises(SourceError, match="no ratings yet"):
        freeze_inputs(make_run("past", kind="backfill"))
