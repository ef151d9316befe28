"""Up to when a run sees: the form's moment, Airflow's, and those that are refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from marquee.settings import REPOSITORY, load_settings
from marquee.stack.airflow import airflow_environment

SCRIPT = """
import json, os
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from airflow.sdk.exceptions import AirflowFailException
from marquee.clock import now
from marquee.errors import SourceError
from marquee_airflow.runs import as_of
from marquee_airflow.tasks import step

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
        return step(lambda: as_of({"as_of": moment}, None))().isoformat()
    except AirflowFailException as error:
        return f"fails at once: {error}"

present = datetime.now(UTC)
out = {
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
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = Path(tmp_path_factory.mktemp("airflow"))
    environment = os.environ | airflow_environment(load_settings("local"), home)
    environment["PYTHONPATH"] = f"{REPOSITORY}:{REPOSITORY / 'plugins'}"
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    line = next((x for x in done.stdout.splitlines() if x.startswith("RESULT")), None)
    assert line, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(line.removeprefix("RESULT"))
    return found


@pytest.mark.parametrize("case", ["form", "scheduled", "backfill", "by hand", "drill backfill"])
def test_a_run_sees_up_to_a_whole_second(told: dict[str, Any], case: str) -> None:
    assert told[case] == "2026-01-04T03:00:00+00:00"


@pytest.mark.parametrize("case", ["form ahead", "logical date ahead", "drill ahead"])
def test_a_moment_that_has_not_come_is_refused(told: dict[str, Any], case: str) -> None:
    assert told[case].startswith("AheadOfClockError: the ")
    assert "ahead of the clock" in told[case] and "give a moment that has passed" in told[case]


@pytest.mark.parametrize("case", ["form overflow", "form word"])
def test_what_is_no_moment_is_refused(told: dict[str, Any], case: str) -> None:
    assert told[case].startswith("SourceError: ") and "is not a moment" in told[case]


def test_the_task_of_such_a_run_fails_at_once_with_the_sentence(told: dict[str, Any]) -> None:
    assert told["task"].startswith("fails at once: the form's as-of, 2999-12-01T00:00:00Z, is ")
    assert told["task word"].startswith("fails at once: '2026-02-30T00:00:00Z' is not a moment")


def test_airflows_own_moments_are_taken_by_the_drills_clock(told: dict[str, Any]) -> None:
    assert told["drill scheduled"] == "2026-01-03T03:00:00+00:00"
    assert told["drill by hand"] is True
