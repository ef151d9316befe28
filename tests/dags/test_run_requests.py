"""What Airflow hands a run, and what it refuses at the door: moments, the form, the schema."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local_stack.environment import airflow_environment
from marquee.settings import REPOSITORY, load_settings

SCRIPT = """
import asyncio, json, logging, os, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from airflow.api_fastapi.core_api.datamodels.dag_run import TriggerDAGRunPostBody
from airflow.sdk.exceptions import AirflowFailException
from marquee.clock import now
from marquee.errors import SourceError
from marquee.settings import load_settings
from marquee_airflow.form import FormCheck, form
from marquee_airflow.plugin import MarqueePlugin
from marquee_airflow.runs import as_of
from marquee_airflow.tasks import airflow_step
from marquee_airflow.timetable import WeeklyTimetable

SUNDAY = datetime(2026, 1, 4, 3, tzinfo=UTC)
AHEAD = datetime.now(UTC) + timedelta(days=400)

def run(kind, end=None, after=None):
    return SimpleNamespace(run_type=kind, data_interval_end=end, run_after=after)

def seen(dag_run, **params):
    try:
        return as_of(params, dag_run).isoformat()
    except SourceError as error:
        return f"{type(error).__name__}: {error}"

def task(moment):
    try:
        return airflow_step(lambda: as_of({"as_of": moment}, None))().isoformat()
    except AirflowFailException as error:
        return f"fails at once: {error}"

def triggered(moment):
    # What Airflow's own REST API makes of a logical date; its route turns ValueErrors into a 400.
    table = SimpleNamespace(timetable=WeeklyTimetable("0 3 * * 0", "UTC"),
                            validate_partition_key=lambda key: None)
    try:
        body = TriggerDAGRunPostBody(logical_date=moment, dag_run_id="r", partition_key=None)
        table.timetable.resolve_partition_date = lambda key: None
        return body.validate_context(table)["data_interval"].end.isoformat()
    except ValueError as error:
        return f"400: {error}"

def post(path, body, method="POST"):
    # What the API server's door lets through, and what it answers otherwise.
    parts = [body[:9], body[9:]]
    asked = [{"type": "http.request", "body": p, "more_body": p is parts[0]} for p in parts]
    said = []
    async def receive():
        return asked.pop(0)
    async def send(message):
        said.append(message)
    async def airflow(scope, receive, send):
        first, second = await receive(), await receive()
        said.append("airflow got " + (first["body"] + second["body"]).decode())
    scope = {"type": "http", "method": method, "path": path}
    asyncio.run(FormCheck(airflow)(scope, receive, send))
    if isinstance(said[0], str):
        return said[0]
    return f"{said[0]['status']}: {json.loads(said[1]['body'])['detail']}"

RUNS, BACKFILLS = "/api/v2/dags/weekly_retrain/dagRuns", "/api/v2/backfills"
PAST = b'{"dag_id": "weekly_retrain", "dag_run_conf": {"x": 1}}'
door = {
    "right": post(RUNS, b'{"logical_date": null, "conf": {"promote": "ask", "as_of": null}}'),
    "empty": post(RUNS, b'{"logical_date": null}'),
    "slip": post(RUNS, b'{"conf": {"max_page": 4}}'),
    "word": post(RUNS, b'{"conf": {"promote": "maybe"}}'),
    "looser": post(RUNS, b'{"conf": {"recommender_rmse_ceiling": 44}}'),
    "list": post(RUNS, b'{"conf": ["promote"]}'),
    "below a path": post("/airflow" + RUNS, b'{"conf": {"max_pages": -1}}'),
    "another DAG's": post("/execution/dag-runs/weekly_retrain/r1", b'{"conf": {"force": "si"}}'),
    "backfill": post(BACKFILLS, PAST),
    "backfill tried": post(BACKFILLS + "/dry_run", PAST),
    "backfill of another": post(BACKFILLS, b'{"dag_id": "other", "dag_run_conf": {"x": 1}}'),
    "another's run": post("/api/v2/dags/other/dagRuns", b'{"conf": {"max_page": 4}}'),
    "only looked at": post(RUNS, b'{"conf": {"max_page": 4}}', "GET"),
    "no JSON": post(RUNS, b'{"conf": {"max_page'),
}
doors = [d["middleware"] is FormCheck for d in MarqueePlugin.fastapi_root_middlewares]
settings = load_settings()
shown = {key: form(settings)[key] for key in form(settings)}
shown = {key: [p.description, p.schema] for key, p in shown.items()}

