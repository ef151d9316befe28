"""What a command shows of a run: who is waited for, what runs and how far, what failed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from cli import run_watch
from cli.run_results import RunFigures
from local_stack.airflow_api import DAG, AirflowApi
from marquee.errors import StackError
from tests.plugins.tiny_stack import TinyStack

RUN = "manual__2026-03-04T05:06:07+00:00"


def instance(task: str, state: str, **more: Any) -> dict[str, Any]:
    return {
        "task_id": task,
        "state": state,
        "start_date": "2026-03-04T05:07:08.9Z",
        "end_date": None,
        "try_number": 1,
        "duration": 2.0,
    } | more


def test_a_run_shows_who_is_waited_for_what_failed_and_where(
    airflow: Callable[..., list[str]], stack: TinyStack, out: Console, monkeypatch: Any
) -> None:
    run, gate = f"/dags/{DAG}/dagRuns/{RUN}", "recommender.approve"
    torn = {"exc_type": "AirflowFailException", "exc_value": "ratings.csv: no column userId"}
    airflow(
        {
            f"/dags/{DAG}": {"is_paused": False},
            run: [{"state": "running"}, {"state": "running"}, {"state": "failed"}],
            f"{run}/taskInstances": [
                {"task_instances": [instance(gate, "awaiting_input")]},
                {"task_instances": [instance(gate, "awaiting_input")]},
                {"task_instances": [failed := instance("load_ratings", "failed", try_number=3)]},
                {"task_instances": [failed, instance("report", "success")]},
            ],
            f"{run}/taskInstances/{gate}/-1/hitlDetails": {"subject": "May it serve?"},
            f"{run}/taskInstances/load_ratings/logs/3": {
                "content": [
                    {"event": "reading", "level": "info"},
                    {"event": "error: ratings.csv: no column userId", "level": "info"},
                    {"event": "it failed", "level": "error", "error_detail": [torn]},
                ]
            },
        }
    )
    monkeypatch.setattr(stack, "check_running", lambda: None)
    monkeypatch.setattr(stack, "pids", list)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    api = AirflowApi(stack.settings, Path())
    assert run_watch.watch(out, api, RUN, stack, RunFigures()) == "failed"
    run_watch.show_failures(out, api, RUN, Path("/logs"))
    output = out.export_text()
    assert output.count("waiting for a person: May it serve?") == 1
    asked_at = f"/dags/{DAG}/runs/manual__2026-03-04T05:06:07%2B00:00/tasks/{gate}/required_actions"
    assert f"http://127.0.0.1:7{asked_at}" in output
    failure = output.partition("failed load_ratings, attempt 3")[2]
    assert failure.count("ratings.csv: no column userId") == 1
    assert f"/logs/dag_id={DAG}/run_id={RUN}/task_id=load_ratings/attempt=3.log" in failure


def test_a_run_whose_stack_is_stopped_ends_with_a_sentence(
    airflow: Callable[..., list[str]], stack: TinyStack, out: Console
) -> None:
    airflow({})
    with pytest.raises(StackError, match="the stack was stopped by another command"):
        run_watch.watch(out, AirflowApi(stack.settings, Path()), RUN, stack, RunFigures())


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        ("2026-03-04T05:08:00Z", ", sweep 7 of 140; chain 2"),
        ("2026-03-04T05:07:00Z", ""),  # an earlier run's last word
    ],
)
def test_a_running_task_says_since_when_and_how_far(tmp_path: Path, at: str, shown: str) -> None:
    word = {"what": "sweep", "done": 7, "of": 140, "since": at, "at": at, "note": "chain 2"}
    (tmp_path / "recommender.train.json").write_text(json.dumps(word))
    line = run_watch.running_line(instance("recommender.train", "running"), tmp_path)
    assert line == f"recommender.train since 05:07:08Z{shown}"


def test_what_is_paused_or_tried_again_is_said(
    airflow: Callable[..., list[str]], stack: TinyStack
) -> None:
    airflow({f"/dags/{DAG}": {"is_paused": False}})
    api = AirflowApi(stack.settings, Path())
    again = run_watch._idle_sentence(api, [instance("crawl_titles", "up_for_retry")])
    assert again == "failed, and to be tried again: crawl_titles"
    airflow({f"/dags/{DAG}": {"is_paused": True}})
    assert "was paused" in run_watch._idle_sentence(AirflowApi(stack.settings, Path()), [])


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        (["[bake] 7 loaves", "[bake] cool down: 20.1 s"], "[bake] 7 loaves"),
        (["7 loaves", '{"loaves": 7}'], "7 loaves"),
        (["[bake] heat: 1.0 s"], ""),
        (["7 loaves", "21:00 WARN error: no flour — buy some"], "error: no flour — buy some"),
        (["[bake] it rose in: 3 ovens"], "[bake] it rose in: 3 ovens"),
    ],
)
def test_a_task_is_summed_up_by_its_own_last_sentence(
    airflow: Callable[..., list[str]], stack: TinyStack, printed: list[str], shown: str
) -> None:
    """No stage's seconds, no figures for programs."""
    content = [{"event": line, "logger": "task.stdout"} for line in printed]
    airflow({f"/dags/{DAG}/dagRuns/{RUN}/taskInstances/bake/logs/1": {"content": content}})
    api = AirflowApi(stack.settings, Path())
    sentence = Text.from_markup(
        run_watch._last_sentence(api, RUN, instance("bake", "success"))
    ).plain
    assert sentence == shown


def test_a_queued_run_says_behind_which_it_waits(
    airflow: Callable[..., list[str]], stack: TinyStack
) -> None:
    runs = [
        {"dag_run_id": "later", "state": "queued", "queued_at": "2026-03-04T09:00:00Z"},
        {"dag_run_id": RUN, "state": "queued", "queued_at": "2026-03-04T08:00:00Z"},
        {"dag_run_id": "first", "state": "running", "queued_at": "2026-03-04T07:00:00Z"},
    ]
    airflow({f"/dags/{DAG}/dagRuns": {"dag_runs": runs}})
    api = AirflowApi(stack.settings, Path())
    assert run_watch._queue_sentence(api, RUN).endswith("this one waits for first to end")
    assert run_watch._queue_sentence(api, "first") == ""
