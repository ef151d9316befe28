"""The live record: written once, about what served when the run began, shown wherever one looks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.ledger_views import _run_lines
from marquee.lake import Lake
from marquee.run_folder import latest_live, live_sentence
from scoring.recommender.ratings_arrays import Ratings
from steps.evaluate import record_live
from steps.freeze_inputs import freeze_inputs
from steps.load_sources import load_ratings
from steps.run import Run
from steps.run_report import report
from tests.scoring.made_up import joined, save_ratings
from tests.scoring.test_holdout_evaluation import HOLDOUT, TRAIN, bundle_of
from tests.serving.serving_bundles import promote_folder

Make = Callable[..., Run]
NEWER = 1_800_000_000  # seconds; after the bundle's as-of


def serve(lake: Lake, folder: Path) -> str:
    """Let a bundle trained on TRAIN serve, as of the first Sunday of 2026; its id."""
    return promote_folder(lake, "recommender", bundle_of(folder, TRAIN, noise=0.3)).bundle


def begin(run: Run, folder: Path, rows: Ratings | None) -> None:
    """Freeze the run's inputs and leave what prepare_ratings would."""
    freeze_inputs(run, load_ratings(run, run.settings.ratings.source, "r")["path"])
    if rows is not None:
        moved = Ratings(rows.user_ids, rows.movie_ids, rows.values, rows.times * 0 + NEWER)
        run.lake.publish(
            save_ratings(folder / run.id, joined(TRAIN, moved)), run.path("prepared/ratings")
        )


def test_what_served_is_scored_on_what_came_since(make_run: Make, tmp_path: Path) -> None:
    run = make_run("r-1", at="2026-11-01")
    bundle = serve(run.lake, tmp_path / "b")
    begin(run, tmp_path, HOLDOUT)
    live = record_live(run)
    assert (live["bundle"], live["rows"], live["people"]) == (bundle, len(HOLDOUT), 50)
    assert 0 < live["rmse"] < live["bias_rmse"] and live["alarm"] is False
    assert run.lake.read_json("runs/r-1/live.json") == live == record_live(run)
    assert bundle in live_sentence(live)


def test_the_report_task_and_the_newest_record_say_it(
    make_run: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = make_run("a", at="2026-11-01"), make_run("b", at="2026-11-08")
    serve(first.lake, tmp_path / "b")
    for run, rows in ((first, HOLDOUT), (second, None)):
        begin(run, tmp_path, rows)
        record_live(run)
    assert report(first)["live"] == record_live(first)
    assert f"RMSE {record_live(first)['rmse']:.4f}, the bias model" in capsys.readouterr().out
    found = latest_live(first.lake)
    assert found and (found["run"], found["as_of"]) == ("a", "2026-11-01T00:00:00Z")


def test_a_run_with_damaged_inputs_counts_as_one_without_a_record(
    make_run: Make, tmp_path: Path
) -> None:
    sound, damaged = make_run("sound", at="2026-11-01"), make_run("z", at="2026-11-08")
    serve(sound.lake, tmp_path / "b")
    for run in (sound, damaged):
        begin(run, tmp_path, HOLDOUT)
        record_live(run)
    sound.lake.delete("runs/z/inputs.json")
    sound.lake.create("runs/z/inputs.json", b'{"as_of": ')
    found = latest_live(sound.lake)
    assert found and found["run"] == "sound"


def test_without_a_champion_or_ratings_it_says_why(make_run: Make, tmp_path: Path) -> None:
    alone = make_run("alone", at="2026-11-01")
    begin(alone, tmp_path, HOLDOUT)
    assert record_live(alone)["why"] == "nothing has served yet"
    serve(alone.lake, tmp_path / "b")
    early = make_run("early", at="2026-11-08")
    begin(early, tmp_path, None)
    assert "not measured" in record_live(early)["why"]
    assert latest_live(alone.lake) is None


ALARM: dict[str, Any] = {
    "bundle": "b", "rows": 900, "people": 60, "rmse": 1.0, "bias_rmse": 0.9, "enough": True,
    "alarm": True,
}  # fmt: skip


def test_an_alarm_reads_as_one() -> None:
    assert live_sentence(ALARM).startswith("ALARM: what serves is worse than the bias model")
    calm = ALARM | {"alarm": False, "enough": False}
    assert live_sentence(calm).endswith("too few to raise an alarm")
    row = {"as_of": "x", "run": "r", "run_type": "manual", "approved": True, "failed": []}
    assert "[red]ALARM" in _run_lines(row | {"outcome": "o", "live": ALARM})


@pytest.mark.parametrize("odd", [None, 3, [], {}, {"rmse": "x"}, {"why": 7}, {"rows": None}])
def test_a_sentence_comes_out_whatever_goes_in(odd: Any) -> None:
    assert live_sentence(odd)
