"""The weekly run's tasks without an engine, and how every task logs, fails and is retried.

Each task is one call of its step. Steps are imported inside the tasks: the DAG processor reads this
module whenever it parses the DAG, and needs none of them. Our errors become Airflow's: wrong input
fails at once, because trying again cannot mend it; a part that does not respond is retried
(`marquee.errors.retry_helps`).
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Sequence
from contextlib import closing, redirect_stdout
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, RetryDecision, RetryPolicy, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from marquee.clock import iso
from marquee.errors import MarqueeError, PromotionRefusedError, retry_helps
from marquee.policy import Model
from marquee.schedule import latest_retry
from marquee.settings import ScheduleSettings
from marquee_airflow.runs import answer_of, current_run

if TYPE_CHECKING:
    from steps.run import Run


def step(function: Callable[..., Any]) -> Callable[..., Any]:
    """Log what a task prints line by line, and turn our errors into Airflow's."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            with closing(PrintedLines()) as log, redirect_stdout(log):
                return function(*args, **kwargs)
        except PromotionRefusedError as error:
            raise AirflowSkipException(str(error)) from None
        except MarqueeError as error:
            if retry_helps(error):
                raise
            raise AirflowFailException(str(error)) from None

    return run


@task
@step
def crawl_titles() -> dict[str, Any] | None:
    """Fetch title pages with Scrapy, in a process of its own."""
    from steps.crawl_titles import crawl_titles

    run = live("crawl")
    return crawl_titles(run) if run else None


@task(trigger_rule="all_done")
@step
def load_titles() -> dict[str, Any] | None:
    """Load the titles that the crawl delivered, also when it was stopped half-way."""
    from steps.load_sources import load_titles

    run = live("load titles")
    return load_titles(run) if run else None


@task
@step
def find_ratings() -> dict[str, Any] | None:
    """Find the ratings release of this world."""
    from steps.load_sources import find_ratings

    run = live("find ratings")
    return find_ratings(run) if run else None


@task
@step
def load_ratings(found: dict[str, Any] | None) -> dict[str, Any] | None:
    """Load the release into HDFS, named by its content."""
    from steps.load_sources import load_ratings

    run = live("load ratings")
    return load_ratings(run, **found) if run and found else None


@task
@step
def load_feedback() -> dict[str, Any] | None:
    """Load ratings given through our own API."""
    from steps.load_sources import load_feedback

    run = live("load feedback")
    return load_feedback(run) if run else None


def live(what: str) -> Run | None:
    """The run; None for a backfill, which loads nothing and prints so."""
    run = current_run()
    if not run.is_backfill:
        return run
    print(f"a backfill does not {what}: it uses what the lake holds", flush=True)
    return None


@task(trigger_rule="all_done")
@step
def freeze_inputs(loaded: dict[str, Any] | None) -> dict[str, Any]:
    """Decide, once, what this run reads: without ratings nothing, without its titles the rest."""
    from steps.freeze_inputs import freeze_inputs

    failed = failed_tasks()
    if lost := [name for name in failed if name in ("find_ratings", "load_ratings")]:
        raise AirflowFailException(f"{lost[0]} failed: there are no ratings to learn from")
    return freeze_inputs(current_run(), loaded["path"] if loaded else None, failed)


@task
@step
def evaluate(model: Model) -> dict[str, Any]:
    """Score the bundle on the holdout, beside baselines and the champion's recipe."""
    from steps.evaluate import evaluate

    return evaluate(current_run(), model)


@task
@step
def gate(model: Model) -> str:
    """Decide; a no is a skip with reasons, and the champion keeps serving."""
    from steps.release_model import gate

    verdict = gate(current_run(), model)
    if not verdict.approved:
        raise AirflowSkipException(verdict.headline)
    return verdict.headline


@task
@step
def promote(model: Model) -> dict[str, Any]:
    """Add the ledger's entry, if the verdict in the lake allows it."""
    from steps.release_model import promote

    run = current_run()
    if run.is_backfill:
        raise AirflowSkipException("a backfill promotes nothing")
    return promote(run, model, answer_of(model))


