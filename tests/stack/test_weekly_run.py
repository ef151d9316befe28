"""The whole weekly run through Airflow, on real daemons, in the order a user meets it.

One stack for the module; each test leaves it as the next one expects, and says what it needs. Its
recipes are small, for what is tried here is all around training; `test_real_release.py` trains
what ships.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import psutil
import pytest

from local_stack.airflow_api import ENDED_STATES, AirflowApi
from local_stack.stack import Stack
from marquee.errors import StackError
from marquee.identifiers import run_slug
from marquee.lake import Lake, open_lake
from marquee.policy import MODELS
from release.ledger import Ledger
from tests.plugins.local_stack import stack_settings
from tests.small_recipes import BUDGET, RECOMMENDER
from tests.stack.found_secrets import holders_of_secrets, holds_secrets, logs_with_secrets

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1500)]
MINUTES = 20  # until something that hangs is given up; a loaded machine takes its time


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Everything Procfile names, on the synthetic world; afterwards no process is left."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MARQUEE_RECIPES__RECOMMENDER", json.dumps([RECOMMENDER]))
        environment.setenv("MARQUEE_RECIPES__BUDGET", json.dumps([BUDGET]))
        stack = Stack(stack_settings(tmp_path_factory.mktemp("stack")))
        ready = {name for name, _ in stack.up()}
    assert ready >= set(stack.processes)
    family = [p for pid in stack.pids() for p in psutil.Process(pid).children(recursive=True)]
    family += [psutil.Process(pid) for pid in stack.pids()]
    yield stack
    assert stack.down()
    gone, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []
    assert len(gone) >= len(stack.processes)


@pytest.fixture(scope="module")
def api(stack: Stack) -> AirflowApi:
    api = AirflowApi(stack.settings, stack.folders.airflow)
    api.create_pools()
    assert not api.is_paused(), "a new DAG is unpaused by nobody"
    return api


@pytest.fixture(scope="module")
def lake(stack: Stack) -> Lake:
    return open_lake(stack.settings.lake.root, stack.settings.lake.webhdfs)


def finish(api: AirflowApi, run_id: str) -> dict[str, dict[str, Any]]:
    """Wait for a run's end; its task instances by task id."""
    deadline = time.monotonic() + MINUTES * 60
    while api.run(run_id)["state"] not in ENDED_STATES:
        assert time.monotonic() < deadline, f"{run_id} did not end: {api.tasks(run_id)}"
        time.sleep(1)
    return {task["task_id"]: task for task in api.tasks(run_id)}


def states(tasks: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: task["state"] for name, task in tasks.items()}


def get(stack: Stack, path: str, **params: Any) -> Any:
    port = stack.settings.stack.port("serving")
    return httpx.get(f"http://127.0.0.1:{port}{path}", params=params, trust_env=False, timeout=30)


def test_before_the_first_promotion_the_api_says_so(stack: Stack) -> None:
    answer = get(stack, "/v1/users/1/recommendations")
    assert answer.status_code == 503
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert "promoted" in answer.json()["detail"]


def test_unpausing_starts_nothing_by_itself(api: AirflowApi) -> None:
    assert api.call("GET", "/dags/weekly_retrain/dagRuns")["dag_runs"] == []


@pytest.fixture(scope="module")
def first(api: AirflowApi) -> str:
    return api.trigger({})


def test_first_run_promotes_both_models(
    api: AirflowApi, stack: Stack, lake: Lake, first: str
) -> None:
    tasks = finish(api, first)
    assert set(states(tasks).values()) == {"success"}, states(tasks)
    assert api.run(first)["state"] == "success"
    for model in MODELS:
        (entry,) = Ledger(lake, model).entries()
        assert entry.run == run_slug(first)
        served = get(stack, f"/v1/models/{model}/champion").json()
        assert served["entry"]["bundle"] == entry.bundle
    recommended = get(stack, "/v1/users/1/recommendations", n=5).json()
    assert len(recommended["recommendations"]) == 5


@pytest.mark.parametrize("model", MODELS)
def test_the_gates_button_opens_its_report(
    api: AirflowApi, lake: Lake, first: str, model: str
) -> None:
    gate = f"/dags/weekly_retrain/dagRuns/{first}/taskInstances/{model}.gate"
    link = api.call("GET", f"{gate}/links")["extra_links"]["Report"]
    answer = httpx.get(link, trust_env=False, timeout=30)
    assert answer.status_code == 200
    verdict = lake.read_json(f"runs/{run_slug(first)}/models/{model}/verdict.json")
    assert verdict["headline"] in answer.text


