"""Titles that cannot be loaded or prepared: the recommender goes on, and says without what."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cli import app
from marquee.artefacts.inputs import Inputs, read_inputs
from marquee.identifiers import canonical_json
from marquee.policy import MODELS, Model
from marquee.run_folder import degraded_tasks, inputs_of
from release.promotion import promote
from spark_apps.recommender.training_titles import read_titles, without_titles
from steps.evaluate import evaluate
from steps.freeze_inputs import freeze_inputs
from steps.load_sources import find_ratings, load_ratings
from steps.release_model import gate
from steps.run import Run, why_skip
from steps.run_report import report
from tests.frozen_inputs import frozen
from tests.steps.frozen_runs import Make, add_snapshot, decide
from tests.steps.test_evaluate_to_gate import trained

MODEL: Model = "recommender"


def freeze(run: Run, *failed: str) -> Inputs:
    """What the run froze, after `failed` had ended for good."""
    loaded = load_ratings(run, **find_ratings(run))
    freeze_inputs(run, loaded["path"], failed)
    return inputs_of(run.lake, run.id)


def prepare(run: Run, title: str) -> None:
    """Leave prepared titles as a run's job does."""
    folder = run.folders.state / "prepared" / run.id
    folder.mkdir(parents=True)
    row = {
        "movie_id": 10,
        "title_id": "tt0123456",
        "title": title,
        "year": 1999,
        "genres": ["Drama"],
    }
    pq.write_table(pa.Table.from_pylist([row]), folder / "part.parquet")
    run.lake.publish(folder, run.path("prepared/titles"), rows=1)


def leave_card(run: Run, *degraded: dict[str, str]) -> None:
    card = {"model": MODEL, "recipe": {}, "degraded": list(degraded)}
    run.lake.create(run.path(f"models/{MODEL}/card.json"), canonical_json(card))


def test_titles_that_were_not_loaded_leave_those_of_before(make_run: Make) -> None:
    run = make_run("week")
    path = add_snapshot(run, "2025-12-30T00:00:00Z", loaded_at="2026-01-01T04:00:00Z")
    inputs = freeze(run, "load_titles")
    assert [one.path for one in inputs.titles] == [path]
    assert [str(one) for one in inputs.degraded] == [
        "load_titles failed: the recommender goes on with the titles the lake holds, loaded by "
        "2026-01-01T04:00:00Z; the budget model waits"
    ]
    assert why_skip(inputs, ["recommender"]) is None
    assert "could not be loaded" in str(why_skip(inputs, ["budget"]))
    assert why_skip(inputs, ["budget", "recommender"]) is None


def test_without_any_titles_it_says_that_too(make_run: Make) -> None:
    inputs = freeze(make_run("week"), "load_titles", "crawl_titles", "load_feedback")
    assert [one.task for one in inputs.degraded] == ["crawl_titles", "load_titles", "load_feedback"]
    assert "the lake holds none" in inputs.degraded[1].instead
    assert why_skip(inputs, ["recommender"]) is None and why_skip(inputs, ["budget"])


def test_a_run_that_had_everything_is_not_degraded(make_run: Make) -> None:
    run = make_run("week")
    assert freeze(run).degraded == () == degraded_tasks(run.lake, run.id)
    assert degraded_tasks(run.lake, "no-such-run") == ()


def test_inputs_of_earlier_releases_are_not_degraded() -> None:
    old = frozen("week", "2026-01-04T03:00:00Z")
    assert not {"degraded", "earlier_titles"} & old.keys()
    inputs = read_inputs(canonical_json(old))
    assert (inputs.degraded, inputs.earlier_titles) == ((), None)


def test_the_titles_of_the_last_run_before_as_of_are_frozen_beside(make_run: Make) -> None:
    for name, at in [("old", "2026-01-04"), ("last", "2026-01-11"), ("later", "2026-01-25")]:
        run = make_run(name, at=at)
        freeze(run)
        prepare(run, f"As of {name}")
    freeze(make_run("torn", at="2026-01-17"))  # prepared nothing
    run = make_run("week", at="2026-01-18")
    earlier = freeze(run).earlier_titles
    assert earlier is not None and earlier.path == "runs/last/prepared/titles"
    assert earlier.digest == run.lake.manifest(earlier.path).digest
    assert freeze(make_run("first", at="2026-01-03")).earlier_titles is None


def damage(run: Run, path: str, data: bytes = b"") -> None:
    """Cut off what lies at a path of a lake in a folder."""
    Path(run.lake.root.removeprefix("file://"), path).write_bytes(data)