# A person is asked, on a real verdict in a real lake; Airflow's own side is the double.
sys.path.insert(0, sys.argv[2])
from promoted_runs import judged
from airflow.providers.standard.operators import hitl
from airflow.sdk.exceptions import TaskAwaitingInput, TaskDeferred
from marquee.errors import LakeUnavailableError
from steps.form import Form
from marquee.lake import open_lake
from release.outcomes import read_outcomes
from steps.release_model import approval_of
from steps.run import Run
from marquee import run_folder
from marquee_airflow import approval

lake = open_lake("file://" + sys.argv[1] + "/lake")
judged(lake, Path(sys.argv[1]) / "scratch", "r1", promote="ask")
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
import threading
from marquee.identifiers import run_slug
from steps.release_model import ApprovalAnswer, record_answer, record_question
from marquee_airflow import runs
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

logged = []
class Keep(logging.Handler):
    def emit(self, record):
        logged.append(f"{record.name}: {record.getMessage()}")
logging.getLogger().addHandler(Keep())
logging.getLogger("task.stdout").setLevel(logging.INFO)
logging.getLogger("task.stdout").propagate = True

def talk():
    print("1. sound: 100 % answered", flush=True)
    logging.getLogger("airflow.task").warning("between")
    print("2. good enough\\n3. better than trivial")
    print("the end", end="")

airflow_step(talk)()

