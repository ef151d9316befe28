"""Inputs are frozen once, and what has not changed is known by its digest."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from marquee.clock import now
from marquee.errors import ConflictError, LedgerError, SettingsError, SourceError
from marquee.release.condition import GROUPS, Condition
from marquee.release.entry import Draft, Kind
from marquee.release.inputs import inputs_of
from marquee.release.ledger import Ledger
from marquee.release.subject import Head, RunType, Subject
from marquee.release.verdict import Verdict
from marquee.sources.title_lines import write_lines
from marquee.steps.fetch_ratings import fetch_ratings
from marquee.steps.fingerprint import fingerprint
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
    models = inputs_of(run.lake, run.id).models
    return {model: models[model].fingerprint for model in MODELS}


def decide(
    run: Run,
    kind: RunType = "manual",
    approved: bool = False,
    as_of: datetime | None = None,
) -> None:
    """Leave a gate's verdict on each model, beside what serves."""
    inputs = inputs_of(run.lake, run.id)
    conditions = tuple(Condition(number, "made up", approved, "so it is") for number in GROUPS)
    for model in MODELS:
        subject = Subject(
            run=run.id,
            model=model,
            as_of=as_of or run.as_of,
            run_type=kind,
            promote="yes",
            recipe={},
            code=inputs.code,
            fingerprint=inputs.models[model].fingerprint,
            bundle_digest="b" * 64,
        )
        serving = Ledger(run.lake, model).head()
        head = Head(serving.number, serving.digest) if serving else None
        verdict = Verdict(subject=subject, conditions=conditions, head=head)
        run.lake.create_json(run.path(f"models/{model}/verdict.json"), verdict.to_json())


def write_entry(run: Run, model: str, kind: Kind, bundle: str = "b") -> None:
    """Add an entry to a ledger."""
    ledger = Ledger(run.lake, model)
    rest: dict[str, Any] = {"bundle": bundle, "bundle_digest": "d", "run": "x", "recipe": {}}
    rest |= {"as_of": run.as_of, "code": "c", "at": run.as_of, "verdict": "v", "reason": "so"}
    ledger.append(Draft(kind=kind, **rest), ledger.head())


def add_snapshot(
    run: Run, fetched: str | None, release: str = "1999-05-04", number: int = 1, **facts: Any
) -> str:
    """A snapshot of one page of another run; without `facts`, as older versions left it."""
    path = f"raw/titles/as_of=20260101T000000Z/run=x{number}"
    with tempfile.TemporaryDirectory() as folder:
        record = {"title_id": f"tt{number:07d}", "release_date": release, "fetched_at": fetched}
        write_lines(Path(folder, "titles-00001.jsonl.gz"), [record])
        run.lake.publish(Path(folder), path, rows=1, **facts)
    return path


def add_feedback(run: Run, time: int, **facts: Any) -> None:
    """One sealed line, given at `time`."""
    line = {"person": "p-ann", "movie_id": 10, "rating": 4.0, "time": time}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "feedback.jsonl").write_text(json.dumps(line) + "\n")
        run.lake.publish(Path(folder), f"raw/feedback/local-{time}", rows=1, **facts)


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


@pytest.mark.parametrize("data", [b"", b"[]", b'{"format": 1}', b'{"format": 99}'])
def test_a_damaged_verdict_is_no_decision(make_run: Make, data: bytes) -> None:
    first = make_run("first")
    freeze(first)
    decide(first)
    for model in MODELS:
        first.lake.create(f"runs/torn/models/{model}/verdict.json", data)
    assert freeze(make_run("second", at="2026-01-11")) == dict.fromkeys(MODELS, "first")


def test_a_refusal_counts_beside_the_champion_it_lost_to(make_run: Make) -> None:
    """Whatever takes that champion's place; a hold's release leaves it in place."""
    first = make_run("first")
    write_entry(first, "recommender", "promote", "old")
    write_entry(first, "recommender", "promote", "good")
    freeze(first)
    decide(first)
    write_entry(first, "recommender", "release_hold", "good")
    assert freeze(make_run("second", at="2026-01-11")) == dict.fromkeys(MODELS, "first")
    write_entry(first, "recommender", "roll_back", "old")
    third = make_run("third", at="2026-01-18")
    assert freeze(third) == {"recommender": None, "budget": "first"}
    decide(third)
    assert freeze(make_run("fourth", at="2026-01-25")) == dict.fromkeys(MODELS, "third")


