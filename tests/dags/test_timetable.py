"""When the weekly run starts by itself, and when it does not.

Airflow's own database, DAG reader and scheduler, each called as in the running stack, under a clock
that walks over boundaries; one process runs these scenarios and those of `test_run_ends.py`.
"""

from __future__ import annotations

from typing import Any

import pytest

SCRIPT = '''
import json, logging, os, tempfile
from datetime import timedelta
from pathlib import Path
import pendulum, time_machine
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.sdk import DAG
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from marquee_airflow.timetable import WeeklyTimetable
from sqlalchemy import select

logging.disable(logging.WARNING)
SUNDAY = pendulum.datetime(2026, 2, 1, 3)
WEEK = timedelta(weeks=1)
EMPTY = tempfile.mkdtemp()
with create_session() as session:
    session.add(DagBundleModel(name="walk"))


class Walk:
    """One DAG with our timetable, its reader and its scheduler."""

    def __init__(self, name):
        self.name = name
        self.table = WeeklyTimetable("0 3 * * 0", "UTC", dag_id=name)

    def at(self, moment, *parts):
        with time_machine.travel(moment, tick=False):
            for part in parts:
                part()
        return self

    def read(self):
        """The DAG file is read."""
        bag = DagBag(EMPTY, bundle_name="walk")
        bag.dags = {self.name: DAG(self.name, schedule=self.table, catchup=False,
                                   start_date=pendulum.datetime(1995, 1, 1), max_active_runs=1)}
        sync_bag_to_db(bag, "walk", None)

    def schedule(self):
        """The scheduler looks: its own query (the clock in it is the database's), its own code."""
        with create_session() as session:
            model = session.get(DagModel, self.name)
            due = model.next_dagrun_create_after
            if model.is_paused or due is None or due > pendulum.now("UTC"):
                return
            runner = SchedulerJobRunner(job=Job())
            runner._create_dag_runs([model], session)

    def unpause(self, paused=False):
        with create_session() as session:
            session.get(DagModel, self.name).is_paused = paused

    def pause(self):
        self.unpause(paused=True)

    def backfill(self, first, weeks):
        """Runs of old weeks, as Airflow's backfill creates them."""
        from airflow.models.serialized_dag import SerializedDagModel
        with create_session() as session:
            dag = SerializedDagModel.get(self.name, session=session).dag
            for n in range(weeks):
                info = self.table._ending(first + n * WEEK)
                dag.create_dagrun(
                    run_id=f"backfill__{info.run_after.isoformat()}",
                    logical_date=info.logical_date, data_interval=info.data_interval,
                    run_after=info.run_after, run_type=DagRunType.BACKFILL_JOB, session=session,
                    triggered_by=DagRunTriggeredByType.BACKFILL, state=DagRunState.SUCCESS)

    def finish(self):
        with create_session() as session:
            for run in session.scalars(select(DagRun).where(DagRun.dag_id == self.name)):
                run.state = DagRunState.SUCCESS
            session.get(DagModel, self.name).exceeds_max_non_backfill = False

    def tick(self):
        """A quiet minute of the stack: read, schedule, and the run ends."""
        self.read(); self.schedule(); self.finish()

    def scheduled(self):
        """Which boundaries had a live run, in weeks after SUNDAY."""
        with create_session() as session:
            query = select(DagRun.run_after).where(
                DagRun.dag_id == self.name, DagRun.run_type == DagRunType.SCHEDULED)
            moments = [m.timestamp() for m in session.scalars(query)]
        return sorted((m - SUNDAY.timestamp()) / WEEK.total_seconds() for m in moments)


def started(name, early=timedelta(days=2)):
    """Read two days before SUNDAY and unpaused."""
    walk = Walk(name)
    return walk.at(SUNDAY - early, walk.read, walk.unpause, walk.schedule)


found = {}
second, half = timedelta(seconds=1), timedelta(seconds=30)

for name, delay in {"before": -second, "on": 0 * second, "after": second}.items():
    walk = started("first_" + name)  # the DAG is read at this moment of the boundary's minute
    for n in range(3):
        edge = SUNDAY + n * WEEK
        walk.at(edge + delay, walk.tick).at(edge + delay + half, walk.tick)
        walk.at(edge + timedelta(days=3), walk.tick)
    found["first_" + name] = walk.scheduled()

walk = started("every_minute", early=timedelta(minutes=5))
moment = SUNDAY - timedelta(minutes=4, seconds=47)
for n in range(24):
    walk.at(moment + n * half, walk.tick)
found["every_minute"] = walk.scheduled()

walk = Walk("unpaused_late")
walk.at(SUNDAY - timedelta(days=1), walk.read).at(SUNDAY + 20 * second, walk.read)
walk.at(SUNDAY + timedelta(days=1), walk.tick, walk.unpause, walk.tick)
found["unpaused_late"] = walk.scheduled()
walk.at(SUNDAY + WEEK + second, walk.tick).at(SUNDAY + WEEK + half, walk.tick)
found["unpaused_late_then"] = walk.scheduled()

walk = started("outage")
walk.at(SUNDAY + second, walk.tick)
back = SUNDAY + 3 * WEEK + timedelta(hours=5)
walk.at(back, walk.tick, walk.tick).at(back + half, walk.tick)
found["outage"] = walk.scheduled()

walk = started("outage_scheduler_first")
walk.at(SUNDAY + second, walk.tick)
walk.at(back, walk.schedule, walk.finish, walk.tick).at(back + half, walk.tick)
found["outage_scheduler_first"] = walk.scheduled()

walk = started("outage_first_boundaries")
walk.at(back, walk.tick, walk.tick).at(SUNDAY + 4 * WEEK + second, walk.tick)
found["outage_first_boundaries"] = walk.scheduled()

walk = started("months")
walk.at(SUNDAY + second, walk.tick)
walk.at(SUNDAY + 31 * WEEK + timedelta(days=1), walk.tick, walk.tick)
walk.at(SUNDAY + 32 * WEEK + second, walk.tick).at(SUNDAY + 32 * WEEK + half, walk.tick)
found["months"] = walk.scheduled()

walk = Walk("backfilled")
walk.at(SUNDAY - timedelta(days=2), walk.read, walk.unpause, walk.tick)
walk.backfill(SUNDAY - 200 * WEEK, 3)
walk.at(SUNDAY - timedelta(days=1), walk.tick, walk.tick)
found["backfilled"] = walk.scheduled()
walk.at(SUNDAY + second, walk.tick).at(SUNDAY + half, walk.tick)
found["backfilled_then"] = walk.scheduled()
walk.backfill(SUNDAY - 100 * WEEK, 2)
walk.at(SUNDAY + WEEK + second, walk.tick).at(SUNDAY + WEEK + half, walk.tick)
found["backfilled_again"] = walk.scheduled()

walk = started("paused_between")
walk.at(SUNDAY + second, walk.tick, walk.pause)
for n in (1, 2, 3):
    walk.at(SUNDAY + n * WEEK + second, walk.read, walk.schedule)
walk.at(SUNDAY + 3 * WEEK + timedelta(days=2), walk.read, walk.unpause, walk.tick, walk.tick)
walk.at(SUNDAY + 4 * WEEK + second, walk.tick)
found["paused_between"] = walk.scheduled()

walk = started("long_run")  # the run of SUNDAY is still at it when the next boundary passes
walk.at(SUNDAY + second, walk.read, walk.schedule)
walk.at(SUNDAY + WEEK + second, walk.read, walk.schedule)
walk.at(SUNDAY + WEEK + timedelta(days=1), walk.finish, walk.tick)
found["long_run"] = walk.scheduled()

walk = started("set_back")
walk.at(SUNDAY + second, walk.tick).at(SUNDAY - timedelta(hours=1), walk.tick)
walk.at(SUNDAY + second, walk.tick)
found["set_back"] = walk.scheduled()

def weeks(walk, *numbers):
    """The minute after each of these boundaries, with a clock that is right."""
    for n in numbers:
        walk.at(SUNDAY + n * WEEK + second, walk.tick).at(SUNDAY + n * WEEK + half, walk.tick)
    return walk.scheduled()


day, ahead = timedelta(days=1), SUNDAY + 83 * WEEK + timedelta(hours=7)

walk = started("ahead_once")  # the clock is ahead for one minute, and a run is created in it
walk.at(SUNDAY + second, walk.tick).at(ahead, walk.tick, walk.tick)
found["ahead_once"] = weeks(walk, 1, 2, 3)

walk = started("ahead_then_right")  # as above, and the week goes on before the next boundary
walk.at(SUNDAY + second, walk.tick).at(ahead, walk.tick).at(SUNDAY + 2 * day, walk.tick, walk.tick)
found["ahead_then_right"] = weeks(walk, 1, 2)

walk = started("ahead_read")  # the file alone is read while the clock is ahead
walk.at(SUNDAY + second, walk.tick).at(ahead, walk.read)
found["ahead_read"] = weeks(walk, 1, 2)

walk = started("ahead_read_first")  # before any run: nothing starts by itself
walk.at(ahead, walk.read).at(SUNDAY - day, walk.tick, walk.tick)
found["ahead_read_first"] = walk.scheduled()
found["ahead_read_first_then"] = weeks(walk, 0, 1)

walk = started("ahead_paused")
walk.at(SUNDAY + second, walk.tick, walk.pause).at(ahead, walk.read)
walk.at(SUNDAY + 2 * WEEK + day, walk.read, walk.unpause, walk.tick)
found["ahead_paused"] = weeks(walk, 3)

walk = started("back_for_days")  # the clock goes back over two boundaries that have had their runs
weeks(walk, 0, 1, 2)
walk.at(SUNDAY + day, walk.tick).at(SUNDAY + WEEK + second, walk.tick)
found["back_for_days"] = weeks(walk, 3, 4)

from airflow.api_fastapi.app import create_app
from airflow.utils.state import JobState
from fastapi.testclient import TestClient
from marquee.errors import StackError
from local_stack.environment import ADMIN_USER, admin_password
from local_stack import airflow_api
from local_stack.airflow_api import AirflowApi


class InProcess(AirflowApi):
    """Our client of Airflow's real API; `meanwhile` happens each time it asks for the DAG."""

    def __init__(self, app, meanwhile):
        self.http = TestClient(app)
        body = {"username": ADMIN_USER, "password": admin_password(HOME)}
        token = self._checked(self.http.post("/auth/token", json=body))["access_token"]
        self.http.headers["Authorization"] = f"Bearer {token}"
        self.http.event_hooks = {"response": [lambda answer: self.note(answer, meanwhile)]}

    def note(self, answer, meanwhile):
        if answer.request.method == "GET" and "/dags/" in answer.request.url.path:
            meanwhile.pop(0)() if meanwhile else None


class Start:
    """A start of the stack at a moment: its DAG reader's job is there, no file is read yet."""

    def __init__(self, walk, moment):
        self.walk, self.moment, self.app = walk, moment, create_app(apps="core")

    def __enter__(self):
        with create_session() as session:
            job = Job(job_type="DagProcessorJob", state=JobState.RUNNING)
            job.start_date = job.latest_heartbeat = self.moment
            session.add(job)
        return self

    def __exit__(self, *_):
        with create_session() as session:
            for job in session.scalars(select(Job)):
                job.state = JobState.SUCCESS

    def ready(self, *meanwhile, seconds=30):
        """`make up` unpauses; the words of its refusal, if it refuses."""
        try:
            with time_machine.travel(self.moment + 2 * second, tick=False):
                InProcess(self.app, list(meanwhile)).unpause(seconds)
        except StackError as error:
            return error.message


HOME = Path(os.environ["AIRFLOW_HOME"])
for name, read_at in {"stopped": SUNDAY - 2 * day, "stopped_ahead": ahead}.items():
    airflow_api.DAG = name
    walk = Walk(name)  # paused; the stack is stopped over boundaries, and starts again
    walk.at(read_at, walk.read)
    up = SUNDAY + 2 * WEEK + 3 * day
    with Start(walk, up) as start:
        refused = start.ready(seconds=0.5)
        walk.at(up + 3 * second, walk.schedule, walk.finish)
        found[name + "_not_read"] = [refused, walk.scheduled()]
        start.ready(lambda: None, lambda: walk.at(up + second, walk.read))
        walk.at(up + 4 * second, walk.schedule, walk.finish, walk.tick)
        found[name] = walk.scheduled()
        found[name + "_again"] = start.ready()  # unpaused already
    found[name + "_then"] = weeks(walk, 3)

from airflow.serialization.serialized_objects import DagSerialization
kept = WeeklyTimetable.deserialize(walk.table.serialize())
manual = kept.infer_manual_data_interval(run_after=SUNDAY + half)
found["kept"] = [kept.dag_id, kept.summary, (manual.end - manual.start) == half]
'''