present = datetime.now(UTC)
out = {"asked": asked, "ends": ends, "logged": logged, "door": door, "doors": doors, "shown": shown,
    "triggered": triggered("2026-01-04T03:00:00Z"),
    "triggered ahead": triggered(AHEAD.isoformat()),
    "triggered last": triggered("9999-12-31T23:59:59Z"),
    "triggered first": triggered("0001-01-01T00:00:00Z"),
    "form": seen(None, as_of="2026-01-04T04:00:00.9+01:00"),
    "form ahead": seen(None, as_of="2999-01-04T03:00:00Z"),
    "form overflow": seen(None, as_of="9999-12-31T23:59:59-14:00"),
    "form word": seen(None, as_of="soon"),
    "scheduled": seen(run("scheduled", SUNDAY)),
    "backfill": seen(run("backfill", SUNDAY, present)),
    "logical date ahead": seen(run("manual", AHEAD, present)),
    "by hand": seen(run("manual", None, SUNDAY.replace(microsecond=7))),
    "task": task("2999-12-01T00:00:00Z"),
    "task word": task("2026-02-30T00:00:00Z"),
}
os.environ["MARQUEE_CLOCK_OFFSET"] = "-86400"
out["drill scheduled"] = seen(run("scheduled", SUNDAY))
out["drill backfill"] = seen(run("backfill", SUNDAY))
out["drill by hand"] = as_of({}, run("manual", None, datetime.now(UTC))) <= now()
out["drill ahead"] = seen(None, as_of=(present - timedelta(hours=3)).isoformat())
print("RESULT" + json.dumps(out))
"""


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = Path(tmp_path_factory.mktemp("airflow"))
    environment = os.environ | airflow_environment(load_settings("local"), home)
    environment["PYTHONPATH"] = f"{REPOSITORY}:{REPOSITORY / 'plugins'}"
    command = [sys.executable, "-c", SCRIPT, str(home), str(REPOSITORY / "tests" / "release")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    line = next((x for x in done.stdout.splitlines() if x.startswith("RESULT")), None)
    assert line, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(line.removeprefix("RESULT"))
    return found


PAST = ["form", "scheduled", "backfill", "by hand", "drill backfill", "triggered"]


@pytest.mark.parametrize("case", PAST)
def test_a_run_sees_up_to_a_whole_second(observed: dict[str, Any], case: str) -> None:
    assert observed[case] == "2026-01-04T03:00:00+00:00"


@pytest.mark.parametrize("case", ["form ahead", "logical date ahead", "drill ahead"])
def test_a_moment_that_has_not_come_is_refused(observed: dict[str, Any], case: str) -> None:
    assert observed[case].startswith("AheadOfClockError: the ")
    assert (
        "ahead of the clock" in observed[case] and "give a moment that has passed" in observed[case]
    )


@pytest.mark.parametrize("case", ["form overflow", "form word"])
def test_what_is_no_moment_is_refused(observed: dict[str, Any], case: str) -> None:
    assert observed[case].startswith("SourceError: ") and "is not a moment" in observed[case]


def test_airflow_refuses_a_logical_date_that_makes_no_run(observed: dict[str, Any]) -> None:
    assert observed["triggered ahead"].startswith("400: the logical date, ")
    assert "days ahead of the clock" in observed["triggered ahead"]
    assert observed["triggered last"].startswith("400: the logical date, 9999-12-31T23:59:59Z, is ")
    assert observed["triggered first"].startswith(
        "400: no week ends by the logical date 0001-01-01"
    )


def test_the_task_of_such_a_run_fails_at_once_with_the_sentence(observed: dict[str, Any]) -> None:
    assert observed["task"].startswith("fails at once: the form's as-of, 2999-12-01T00:00:00Z, is ")
    assert observed["task word"].startswith("fails at once: '2026-02-30T00:00:00Z' is not a moment")


def test_airflows_own_moments_are_taken_by_the_drills_clock(observed: dict[str, Any]) -> None:
    assert observed["drill scheduled"] == "2026-01-03T03:00:00+00:00"
    assert observed["drill by hand"] is True


@pytest.mark.parametrize(
    "case",
    ["right", "empty", "backfill of another", "another's run", "only looked at", "no JSON"],
)
def test_the_door_hands_on_what_airflow_may_see(observed: dict[str, Any], case: str) -> None:
    assert observed["door"][case].startswith("airflow got {")


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        ("slip", "a run knows no 'max_page' — did you mean 'max_pages'?"),
        ("word", "the form's 'promote' is 'maybe' — give yes, ask or no"),
        ("looser", "'recommender_rmse_ceiling' = 44 would loosen the gate, which holds "),
        ("list", "a run's conf is ['promote'] — give an object of the form's keys"),
        ("below a path", "the form's 'max_pages' is -1 — give a whole number from 0 to 100,000"),
        ("another DAG's", "the form's 'force' is 'si' — give true or false"),
        ("backfill", "a run knows no 'x'"),
        ("backfill tried", "a run knows no 'x'"),
    ],
)
def test_the_door_refuses_what_no_run_could_use(
    observed: dict[str, Any], case: str, sentence: str
) -> None:
    assert observed["doors"] == [True]
    assert observed["door"][case].startswith(f"400: {sentence}")


def test_the_form_shows_the_policy_and_takes_no_looser_bound(observed: dict[str, Any]) -> None:
    policy = load_settings("local").policy
    described, schema = observed["shown"]["recommender_rmse_ceiling"]
    held = policy.recommender["rmse_ceiling"]
    assert f"The policy holds {held:g} stars" in described
    assert (schema["minimum"], schema["maximum"]) == (0, held)
    described, schema = observed["shown"]["recommender_coverage_floor"]
    held = policy.recommender["coverage_floor"]
    assert f"The policy holds {held:g}" in described
    assert (schema["minimum"], schema["maximum"]) == (held, 1)


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


def test_what_a_step_prints_keeps_its_place_in_the_log(observed: dict[str, Any]) -> None:
    assert observed["logged"] == [
        "task.stdout: 1. sound: 100 % answered",
        "airflow.task: between",
        "task.stdout: 2. good enough",
        "task.stdout: 3. better than trivial",
        "task.stdout: the end",
    ]
