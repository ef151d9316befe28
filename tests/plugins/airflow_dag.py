"""The DAG as Airflow reads it, in a process of its own: its home must be set before import.

Airflow takes seconds to import, so one reading serves a whole test session.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from marquee.settings import REPOSITORY, load_settings
from tests.plugins.airflow_process import found_by

SCRIPT = """
import json, os, sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from airflow.serialization.serialized_objects import DagSerialization
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import AirflowException
import requests
from marquee.errors import SourceError, StackError
from marquee.lake import webhdfs
from marquee_airflow.runs import open_lake
from marquee_airflow.spark import job_error
from marquee_airflow.tasks import airflow_step
bag = DagBag(sys.argv[1])
dag = bag.dags.get("weekly_retrain")
read_link = lambda link, task: link.get_link(
    task, ti_key=SimpleNamespace(run_id="manual__2026-01-04T03:00:00+00:00"))
out = {"errors": bag.import_errors, "commands": {}, "tasks": {}, "params": {}, "ends": {}}
for name, status, last in [
    ("wrong input", 2, "error: no rating is left"), ("away", 75, "error: HDFS is away"),
    ("killed", -9, "INFO stage 3"), ("driver killed", 137, ""), ("stopped", 143, ""),
    ("fault", 1, "KeyError: 'colour'"), ("no file", 2, "python3: can't open file 'x.py'"),
]:
    said = f"Cannot execute: spark-submit. Error code is: {status}.\\nLast spark-submit output:"
    end = job_error(AirflowException(f"{said}\\nINFO started\\n{last}"))
    out["ends"][name] = [type(end).__name__, str(end)]
webhdfs.SECONDS_TO_RETRY, out["asked"], ask = 0, [], requests.Session.request
def noted(session, method, url, **given):
    out["asked"].append([url.split("/")[2], given["timeout"]])
    return ask(session, method, url, **given)
requests.Session.request = noted
nobody = {"host": "127.0.0.1,127.0.0.2", "port": 9, "extra": {"root": "hdfs://127.0.0.1:9/m"}}
os.environ["AIRFLOW_CONN_HDFS_LAKE"] = json.dumps({"conn_type": "webhdfs", "login": "m"} | nobody)
try:
    open_lake()
except Exception as end:
    out["ends"]["no NameNode"] = [type(end).__name__, str(end)]
requests.Session.request = ask
def raises(error):
    raise error
for error in (SourceError("no column", "name it"), StackError("serving is dead"), OSError("x")):
    try:
        airflow_step(raises)(error)
    except Exception as end:
        out["ends"][type(error).__name__] = [type(end).__name__, str(end)]
if dag:
    out["params"] = {k: dag.params.get_param(k).schema for k in dag.params}
    read_back = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    out["buttons"] = {t.task_id: sorted(t.extra_links) for t in read_back.tasks}
    for task in dag.tasks:
        out["tasks"][task.task_id] = {
            "downstream": sorted(task.downstream_task_ids), "pool": task.pool,
            "rule": str(getattr(task.trigger_rule, "value", task.trigger_rule)),
            "teardown": task.is_teardown, "retries": task.retries,
            "minutes": task.execution_timeout and task.execution_timeout.total_seconds() / 60,
            "policy": type(task.retry_policy).__name__,
            "links": {link.name: read_link(link, task) for link in task.operator_extra_links},
        }
        if hasattr(task, "job"):
            lake, web = sys.argv[2:]
            given = ["--lake", lake, "--webhdfs", web, "--user", "marquee", "--run", "<run>"]
            task.application_args[:8] = given
            task.name = task.name.replace("{{ run_slug(run_id) }}", "<run>")
            task.name = task.name.replace("{{ ti.try_number }}", "1")
            command = task._get_hook()._build_spark_submit_command(task.application)
            out["commands"][task.job] = command
def tries(name, hours_ago, *numbers, most=6):
    policy = dag.get_task(name).retry_policy
    run = SimpleNamespace(start_date=datetime.now(UTC) - timedelta(hours=hours_ago))
    ends = [policy.evaluate(OSError("x"), n, most, {"dag_run": run}) for n in numbers]
    return [end.retry_delay.total_seconds() if end.retry_delay else end.reason for end in ends]
out["tries"] = {
    "in time": tries("recommender.train", 1, *range(1, 7)),
    "cleared": tries("recommender.train", 1, 8, 13, most=13),
    "too late": tries("recommender.train", 24 * 14, 1),
    "last task": tries("report", 1, 6),
}
found = out
"""


@pytest.fixture(scope="session")
def dag(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Import errors, tasks with what follows them, params' schemas, and the built commands."""
    settings = load_settings("local")
    home = Path(tmp_path_factory.mktemp("airflow"))
    places = str(REPOSITORY / "dags"), settings.lake.root, settings.lake.webhdfs
    found: dict[str, Any] = found_by(SCRIPT, home, *places)
    return found
