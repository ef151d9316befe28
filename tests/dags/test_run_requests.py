"""What Airflow hands a run, and what it refuses at the door: moments, the form, the schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from marquee.settings import load_settings
from tests.plugins.airflow_process import found_by

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
out = {"logged": logged, "door": door, "doors": doors, "shown": shown,
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
found = out
"""


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    found: dict[str, Any] = found_by(SCRIPT, Path(tmp_path_factory.mktemp("airflow")))
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


def test_what_a_step_prints_keeps_its_place_in_the_log(observed: dict[str, Any]) -> None:
    assert observed["logged"] == [
        "task.stdout: 1. sound: 100 % answered",
        "airflow.task: between",
        "task.stdout: 2. good enough",
        "task.stdout: 3. better than trivial",
        "task.stdout: the end",
    ]
