"""The report says what became of each model, also where little happened."""

from __future__ import annotations

from collections.abc import Callable

from steps.freeze_inputs import freeze_inputs
from steps.load_sources import load_ratings
from steps.run import Run
from steps.run_report import read_report, report

Make = Callable[..., Run]


def test_a_run_that_ended_early_says_so(make_run: Make) -> None:
    outcome = report(make_run("early"))["models"]["budget"]
    assert "before its inputs were frozen" in outcome["sentence"]
    assert outcome["promoted"] is None


def test_a_failed_training_is_pointed_to(make_run: Make) -> None:
    run = make_run("failed")
    path = load_ratings(run, run.settings.ratings.source, "r")["path"]
    freeze_inputs(run, path)
    assert "no verdict" in report(run)["models"]["recommender"]["sentence"]


def test_the_first_report_of_a_run_stays(make_run: Make) -> None:
    run = make_run("twice")
    report(run)
    before = run.lake.read_bytes("runs/twice/report.json")
    report(run)
    assert [n for n in run.lake.names("runs/twice") if "report" in n] == ["report.json"]
    path = load_ratings(run, run.settings.ratings.source, "r")["path"]
    freeze_inputs(run, path)
    said = report(run)
    assert run.lake.read_bytes("runs/twice/report.json") == before
    assert read_report(run.lake, "twice")["models"] == said["models"]
