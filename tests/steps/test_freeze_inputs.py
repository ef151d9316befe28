"""Inputs are frozen once, and what has not changed is known by its digest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from marquee.errors import ConflictError, SettingsError, SourceError
from marquee.steps.fetch_ratings import fetch_ratings
from marquee.steps.freeze_inputs import freeze_inputs
from marquee.steps.load_ratings import load_ratings
from marquee.steps.run import MODELS, Run

Make = Callable[..., Run]


def freeze(run: Run) -> dict[str, str | None]:
    fetched = fetch_ratings(run)
    loaded = load_ratings(run, fetched["folder"], fetched["name"])
    unchanged: dict[str, str | None] = freeze_inputs(run, loaded["path"])["unchanged"]
    return unchanged


def fingerprints(run: Run) -> dict[str, str]:
    models = run.lake.read_json(run.path("inputs.json"))["models"]
    return {model: models[model]["fingerprint"] for model in MODELS}


def decide(run: Run, kind: str = "manual", approved: bool = False) -> None:
    """Leave what a gate leaves, as far as history reads it."""
    inputs = run.lake.read_json(run.path("inputs.json"))
    for model in MODELS:
        verdict = {"run": run.id, "as_of": inputs["as_of"], "run_type": kind, "approved": approved}
        verdict["fingerprint"] = inputs["models"][model]["fingerprint"]
        run.lake.create_json(run.path(f"models/{model}/verdict.json"), verdict)


def add_snapshot(run: Run, tmp_path: Path, moment: str) -> None:
    folder = tmp_path / moment
    folder.mkdir()
    (folder / "titles-00000.jsonl.gz").write_bytes(moment.encode())
    run.lake.publish(folder, f"raw/titles/as_of={moment}/run=x", rows=1)


def test_first_run_has_no_champion_and_nothing_unchanged(make_run: Make) -> None:
    run = make_run("first")
    assert freeze(run) == {"recommender": None, "budget": None}
    inputs = run.lake.read_json("runs/first/inputs.json")
    assert inputs["as_of"] == "2026-01-04T00:00:00Z"
    assert inputs["ratings"]["rows"] == 2
    assert inputs["models"]["recommender"]["champion"] is None
    assert inputs["models"]["recommender"]["recipes"][0]["family"] == "bayes"


def test_a_retry_keeps_what_was_frozen(make_run: Make, tmp_path: Path) -> None:
    run = make_run("first")
    freeze(run)
    before = run.lake.read_bytes("runs/first/inputs.json")
    add_snapshot(run, tmp_path, "20260101T000000Z")
    freeze(run)
    assert run.lake.read_bytes("runs/first/inputs.json") == before


def test_same_inputs_are_unchanged_since_the_last_decision(make_run: Make) -> None:
    first = make_run("first")
    freeze(first)
    decide(first)
    assert freeze(make_run("second", at="2026-01-11")) == dict.fromkeys(MODELS, "first")


def test_an_approved_model_that_never_served_is_tried_again(make_run: Make) -> None:
    first = make_run("first")
    freeze(first)
    decide(first, approved=True)
    assert freeze(make_run("second")) == dict.fromkeys(MODELS)


def test_force_and_backfills_are_never_unchanged(make_run: Make) -> None:
    first = make_run("first")
    freeze(first)
    decide(first)
    assert freeze(make_run("forced", force=True)) == dict.fromkeys(MODELS)
    assert freeze_inputs(make_run("past", kind="backfill"))["unchanged"] == dict.fromkeys(MODELS)


def test_a_backfills_decision_does_not_count(make_run: Make) -> None:
    past = make_run("past", kind="backfill")
    freeze(make_run("seed"))
    freeze_inputs(past)
    decide(past, kind="backfill")
    assert freeze(make_run("live", at="2026-02-01")) == dict.fromkeys(MODELS)


def test_new_titles_change_the_budget_model_alone(make_run: Make, tmp_path: Path) -> None:
    first = make_run("first")
    freeze(first)
    decide(first)
    add_snapshot(first, tmp_path, "20260101T000000Z")
    assert freeze(make_run("second")) == {"recommender": "first", "budget": None}


def test_new_ratings_change_both(make_run: Make, release: Path) -> None:
    first = make_run("first")
    freeze(first)
    decide(first)
    with (release / "ratings.csv").open("a") as out:
        out.write("3,10,4.0,1700000001\n")
    assert freeze(make_run("second")) == dict.fromkeys(MODELS)


def test_as_of_changes_the_recommender_only_where_it_cuts(make_run: Make) -> None:
    runs = [
        make_run(name, at=at)
        for name, at in [("a", "2026-01-04"), ("b", "2026-03-01"), ("c", "2020-01-05")]
    ]
    for run in runs:
        freeze(run)
    late, later, cutting = (fingerprints(run)["recommender"] for run in runs)
    assert late == later
    assert cutting != late


def test_policy_may_be_tightened_and_not_loosened(make_run: Make) -> None:
    tight = make_run("tight", recommender_rmse_ceiling=0.9)
    freeze(tight)
    policy = tight.lake.read_json("runs/tight/inputs.json")["models"]["recommender"]["policy"]
    assert policy["rmse_ceiling"] == 0.9
    with pytest.raises(SettingsError, match="rmse_ceiling"):
        freeze(make_run("loose", recommender_rmse_ceiling=5.0))


def test_a_lake_holds_one_world(make_run: Make) -> None:
    run = make_run("first")
    freeze(run)
    other = run.settings.model_copy(update={"world": "another"})
    with pytest.raises(ConflictError, match="another world is another root"):
        freeze(Run("x", run.as_of, "manual", run.form, other, run.lake))


def test_a_backfill_before_any_load_says_what_to_do(make_run: Make) -> None:
    with pytest.raises(SourceError, match="no ratings yet"):
        freeze_inputs(make_run("past", kind="backfill"))