@task
@step
def verify_serving(model: Model, promoted: dict[str, Any]) -> dict[str, Any]:
    """Wait until the API serves the new champion."""
    from steps.release_model import verify_serving

    return verify_serving(current_run(), model, promoted["bundle"])


@task(trigger_rule="all_done")
@step
def report() -> dict[str, Any]:
    """Say what this run did, whatever became of it; fails where a task did, so that a run that had
    to go without something is never plainly green."""
    from marquee.run_folder import degradation
    from steps.release_model import report

    failed, run = failed_tasks(), current_run()
    written = report(run)
    degraded = [str(one) for one in degradation(run.lake, run.id)]
    if failed or degraded:
        raise AirflowFailException(ended_badly(failed, degraded))
    return written


def failed_tasks() -> list[str]:
    """The tasks of this run that have failed for good, this one left out.

    Tasks that failed themselves come before those that failed with one before them.
    """
    ti = get_current_context()["ti"]
    found = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id]).get(ti.run_id, {})
    states = {name: str(state) for name, state in found.items() if name != ti.task_id}
    own = [name for name, state in states.items() if state == "failed"]
    return own + [name for name, state in states.items() if state == "upstream_failed"]


def ended_badly(failed: Sequence[str], degraded: Sequence[str]) -> str:
    """How the run ended: what it went without, and which tasks did not go through."""
    without = f"the run is degraded: {'; '.join(degraded)}" if degraded else ""
    names = f"these did not go through: {', '.join(failed)}" if failed else ""
    return ". ".join(sentence for sentence in (without, names) if sentence)


class UntilTheNextRun(RetryPolicy):
    """Retries a task, with growing waits, while its run can still end before the next one is due.

    A final error never reaches this policy: `step` and the Spark operator end the task first.
    """

    def __init__(self, name: str, schedule: ScheduleSettings) -> None:
        self.name = name
        self.schedule = schedule
        self.minutes = schedule.minutes

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Any = None
    ) -> RetryDecision:
        """Wait and try again, or fail where that would be too late. Clearing a task adds tries."""
        retry = max(1, try_number - (max_tries - self.schedule.retries))
        wait = waits(self.schedule)[min(retry, self.schedule.retries) - 1 :][:1]
        if not wait:
            return RetryDecision.default()
        started = context["dag_run"].start_date
        latest = latest_retry(self.schedule.cron, started, self.name, self.minutes)
        if datetime.now(UTC) + wait[0] > latest:
            return RetryDecision.fail(
                f"another attempt at {self.name} would start after {iso(latest)}, too late for the "
                "run to end before the next is due"
            )
        return RetryDecision.retry(delay=wait[0])


def waits(schedule: ScheduleSettings) -> list[timedelta]:
    """The wait before each retry: each is `retry_backoff` times the one before."""
    first, factor = schedule.retry_seconds, schedule.retry_backoff
    return [timedelta(seconds=first * factor**n) for n in range(schedule.retries)]


def default_args(schedule: ScheduleSettings) -> dict[str, Any]:
    """Airflow's own count of retries, for a task that was killed before a policy could decide."""
    return {
        "owner": "marquee",
        "retries": schedule.retries,
        "retry_delay": timedelta(seconds=schedule.retry_seconds),
        "retry_exponential_backoff": schedule.retry_backoff,
        "max_retry_delay": max(waits(schedule), default=timedelta(seconds=schedule.retry_seconds)),
    }


def set_time_limits(dag: DAG, schedule: ScheduleSettings) -> None:
    """Give every task of the DAG its time-out and its retry policy."""
    minutes = schedule.minutes
    for one in dag.tasks:
        name = one.task_id.rsplit(".", 1)[-1]
        one.execution_timeout = timedelta(minutes=minutes[name])
        one.retry_policy = UntilTheNextRun(name, schedule)


class PrintedLines(io.TextIOBase):
    """A standard output that logs every line as it is printed.

    Airflow reads a task's real output through another pipe than its log: those lines arrive after
    lines that were logged later, and land in the log's last, collapsed group.
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