def test_a_refusal_beside_nothing_counts_until_something_serves(make_run: Make) -> None:
    first = make_run("first")
    freeze(first)
    decide(first)
    write_entry(first, "budget", "promote")
    assert freeze(make_run("second", at="2026-01-11")) == {"recommender": "first", "budget": None}


def test_a_verdict_ahead_of_the_clock_is_not_the_last_decision(make_run: Make) -> None:
    """Versions before 2026-11 let an as-of of any year through."""
    ahead, first = make_run("ahead"), make_run("first", at="2026-01-11")
    freeze(ahead)
    decide(ahead, as_of=now() + timedelta(hours=1))
    assert freeze(first) == dict.fromkeys(MODELS)
    decide(first)
    assert freeze(make_run("second", at="2026-01-18")) == dict.fromkeys(MODELS, "first")


def test_a_world_accepted_after_the_refusal_is_judged_again_once(make_run: Make) -> None:
    first, second = make_run("first"), make_run("second", at="2026-01-11")
    write_entry(first, "recommender", "promote")
    freeze(first)
    decide(first)
    write_entry(first, "recommender", "accept_world")
    assert freeze(second) == {"recommender": None, "budget": "first"}
    decide(second)
    assert freeze(make_run("third", at="2026-01-18"))["recommender"] == "second"


def test_a_backfills_decision_does_not_count(make_run: Make) -> None:
    past = make_run("past", kind="backfill")
    freeze(make_run("seed"))
    freeze_inputs(past)
    decide(past, kind="backfill")
    assert freeze(make_run("live", at="2026-02-01")) == dict.fromkeys(MODELS)


@pytest.mark.parametrize("facts", [{}, "2026-01-01T00:00:00Z"])
def test_new_titles_change_both_models_once(make_run: Make, facts: Any) -> None:
    """The recommender learns from pages too (ADR 22); a quiet week after is a quiet week."""
    moments = ("loaded_at", "first_fetched", "last_fetched")
    told = dict.fromkeys(moments, facts) | {"last_release": "1999-05-04"} if facts else {}
    first = make_run("first")
    freeze(first)
    decide(first)
    add_snapshot(first, "2026-01-01T00:00:00Z", **told)
    second = make_run("second", at="2026-01-11")
    assert freeze(second) == dict.fromkeys(MODELS)
    decide(second)
    assert freeze(make_run("third", at="2026-01-18")) == dict.fromkeys(MODELS, "second")


def test_an_equal_snapshot_changes_nothing(make_run: Make) -> None:
    first = make_run("first")
    path = add_snapshot(first, "2026-01-01T00:00:00Z")
    freeze(first)
    decide(first)
    first.lake.publish(first.lake.fetch(path, first.places.crawl), f"{path}-again", rows=1)
    assert freeze(make_run("second", at="2026-01-11")) == dict.fromkeys(MODELS, "first")


def test_a_source_that_goes_back_to_an_earlier_file_is_learnt(make_run: Make) -> None:
    """Its records count from their load, so the first file's word is the last again."""
    first = make_run("first", at="2026-01-18")
    one = add_snapshot(first, None, number=1, release="2001")
    add_snapshot(first, None, number=2, release="2002")
    freeze(first)
    decide(first)
    again = first.lake.fetch(one, first.places.crawl)
    first.lake.publish(again, one.replace("run=x1", "run=x3"), rows=1)
    second = make_run("second", at="2026-01-25")
    assert freeze(second) == dict.fromkeys(MODELS)
    decide(second)
    first.lake.publish(again, one.replace("run=x1", "run=x4"), rows=1)
    assert freeze(make_run("third", at="2026-02-01")) == dict.fromkeys(MODELS, "second")


def test_the_order_of_loads_is_that_of_their_moments(make_run: Make) -> None:
    run = make_run("first", at="2026-02-08")
    for number in (1, 2):
        add_snapshot(run, None, number=number, release=f"200{number}")
    freeze(run)
    inputs = inputs_of(run.lake, "first")
    one, two = inputs.titles
    turned = inputs.model_copy(update={"titles": (two, one)})
    later = one.model_copy(update={"as_of": two.as_of + timedelta(days=1)})
    moved = inputs.model_copy(update={"titles": (later, two)})
    found = [fingerprint(run.lake, "budget", asked) for asked in (inputs, turned, moved)]
    assert found[0] == found[1] != found[2]


