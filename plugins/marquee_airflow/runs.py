"""From Airflow's context to the kernel's `Run`."""

from __future__ import annotations

import io
import logging
from datetime import datetime
from typing import Any, get_args

from airflow.sdk import get_current_context

from marquee.artefacts.subject import RunType
from marquee.clock import of_machine, refuse_ahead
from marquee.form import Form
from marquee.names import parse_moment, run_slug, whole
from marquee.policy import Model
from marquee.settings import load_settings
from marquee_airflow.connections import open_lake
from steps.approve import Answer
from steps.run import Run


def current_run(context: Any = None) -> Run:
    """The run this task belongs to."""
    context = context or get_current_context()
    settings = load_settings()
    dag_run = context["dag_run"]
    params = dict(context["params"])
    return Run(
        id=run_slug(dag_run.run_id),
        as_of=as_of(params, dag_run),
        run_type=run_type(dag_run),
        form=Form.of(settings, params),
        settings=settings,
        lake=open_lake(),
    )


def as_of(params: dict[str, Any], dag_run: Any) -> datetime:
    """The form's moment, else the data interval's end, else when the run was triggered.

    `run_after` stands for the run's start: clearing a run resets the start, never this. Raises
    AheadOfClockError for a moment that has not come: a typo, or a logical date somebody gave.
    """
    if params.get("as_of"):
        return refuse_ahead(whole(parse_moment(str(params["as_of"]))), "the form's as-of")
    return refuse_ahead(whole(_airflows(dag_run)), "the run's as-of")


def _airflows(dag_run: Any) -> datetime:
    """The moment Airflow gives a run. What its scheduler says is by the machine's own clock."""
    end: datetime | None = dag_run.data_interval_end
    if end is None or run_type(dag_run) == "scheduled":
        return of_machine(end or dag_run.run_after)
    return end


def run_type(dag_run: Any) -> RunType:
    """manual, scheduled or backfill, by the run's type, never by its id."""
    kind = str(getattr(dag_run.run_type, "value", dag_run.run_type))
    return next((known for known in get_args(RunType) if known == kind), "manual")


def answer_of(model: Model) -> Answer | None:
    """What Airflow keeps of the person who was asked in this run; None where nobody was."""
    event = get_current_context()["ti"].xcom_pull(task_ids=f"{model}.approve")
    return Answer.of(event) if event else None


class PrintedLines(io.TextIOBase):
    """A standard output that puts every line into the task's log as it is printed.

    Airflow reads a task's real output beside its log, through another pipe: lines arrive after
    those logged later, and land in the log's collapsed last group.
    """

    def __init__(self) -> None:
        self._log = logging.getLogger("task.stdout")
        self._begun = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self._log.info("%s", line)
        return len(text)

    def close(self) -> None:
        if self._begun:
            self.write("\n")
        super().close()
