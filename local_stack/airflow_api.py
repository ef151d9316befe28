"""A client of Airflow's REST API: trigger a run, watch it, read its logs.

`marquee run`, the drills, a benchmark and the tests of the whole stack use it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from local_stack.environment import ADMIN_USER, admin_password
from marquee.clock import now, offset, parse_moment, refuse_ahead
from marquee.errors import StackError
from marquee.place_settings import spark_slots
from marquee.settings import Settings

DAG = "weekly_retrain"
ENDED_STATES = ("success", "failed")
PRINTED_PREFIX = "> "
"""Marks a line that the task itself printed; all other lines are Airflow's."""
DAG_READER = "DagProcessorJob"
"""Airflow's job type of the process that reads DAG files."""
TRIES = 3
"""How often Airflow is asked where it accepts a question and does not answer in 30 s."""


def pools(settings: Settings) -> dict[str, int]:
    """The slots of each pool that the DAG uses; only one crawl may write."""
    return {"spark": spark_slots(settings.airflow, settings.spark), "crawl": 1}


class AirflowApi:
    """A logged-in client of one stack's Airflow.

    Every method raises StackError if Airflow does not answer or refuses.
    """

    def __init__(self, settings: Settings, home: Path) -> None:
        self.settings = settings
        port = settings.stack.port("airflow")
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False)
        login = {"username": ADMIN_USER, "password": admin_password(home)}
        token = self._checked(self._request("POST", "/auth/token", json=login))["access_token"]
        self.http.headers["Authorization"] = f"Bearer {token}"

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        """Send one request below `/api/v2`; StackError with Airflow's text if it refuses."""
        return self._checked(self._request(method, f"/api/v2{path}", **arguments))

    def create_pools(self) -> None:
        """Create the missing ones of the pools that the DAG uses."""
        for name, slots in pools(self.settings).items():
            body = {"name": name, "slots": slots, "include_deferred": False}
            if self._request("GET", f"/api/v2/pools/{name}").status_code == 404:
                self.call("POST", "/pools", json=body)

    def is_paused(self, seconds: float = 60) -> bool:
        """Wait until Airflow knows the DAG, then return whether it is paused.

        Raises StackError like `unpause`.
        """
        self._wait_for_dag(lambda: self._dag() is not None, seconds)
        return bool((self._dag() or {}).get("is_paused"))

    def paused_sentence(self) -> str:
        """The sentence that says that the DAG is paused, and how to unpause it."""
        page = f"http://127.0.0.1:{self.settings.stack.port('airflow')}/dags/{DAG}"
        what = f"{DAG} is paused, and stays so: nothing runs until it is unpaused, "
        return f"{what}at {page} or with `marquee up --unpause`"

    def unpause(self, seconds: float = 60) -> None:
        """Wait until this start of Airflow has read the DAG's file, then unpause the DAG.

        Otherwise Airflow could start a run for an interval that ended while the DAG was paused.
        Raises StackError, with the import error if there is one, after `seconds`.
        """
        self._wait_for_dag(self._is_read, seconds)
        self.call("PATCH", f"/dags/{DAG}", json={"is_paused": False})

    def _wait_for_dag(self, is_there: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not is_there():
            errors = self.call("GET", "/importErrors")["import_errors"]
            if errors or time.monotonic() > deadline:
                trace = errors[0]["stack_trace"] if errors else "not parsed"
                reason = trace.strip().splitlines()[-1]
                raise StackError(f"the DAG {DAG} is not there: {reason}", "see the dags log")
            time.sleep(0.3)

    def _dag(self) -> dict[str, Any] | None:
        answer = self._request("GET", f"/api/v2/dags/{DAG}")
        found: dict[str, Any] | None = None if answer.status_code == 404 else self._checked(answer)
        return found

    def _is_read(self) -> bool:
        """Whether the DAG is unpaused, or the running DAG reader has read its file."""
        dag = self._dag()
        if dag is None or not dag["is_paused"]:
            return dag is not None
        newest = {"job_type": DAG_READER, "is_alive": True, "order_by": "-id", "limit": 1}
        starts = [job["start_date"] for job in self.call("GET", "/jobs", params=newest)["jobs"]]
        if not starts or not dag["last_parsed_time"]:
            return False
        # A time in the future was written by an earlier start whose clock was ahead.
        read, present = parse_moment(dag["last_parsed_time"]), now() - offset()
        return parse_moment(starts[0]) <= read <= present

    def trigger(self, form: Mapping[str, Any]) -> str:
        """Start a run with the form's values; returns its run id.

        Raises SourceError for an as-of that is no moment or lies in the future, because Airflow
        does not check it.
        """
        if form.get("as_of"):
            refuse_ahead(parse_moment(str(form["as_of"])), "the form's as-of")
        body = {"logical_date": None, "conf": dict(form)}
        return str(self.call("POST", f"/dags/{DAG}/dagRuns", json=body)["dag_run_id"])

    def run(self, run_id: str) -> dict[str, Any]:
        """The run's state and times as Airflow returns them."""
        found: dict[str, Any] = self.call("GET", f"/dags/{DAG}/dagRuns/{run_id}")
        return found

    def runs_ahead_of(self, run_id: str) -> list[str]:
        """Ids of the runs that a queued run waits for: running ones, and those queued before it."""
        found = self.call("GET", f"/dags/{DAG}/dagRuns", params={"state": ["running", "queued"]})
        runs = sorted(found["dag_runs"], key=lambda run: str(run.get("queued_at")))
        own = next((run for run in runs if run["dag_run_id"] == run_id), {"queued_at": "9"})
        return [
            str(run["dag_run_id"])
            for run in runs
            if run["dag_run_id"] != run_id
            and (run["state"] == "running" or str(run["queued_at"]) < str(own["queued_at"]))
        ]

    def tasks(self, run_id: str) -> list[dict[str, Any]]:
        """The task instances of a run as Airflow returns them."""
        path = f"/dags/{DAG}/dagRuns/{run_id}/taskInstances"
        found: list[dict[str, Any]] = self.call("GET", path)["task_instances"]
        return found

    def log(self, run_id: str, task_id: str, attempt: int) -> list[str]:
        """The lines in the log of one attempt; PRINTED_PREFIX marks those of the task itself."""
        path = f"/dags/{DAG}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{attempt}"
        content = self.call("GET", path, params={"full_content": True})["content"]
        return [_line(entry) for entry in content]

    def errors(self, run_id: str, task_id: str, attempt: int) -> list[str]:
        """The errors in the log of one attempt, in order; of equal ones only the last."""
        path = f"/dags/{DAG}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{attempt}"
        content = self.call("GET", path, params={"full_content": True})["content"]
        lines = [line for entry in content for line in _error_lines(entry)]
        return list(dict.fromkeys(reversed(lines)))[::-1]

    def approval_question(self, run_id: str, task_id: str) -> str:
        """The question of a task that waits for a person's approval."""
        path = f"/dags/{DAG}/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"
        return str(self.call("GET", path)["subject"])

    def task_address(self, run_id: str, task_id: str) -> str:
        """The address of the page that shows a task of a run."""
        base = str(self.http.base_url).rstrip("/")
        return f"{base}/dags/{DAG}/runs/{quote(run_id, safe=':')}/tasks/{task_id}"

    def _request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """The answer; a busy board answers late, so what only asks is asked again."""
        for left in reversed(range(TRIES if method == "GET" else 1)):
            try:
                return self.http.request(method, path, **arguments)
            except httpx.HTTPError as error:
                failure = type(error).__name__
                if not left or not isinstance(error, httpx.ReadTimeout):
                    break
        raise StackError(
            f"Airflow does not answer ({failure})",
            "`marquee status` says what runs; look at Airflow's log",
        )

    @staticmethod
    def _checked(answer: httpx.Response) -> Any:
        if answer.is_success:
            return answer.json() if answer.content else None
        raise StackError(
            f"Airflow answered {answer.status_code} to {answer.request.method} "
            f"{answer.request.url.path}: {answer.text[:300]}",
            "look at Airflow's log (`marquee status` says where)",
        )


def _line(entry: Any) -> str:
    """One log entry as one line of text."""
    if not isinstance(entry, dict):
        return str(entry)
    mark = PRINTED_PREFIX if entry.get("logger") == "task.stdout" else ""
    return f"{mark}{entry.get('event', '')}"


def _error_lines(entry: Any) -> list[str]:
    """The errors that one log entry reports."""
    if not isinstance(entry, dict):
        return []
    event = str(entry.get("event"))
    if raised := entry.get("error_detail"):
        return [_raised(each["exc_type"], each["exc_value"]) for each in raised]
    is_error = entry.get("level") in ("error", "critical") or "error: " in event
    return [re.sub(r"^.*?error: ", "", event)] if is_error else []


def _raised(kind: str, value: str) -> str:
    """The message alone for an exception of Airflow's that wraps ours; else `kind: value`."""
    return value if kind.startswith("Airflow") and value else f"{kind}: {value}"
