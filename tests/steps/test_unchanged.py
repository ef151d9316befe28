"""What counts as unchanged since a decision, and what as something new to learn."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from marquee.clock import now
from marquee.policy import MODELS
from marquee.run_folder import inputs_of
from steps.freeze_inputs import freeze_inputs
from steps.unchanged import fingerprint
from tests.steps.frozen_runs import (
    Make,
    add_feedback,
    add_snapshot,
    decide,
    fingerprints,
    freeze,
    write_entry,
)


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
    """The recommender learns from pages too (ADR 14); a quiet week after is a quiet week."""
    moments = ("loaded_at", "first_fetched", "last_fetched")
    stated = dict.fromkeys(moments, facts) | {"last_release": "1999-05-04"} if facts else {}
    first = make_run("first")
    freeze(first)
    decide(first)
    add_snapshot(first, "2026-01-01T00:00:00Z", **stated)
    second = make_run("second", at="2026-01-11")
    assert freeze(second) == dict.fromkeys(MODELS)
    decide(second)
    assert freeze(make_run("third", at="2026-01-18")) == dict.fromkeys(MODELS, "second")


def test_an_equal_snapshot_changes_nothing(make_run: Make) -> None:
    first = make_run("first")
    path = add_snapshot(first, "2026-01-01T00:00:00Z")
    freeze(first)
    decide(first)
    first.lake.publish(first.lake.fetch(path, first.folders.crawl), f"{path}-again", rows=1)
    assert freeze(make_run("second", at="2026-01-11")) == dict.fromkeys(MODELS, "first")


def test_a_source_that_goes_back_to_an_earlier_file_is_learnt(make_run: Make) -> None:
    """Its records count from their load, so the first file's word is the last again."""
    first = make_run("first", at="2026-01-18")
    one = add_snapshot(first, None, number=1, release="2001")
    add_snapshot(first, None, number=2, release="2002")
    freeze(first)
    decide(first)
    again = first.lake.fetch(one, first.folders.crawl)
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
    found = [fingerprint(run.lake, "budget", asked, ()) for asked in (inputs, turned, moved)]
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
        assert fingerprint(run.lake, model, inputs, ()) == fingerprints(run)[model]
        assert fingerprint(run.lake, model, other, ()) != fingerprints(run)[model]


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
