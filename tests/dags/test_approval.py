"""A person is asked on a real verdict: the answer counts once, and outlives retries and outages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from marquee.settings import REPOSITORY
from tests.plugins.airflow_process import found_by

SCRIPT = """
import json, sys, threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from airflow.sdk.exceptions import TaskAwaitingInput, TaskDeferred
from airflow.providers.standard.operators import hitl
from marquee import run_folder
from marquee.errors import LakeUnavailableError
from marquee.identifiers import run_slug
from marquee.lake import open_lake
from marquee.settings import load_settings
from marquee_airflow import approval, runs
from marquee_airflow.plugin import MarqueePlugin
from release.outcomes import read_outcomes
from steps.form import Form
from steps.release_model import ApprovalAnswer, approval_of, record_answer, record_question
from steps.run import Run
sys.path.insert(0, sys.argv[1])
from promoted_runs import judged

SUNDAY = datetime(2026, 1, 4, 3, tzinfo=UTC)
AHEAD = datetime.now(UTC) + timedelta(days=400)
settings = load_settings()
here = Path.cwd()

# A verdict in a lake is real; Airflow's own side is the double.
lake = open_lake((here / "lake").as_uri())
judged(lake, here / "scratch", "r1", promote="ask")
run_one = Run("r1", SUNDAY, "manual", Form.of(settings, {}), settings, lake)
approval.current_run = lambda context: run_one
questions = []
hitl.upsert_hitl_detail = lambda **question: questions.append(question)
operator = approval.PromotionApprovalOperator(
    task_id="approve", model="recommender", schedule=settings.schedule)

def attempt(number, event=None):
    # What Airflow receives: nothing, to wait for input, or to wait through its triggerer.
    ti = SimpleNamespace(id="0199", try_number=number, dag_id="weekly_retrain", run_id="manual__1",
                         task_id="recommender.approve", map_index=-1)
    context = {"task_instance": ti, "ti": ti, "task": operator}
    try:
        if event is None:
            found = operator.execute(context)
        else:
            found = operator.execute_complete(context, event)
        return str(found and found["chosen_options"])
    except TaskAwaitingInput as waits:
        return f"asks, and resumes in {waits.method_name}"
    except TaskDeferred as waits:
        return f"waits in {type(waits.trigger).__name__}, and resumes in {waits.method_name}"

def said(option, name, minute):
    user = {"id": "1", "name": name} if name else None
    return {"chosen_options": [option], "params_input": {}, "responded_by_user": user,
            "responded_at": SUNDAY + timedelta(minutes=minute), "timedout": not name}

def away(path):
    raise LakeUnavailableError("HDFS does not answer", "wait")

kept = lambda: [o.kind for o in read_outcomes(lake, "runs/r1/models/recommender")]
lost = ["load_titles failed: the titles of March"]
run_folder.degraded_tasks = lambda lake, run: lost
asked = {"first": attempt(1), "body": questions[0]["body"], "after asking": kept()}
asked |= {"killed, tried again": attempt(2), "asked so far": len(questions)}
asked |= {"no": attempt(2, said("Reject", "ada", 1)), "after the no": kept()}
asked |= {"no, given twice": attempt(2, said("Reject", "ada", 1)), "after both": kept()}
asked |= {"cleared after the no": attempt(3), "asked in all": len(questions)}
asked |= {"silence": attempt(3, said("Reject", "", 2)), "after the silence": kept()}
lake.read_bytes, real = away, lake.read_bytes
asked |= {"yes while the lake is away": attempt(4, said("Approve", "grace", 3))}
lake.read_bytes = real
asked |= {"nothing written": approval_of(run_one, "recommender") is None}
asked |= {"yes": attempt(4, said("Approve", "grace", 3)), "after the yes": kept()}
asked |= {"cleared after the yes": attempt(5), "asked at last": len(questions)}

# Two runs end while a person is asked, and one of another DAG does.
runs.open_lake = lambda: lake
ends = {}
for name, dag_id, hook in [
    ("marked failed", "weekly_retrain", "on_dag_run_failed"),
    ("marked success", "weekly_retrain", "on_dag_run_success"),
    ("of another DAG", "somebody_elses", "on_dag_run_failed"),
    ("long answered", "weekly_retrain", "on_dag_run_failed"),
]:
    slug = run_slug(name)
    mine = Run(slug, SUNDAY, "manual", Form.of(settings, {}), settings, lake)
    record_question(mine, "budget", AHEAD, "here")
    if name == "long answered":
        record_answer(mine, "budget", ApprovalAnswer("rejected", "ada", SUNDAY))
    ended = SimpleNamespace(dag_id=dag_id, run_id=name)
    for listener in MarqueePlugin.listeners:
        getattr(listener, hook)(dag_run=ended, msg="")
        getattr(listener, hook)(dag_run=ended, msg="heard twice")
    [t.join() for t in threading.enumerate() if t.name.startswith("end-of-")]
    ends[name] = [o.kind for o in read_outcomes(lake, f"runs/{slug}/models/budget")]

found = {"asked": asked, "ends": ends}
"""


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = Path(tmp_path_factory.mktemp("airflow"))
    found: dict[str, Any] = found_by(SCRIPT, home, str(REPOSITORY / "tests" / "release"))
    return found


def test_a_person_is_asked_with_the_verdict_before_their_eyes(observed: dict[str, Any]) -> None:
    asked = observed["asked"]
    assert asked["first"] == "asks, and resumes in execute_complete"
    assert asked["after asking"] == ["waiting"]
    body = asked["body"]
    assert body.startswith("degraded: load_titles failed: the titles of March")
    assert "| condition | holds | why |" in body and "| 4 not worse than the champion |" in body
    assert "/v1/models/recommender/runs/r1/report)" in body
    assert "Whoever may edit this DAG in Airflow may answer by 20" in body


def test_a_retry_waits_on_the_question_that_stands(observed: dict[str, Any]) -> None:
    asked = observed["asked"]
    assert asked["killed, tried again"] == "waits in HITLTrigger, and resumes in execute_complete"
    assert asked["asked so far"] == 1, "asking again would clear the answer"


def test_a_no_skips_nothing_and_is_written_once(observed: dict[str, Any]) -> None:
    asked = observed["asked"]
    assert asked["no"] == asked["no, given twice"] == "['Reject']"
    assert asked["after the no"] == asked["after both"] == ["waiting", "rejected"]


def test_a_task_cleared_after_a_no_asks_afresh(observed: dict[str, Any]) -> None:
    asked = observed["asked"]
    assert asked["cleared after the no"] == "asks, and resumes in execute_complete"
    assert asked["asked in all"] == 2
    assert asked["after the silence"][-2:] == ["waiting", "timed_out"]


def test_a_yes_given_while_the_lake_is_away_is_the_tasks_result(observed: dict[str, Any]) -> None:
    asked = observed["asked"]
    assert asked["yes while the lake is away"] == "['Approve']" and asked["nothing written"]
    assert asked["yes"] == "['Approve']" and asked["after the yes"][-1] == "approved"
    assert (asked["cleared after the yes"], asked["asked at last"]) == ("None", 2)


def test_a_run_that_ends_while_a_person_is_asked_says_so(observed: dict[str, Any]) -> None:
    """Nobody hears the answer any more, so nobody may read that one is waited for."""
    ends = observed["ends"]
    assert ends["marked failed"] == ends["marked success"] == ["waiting", "ended"]
    assert ends["of another DAG"] == ["waiting"]
    assert ends["long answered"] == ["waiting", "rejected"]