def test_first_run_read_and_wrote_hdfs_only(
    api: AirflowApi, stack: Stack, lake: Lake, first: str
) -> None:
    """Where HDFS was meant, no file of a lake lies in a folder of this machine."""
    assert lake.root.startswith("hdfs://")
    of_a_lake = ("*.parquet", "manifest.json", "inputs.json", "verdict.json")
    beside = [path for name in of_a_lake for path in stack.folders.state.rglob(name)]
    daemons, served = stack.folders.hdfs, stack.folders.bundles
    assert [
        p for p in beside if not p.is_relative_to(daemons) and not p.is_relative_to(served)
    ] == []
    log = " ".join(api.log(first, "recommender.train", 1))
    assert f"--lake {lake.root}" in log
    assert "file:///" not in log.split("--lake")[1]
    for name in ("prepared/ratings", "split/ratings", "prepared/titles", "split/titles"):
        assert lake.manifest(f"runs/{run_slug(first)}/{name}").files
    assert lake.names(".staging") == ["ready"]


def test_serving_runs_without_spark_or_java(stack: Stack) -> None:
    pid = next(p["pid"] for p in stack.supervisor.processes() if p["name"] == "serving")
    process = psutil.Process(pid)
    for child in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            assert "java" not in child.name()
    mapped = " ".join(m.path for m in process.memory_maps())
    assert "pyspark" not in mapped
    assert "libjvm" not in mapped


def test_second_run_loads_and_retrains_nothing(api: AirflowApi, lake: Lake, first: str) -> None:
    before = [lake.names("raw/ratings"), lake.names("raw/titles")]
    tasks = finish(api, api.trigger({}))
    assert [lake.names("raw/ratings"), lake.names("raw/titles")] == before
    assert tasks["prepare_ratings"]["state"] == "skipped"
    assert tasks["recommender.train"]["state"] == "skipped"
    assert tasks["budget.train"]["state"] == "skipped"
    assert tasks["report"]["state"] == "success"
    log = " ".join(api.log(tasks["report"]["dag_run_id"], "report", 1))
    assert f"nothing changed since run {run_slug(first)}" in log
    assert len(Ledger(lake, "recommender").entries()) == 1


def test_killed_driver_is_retried_and_promotes_once(
    api: AirflowApi, stack: Stack, lake: Lake
) -> None:
    before = {model: len(Ledger(lake, model).entries()) for model in MODELS}
    run_id = api.trigger({"force": True})
    driver = wait_for_driver("train_recommender", lake, run_slug(run_id))
    assert not holds_secrets(stack, driver)
    os.kill(driver, signal.SIGKILL)
    tasks = finish(api, run_id)
    assert states(tasks)["recommender.train"] == "success"
    assert tasks["recommender.train"]["try_number"] == 2
    for model in MODELS:
        entries = Ledger(lake, model).entries()
        assert [e.run for e in entries[before[model] :]] == [run_slug(run_id)]
        assert Ledger(lake, model).verify() == []


def wait_for_driver(job: str, lake: Lake, run: str) -> int:
    """The JVM of this lake's and run's driver, once it has had time to start its session; a driver
    that somebody else runs on this machine is not ours to kill."""
    deadline = time.monotonic() + MINUTES * 60
    while time.monotonic() < deadline:
        for process in psutil.process_iter(["name", "cmdline"]):
            line = " ".join(process.info["cmdline"] or [])
            is_ours = all(part in line for part in (f"{job}.py", lake.root, run))
            is_driver = process.info["name"] == "java" and is_ours
            with suppress(psutil.NoSuchProcess):  # it, or a child of it, may just have ended
                if is_driver and any("python" in c.name() for c in process.children()):
                    return int(process.pid)
        time.sleep(0.2)
    raise AssertionError(f"no driver of {job} was seen")