WANTED = {
    "first_before": [0, 1, 2],
    "first_on": [0, 1, 2],
    "first_after": [0, 1, 2],
    "every_minute": [0],
    "unpaused_late": [],
    "unpaused_late_then": [1],
    "outage": [0, 3],
    "outage_scheduler_first": [0, 3],
    "outage_first_boundaries": [3, 4],
    "months": [0, 31, 32],
    "backfilled": [],
    "backfilled_then": [0],
    "backfilled_again": [0, 1],
    "paused_between": [0, 4],
    "long_run": [0, 1],
    "set_back": [0],
    "ahead_once": [0, 1, 2, 3, 83],
    "ahead_then_right": [0, 1, 2, 83],
    "ahead_read": [0, 1, 2],
    "ahead_read_first": [],
    "ahead_read_first_then": [0, 1],
    "ahead_paused": [0, 3],
    "back_for_days": [0, 1, 2, 3, 4],
    "stopped": [],
    "stopped_not_read": ["the DAG stopped is not there: not parsed", []],
    "stopped_again": None,
    "stopped_then": [3],
    "stopped_ahead": [],
    "stopped_ahead_not_read": ["the DAG stopped_ahead is not there: not parsed", []],
    "stopped_ahead_again": None,
    "stopped_ahead_then": [3],
    "kept": ["stopped_ahead", "0 3 * * 0", True],
}


@pytest.mark.parametrize("scenario", WANTED)
def test_each_boundary_has_its_run(observed: dict[str, Any], scenario: str) -> None:
    assert observed[scenario] == WANTED[scenario]
