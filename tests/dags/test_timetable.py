"""When the weekly run starts by itself, and when it does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from marquee.settings import REPOSITORY, load_settings
from marquee.stack.airflow import airflow_environment

SCRIPT = """
import json
from datetime import timedelta
import pendulum
from airflow.timetables.base import DataInterval, TimeRestriction
from marquee_airflow.timetable import WeeklyTimetable

table = WeeklyTimetable("0 3 * * 0", timezone="UTC")
now = pendulum.now("UTC")
never = TimeRestriction(earliest=pendulum.datetime(1995, 1, 1), latest=None, catchup=False)

def due(weeks):
    last = None
    if weeks is not None:
        end = table._align_to_prev(now).subtract(weeks=weeks)
        last = DataInterval(start=end.subtract(weeks=1), end=end)
    info = table.next_dagrun_info(last_automated_data_interval=last, restriction=never)
    return {"at_once": info.run_after <= now,
            "days": (info.data_interval.end - info.data_interval.start).days,
            "ends": info.data_interval.end == info.run_after}

manual = table.infer_manual_data_interval(run_after=now)
print("RESULT" + json.dumps({
    "first": due(None), "on_time": due(0), "missed": due(2), "history": due(9),
    "manual": manual.end == now and manual.start < now,
}))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    home = Path(tmp_path_factory.mktemp("airflow"))
    environment = os.environ | airflow_environment(load_settings("local"), home)
    environment["PYTHONPATH"] = f"{REPOSITORY}:{REPOSITORY / 'plugins'}"
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    line = next((x for x in done.stdout.splitlines() if x.startswith("RESULT")), None)
    assert line, done.stderr[-2000:]
    found: dict[str, dict[str, object]] = json.loads(line.removeprefix("RESULT"))
    return found


@pytest.mark.parametrize("case", ["first", "on_time", "history"])
def test_nothing_starts_before_it_is_due(told: dict[str, dict[str, object]], case: str) -> None:
    assert told[case] == {"at_once": False, "days": 7, "ends": True}


def test_a_missed_week_is_made_up(told: dict[str, dict[str, object]]) -> None:
    assert told["missed"] == {"at_once": True, "days": 7, "ends": True}


def test_a_run_by_hand_sees_up_to_its_own_moment(told: dict[str, dict[str, object]]) -> None:
    assert told["manual"]