def test_as_of_decides_where_it_parts_what_was_fetched(make_run: Make) -> None:
    """A page fetched between two moments is known at the later one only."""
    early, late = make_run("early", at="2026-01-04"), make_run("late", at="2026-01-11")
    add_snapshot(early, "2026-01-07T00:00:00Z")
    for run in (early, late, again := make_run("again", at="2026-01-18")):
        freeze(run)
    assert fingerprints(early)["budget"] != fingerprints(late)["budget"]
    assert fingerprints(early)["recommender"] != fingerprints(late)["recommender"]
    assert fingerprints(again) == fingerprints(late)


def test_as_of_decides_where_a_title_is_released_later(make_run: Make) -> None:
    runs = [make_run(f"r{day}", at=f"2026-02-{day}") for day in (10, 11, 12, 13)]
    add_snapshot(runs[0], "2026-01-01T00:00:00Z", release="2026-02-11")
    for run in runs:
        freeze(run)
    before, on, after, later = (fingerprints(run)["budget"] for run in runs)
    assert len({before, on, after}) == 3 and after == later


def test_a_snapshot_that_cannot_be_read_changes_with_as_of(make_run: Make, tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "titles-00001.jsonl.gz").write_bytes(b"no gzip")
    first, second = make_run("first"), make_run("second", at="2026-01-11")
    first.lake.publish(tmp_path / "bad", "raw/titles/as_of=20260101T000000Z/run=x", rows=1)
    freeze(first)
    decide(first)
    assert freeze(second) == dict.fromkeys(MODELS)


@pytest.mark.parametrize("facts", [{}, {"last_time": 1_770_000_000}])
def test_feedback_given_after_as_of_is_learnt_by_the_next_run(make_run: Make, facts: Any) -> None:
    """It is sealed by the run whose as-of cuts it off (1770000000 is 2026-02-02)."""
    first, second = make_run("first", at="2026-02-01"), make_run("second", at="2026-02-08")
    add_feedback(first, 1_770_000_000, **facts)
    freeze(first)
    decide(first)
    assert freeze(second) == {"recommender": None, "budget": "first"}
    decide(second)
    assert freeze(make_run("third", at="2026-02-15"))["recommender"] == "second"


def test_a_year_of_prices_changes_both(make_run: Make) -> None:
    runs = [make_run(year, at=f"{year}-06-07") for year in ("2024", "2025")]
    for run in runs:
        freeze(run)
    one, other = map(fingerprints, runs)
    assert all(one[model] != other[model] for model in MODELS)


def test_new_ratings_change_both(make_run: Make, release: Path) -> None:
    first = make_run("first")
    freeze(first)
    decide(first)
    with (release / "ratings.csv").open("a") as out:
        out.write("3,10,4.0,1700000001\n")
    assert freeze(make_run("second")) == dict.fromkeys(MODELS)


def test_ids_written_as_text_change_both(make_run: Make) -> None:
    """They are read as other numbers."""
    run = make_run("first")
    freeze(run)
    inputs = inputs_of(run.lake, "first")
    ratings = inputs.ratings.model_copy(update={"text_ids": ("titles",)})
    other = inputs.model_copy(update={"ratings": ratings})
    for model in MODELS:
        assert fingerprint(run.lake, model, inputs) == fingerprints(run)[model]
        assert fingerprint(run.lake, model, other) != fingerprints(run)[model]


def test_as_of_changes_the_recommender_only_where_it_cuts(make_run: Make) -> None:
    """The last rating was given on 2023-11-14."""
    moments = {"a": "2023-12-03", "b": "2023-12-10", "c": "2023-11-12", "d": "2023-11-05"}
    runs = [make_run(name, at=at) for name, at in moments.items()]
    for run in runs:
        freeze(run)
    late, later, cutting, earlier = map(fingerprints, runs)
    assert late == later
    assert len({one["recommender"] for one in (late, cutting, earlier)}) == 3
    assert len({one["budget"] for one in (late, cutting, earlier)}) == 1


def test_policy_may_be_tightened_and_not_loosened(make_run: Make) -> None:
    tight = make_run("tight", recommender_rmse_ceiling=0.9)
    freeze(tight)
    policy = inputs_of(tight.lake, "tight").models["recommender"].policy
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