def test_three_backfilled_weeks_are_judged_and_promote_nothing(api: AirflowApi, lake: Lake) -> None:
    before = [Ledger(lake, model).entries() for model in MODELS]
    body = {
        "dag_id": "weekly_retrain",
        "from_date": "2026-09-06T03:00:00Z",
        "to_date": "2026-09-20T03:00:00Z",
        "reprocess_behavior": "none",
        "max_active_runs": 1,
        "run_backwards": False,
        "dag_run_conf": {},
    }
    deadline = time.monotonic() + MINUTES * 60
    backfill = ask_for_backfill(api, body)
    while not api.call("GET", f"/backfills/{backfill}")["completed_at"]:
        assert time.monotonic() < deadline, "the backfill did not end"
        time.sleep(2)
    runs = api.call("GET", "/dags/weekly_retrain/dagRuns", params={"run_type": "backfill"})
    found = sorted(runs["dag_runs"], key=lambda run: str(run["logical_date"]))
    assert [run["state"] for run in found] == ["success"] * 3
    for run in found:
        verdict = lake.read_json(
            f"runs/{run_slug(run['dag_run_id'])}/models/recommender/verdict.json"
        )
        assert verdict["run_type"] == "backfill"
        assert verdict["as_of"] == run["data_interval_end"].replace("+00:00", "Z")
        tasks = {t["task_id"]: t["state"] for t in api.tasks(run["dag_run_id"])}
        assert tasks["recommender.gate"] == "success"
        assert tasks["recommender.promote"] == "skipped"
    assert [Ledger(lake, model).entries() for model in MODELS] == before
    scheduled = api.call("GET", "/dags/weekly_retrain/dagRuns", params={"run_type": "scheduled"})
    assert scheduled["dag_runs"] == [], "a replay must not set off a live run"


def ask_for_backfill(api: AirflowApi, body: dict[str, Any]) -> int:
    """Its id. On SQLite Airflow answers 503 while its database is busy, and has made none."""
    for _ in range(30):
        try:
            return int(api.call("POST", "/backfills", json=body)["id"])
        except StackError as error:
            if "Database is locked" not in str(error):
                raise
            time.sleep(2)
    raise AssertionError("Airflow's database was busy for a minute")


def test_backfilled_week_sees_only_its_past(api: AirflowApi, lake: Lake) -> None:
    rows = {}
    for run in api.call("GET", "/dags/weekly_retrain/dagRuns")["dag_runs"]:
        slug = run_slug(run["dag_run_id"])
        if lake.exists(f"runs/{slug}/prepared/ratings"):
            as_of = lake.read_json(f"runs/{slug}/inputs.json")["as_of"]
            rows[as_of] = lake.manifest(f"runs/{slug}/prepared/ratings").rows
    ordered = [rows[as_of] for as_of in sorted(rows)]
    assert len(ordered) >= 4
    assert ordered == sorted(ordered)
    assert ordered[0] < ordered[-1]


@pytest.mark.parametrize("part", ["serving", "airflow-scheduler", "datanode"])
def test_a_part_that_dies_is_started_again(stack: Stack, part: str) -> None:
    pid = next(p["pid"] for p in stack.supervisor.processes() if p["name"] == part)
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 120
    while True:
        found = next(p for p in stack.status() if p["name"] == part)
        if found["pid"] not in (0, pid) and not found["lacks"]:
            break
        assert time.monotonic() < deadline, found
        time.sleep(0.2)


def test_no_secret_is_in_any_log_or_in_a_process_that_does_not_need_it(stack: Stack) -> None:
    assert logs_with_secrets(stack) == []
    assert holders_of_secrets(stack) == []


def test_everything_listens_on_loopback_only(stack: Stack) -> None:
    family = [psutil.Process(pid) for pid in stack.pids()]
    family += [child for process in family for child in process.children(recursive=True)]
    listening = []
    for process in family:
        with suppress(psutil.NoSuchProcess):  # a child may end while the others are asked
            name, connections = process.name(), process.net_connections("tcp")
            ips = [one.laddr.ip for one in connections if one.status == psutil.CONN_LISTEN]
            listening += [(name, ip) for ip in ips]
    optional = ("kafka", "connect")  # this stack starts neither
    ports = [
        one for one in type(stack.settings.stack.ports).model_fields if not one.startswith(optional)
    ]
    assert len(listening) >= len(ports)
    local = ("127.0.0.1", "::1", "::ffff:127.0.0.1")
    assert [found for found in listening if found[1] not in local] == []