@pytest.mark.parametrize("data", [b"", b'{"files": [', b'{"format": 9}'])
def test_what_an_earlier_run_left_damaged_is_passed_over_with_a_word(
    make_run: Make, data: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """One file in a year of runs must not end every later run, which would not even read it."""
    for name, at in [("good", "2026-01-04"), ("bad", "2026-01-11"), ("odd", "2026-01-13")]:
        freeze(make_run(name, at=at))
        prepare(make_run(name, at=at), name)
    run = make_run("week", at="2026-01-18")
    damage(run, "runs/bad/prepared/titles/_manifest.json", data)
    damage(run, "runs/odd/inputs.json", data)
    inputs = freeze(run)
    assert inputs.earlier_titles and inputs.earlier_titles.path == "runs/good/prepared/titles"
    assert inputs.degraded == ()
    said = capsys.readouterr().out
    assert "passed over: " in said and "runs/bad/prepared/titles/_manifest.json" in said
    assert "runs/odd/inputs.json" in said


def test_a_damaged_snapshot_keeps_only_the_budget_model_waiting(make_run: Make) -> None:
    run = make_run("week")
    bad, good = (add_snapshot(run, "2025-12-30T00:00:00Z", number=n) for n in (1, 2))
    damage(run, f"{bad}/_manifest.json")
    inputs = freeze(run)
    assert [one.path for one in inputs.titles] == [good]
    assert [str(one) for one in inputs.degraded] == [
        f"load_titles failed: the recommender goes on without {run.lake.uri(bad)}, which cannot be "
        "read; the budget model waits"
    ]
    assert why_skip(inputs, ["recommender"]) is None and why_skip(inputs, ["budget"])


def test_a_backfill_passes_over_a_damaged_release(make_run: Make) -> None:
    run = make_run("week")
    good = load_ratings(run, **find_ratings(run))["path"]
    run.lake.create("raw/ratings/bad/_manifest.json", b"{")
    freeze_inputs(run)
    assert inputs_of(run.lake, run.id).ratings.path == good


def test_the_recommender_knows_titles_by_the_best_there_is(make_run: Make, tmp_path: Path) -> None:
    """Its own, else the earlier ones it froze, else the release's list; and it says which."""
    before, run = make_run("before"), make_run("week", at="2026-01-11")
    alone = freeze(before)

    def prepared_title(inputs: Inputs, folder: str) -> tuple[str, list[str]]:
        found = read_titles(run.lake, inputs, inputs.run, tmp_path / folder)
        return found[10].title, [str(one) for one in without_titles(run.lake, inputs, inputs.run)]

    title, (said,) = prepared_title(alone, "listed")
    assert title == "A Film" and said.startswith("prepare_titles failed: ")
    assert said.endswith("what the release lists, and no more")
    prepare(before, "The Film, Prepared")
    inputs = freeze(run)
    title, (said,) = prepared_title(inputs, "earlier")
    assert title == "The Film, Prepared" and "what before prepared" in said
    prepare(run, "The Film, This Week")
    assert prepared_title(inputs, "own") == ("The Film, This Week", [])


@pytest.mark.parametrize("is_degraded", [False, True])
def test_a_model_trained_without_its_titles_is_trained_again(
    make_run: Make, is_degraded: bool
) -> None:
    first = make_run("first")
    freeze(first)
    leave_card(first, *[{"task": "prepare_titles", "instead": "the list"}] * is_degraded)
    decide(first)
    second = make_run("second", at="2026-01-11")
    unchanged = {m: freeze(second).models[m].unchanged_since for m in MODELS}
    assert unchanged == {"recommender": None if is_degraded else "first", "budget": "first"}


def test_a_degraded_recommender_is_judged_promoted_and_marked(
    make_run: Make, tmp_path: Path
) -> None:
    lost = {"task": "load_titles", "instead": "the titles of March"}
    run = trained(make_run("week"), tmp_path, noise=0.3, degraded=[lost])
    evaluate(run, MODEL)
    verdict = gate(run, MODEL)
    assert verdict.approved, verdict.sentences()
    assert run.lake.read_json(run.path(f"models/{MODEL}/evaluation.json"))["degraded"] == [lost]
    page = run.lake.read_bytes(run.path(f"models/{MODEL}/report.html")).decode()
    assert "What this run went without" in page
    assert "load_titles failed: the titles of March" in page
    assert promote(run.lake, MODEL, run.id, approved=False).number == 1
    sentence = "load_titles failed: the titles of March"
    said = report(run)
    assert said["degraded"] == [sentence]
    assert said["models"][MODEL]["promoted"] == 1
    assert "the champion stays" in said["models"]["budget"]["sentence"]
    shown = CliRunner().invoke(app, ["history", MODEL, "--lake", run.lake.root, "--json"])
    assert [row["degraded"] for row in json.loads(shown.stdout)] == [[sentence]]
