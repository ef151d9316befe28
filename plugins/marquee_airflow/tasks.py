"""The weekly run's tasks other than Spark jobs, and how every task logs, fails and is retried.

Each task is one call of its step. Tasks import their steps inside, so that the DAG processor,
which imports this module each time it parses the DAG, loads no step. `marquee.errors.retry_helps`
decides which errors are retried: wrong input fails at once, an outage is retried.
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
from marquee_airflow.runs import answer_of, current_run, kafka_login, require_hosts

if TYPE_CHECKING:
    from steps.run import Run


def airflow_step(function: Callable[..., Any]) -> Callable[..., Any]:
    """Run a task's function for Airflow: log each line that it prints, and turn our errors into
    Airflow's (skip, fail at once, or retry)."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            with closing(LoggedOutput()) as log, redirect_stdout(log):
                return function(*args, **kwargs)
        except PromotionRefusedError as error:
            raise AirflowSkipException(str(error)) from None
        except MarqueeError as error:
            if retry_helps(error):
                raise
            raise AirflowFailException(str(error)) from None

    return run


@task
@airflow_step
def crawl_titles() -> dict[str, Any] | None:
    """Fetch title pages with Scrapy, in a separate process."""
    from steps.crawl_titles import crawl_titles

    run = live_run("crawl")
    return crawl_titles(run) if run else None


@task(trigger_rule="all_done")
@airflow_step
def load_titles() -> dict[str, Any] | None:
    """Load the titles that the crawl has delivered, even where the crawl was stopped."""
    from steps.load_sources import load_titles

    run = live_run("load titles")
    return load_titles(run) if run else None


@task
@airflow_step
def find_ratings() -> dict[str, Any] | None:
    """Find the ratings release of this world."""
    from steps.load_sources import find_ratings

    run = live_run("find ratings")
    return find_ratings(run) if run else None


@task
@airflow_step
def load_ratings(found: dict[str, Any] | None) -> dict[str, Any] | None:
    """Load the ratings release into the lake, under a name made from its content."""
    from steps.load_sources import load_ratings

    run = live_run("load ratings")
    return load_ratings(run, **found) if run and found else None


@task
@airflow_step
def load_feedback() -> dict[str, Any] | None:
    """Load the ratings that people gave through our own API."""
    from steps.load_sources import load_feedback

    run = live_run("load feedback")
    return load_feedback(run, kafka_login) if run else None


def live_run(what: str) -> Run | None:
    """The run; for a backfill, which loads nothing, print that and return None."""
    run = current_run()
    if not run.is_backfill:
        return run
    print(f"a backfill does not {what}: it uses what the lake holds", flush=True)
    return None


@task(trigger_rule="all_done")
@airflow_step
def freeze_inputs(loaded: dict[str, Any] | None) -> dict[str, Any]:
    """Write down the inputs of this run, once.

    It fails where the ratings could not be loaded. Where other loads failed, the run goes on with
    what the lake holds, as degraded. Before the first Spark job it asks the hosts of a cluster.
    """
    from steps.freeze_inputs import freeze_inputs

    failed = failed_tasks()
    if lost := [name for name in failed if name in ("find_ratings", "load_ratings")]:
        raise AirflowFailException(f"{lost[0]} failed: there are no ratings to learn from")
    run = current_run()
    found = freeze_inputs(run, loaded["path"] if loaded else None, failed)
    if not all(found["unchanged"].values()):  # else no Spark job follows
        require_hosts(run)
    return found


@task
@airflow_step
def evaluate(model: Model) -> dict[str, Any]:
    """Score the evaluated bundle, baselines and the champion's recipe on the holdout."""
    from steps.evaluate import evaluate

    return evaluate(current_run(), model)


@task
@airflow_step
def gate(model: Model) -> str:
    """Judge the challenger; a refusal skips the task, and the champion goes on serving."""
    from steps.release_model import gate

    verdict = gate(current_run(), model)
    if not verdict.approved:
        raise AirflowSkipException(verdict.headline)
    return verdict.headline


@task
@airflow_step
def promote(model: Model) -> dict[str, Any]:
    """Add a ledger entry, if the verdict in the lake allows it."""
    from steps.release_model import promote

    run = current_run()
    if run.is_backfill:
        raise AirflowSkipException("a backfill promotes nothing")
    return promote(run, model, answer_of(model))


@task
@airflow_step
def verify_serving(model: Model, promoted: dict[str, Any]) -> dict[str, Any]:
    """Wait until the API serves the new champion."""
    from steps.release_model import verify_serving

    return verify_serving(current_run(), model, promoted["bundle"])


@task
@airflow_step
def export(model: Model, promoted: dict[str, Any]) -> dict[str, str]:
    """Write the new champion in the formats of `exports.formats`, beside its bundle in the lake."""
    from steps.export_champion import export_champion

    return export_champion(current_run(), model, promoted["bundle"])


@task(trigger_rule="all_done")
@airflow_step
def report() -> dict[str, Any]:
    """Write the run's report.

    It fails where a task failed or the run is degraded, so that such a run ends as failed.
    """
    from marquee.run_folder import degraded_tasks
    from steps.run_report import report

    failed, run = failed_tasks(), current_run()
    written = report(run)
    degraded = [str(one) for one in degraded_tasks(run.lake, run.id)]
    if failed or degraded:
        raise AirflowFailException(failure_sentence(failed, degraded))
    return written


def failed_tasks() -> list[str]:
    """The failed tasks of this run, without the calling task.

    Tasks in the state `failed` come first, then those in `upstream_failed`.
    """
    ti = get_current_context()["ti"]
    found = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id]).get(ti.run_id, {})
    states = {name: str(state) for name, state in found.items() if name != ti.task_id}
    own = [name for name, state in states.items() if state == "failed"]
    return own + [name for name, state in states.items() if state == "upstream_failed"]


def failure_sentence(failed: Sequence[str], degraded: Sequence[str]) -> str:
    """Why the run ends as failed: its degradations and its failed tasks."""
    without = f"the run is degraded: {'; '.join(degraded)}" if degraded else ""
    names = f"these did not go through: {', '.join(failed)}" if failed else ""
    return ". ".join(sentence for sentence in (without, names) if sentence)


class RetryUntilNextRun(RetryPolicy):
    """Retries a task, with growing waits, while its run can still end before the next one is due.

    It sees only errors that a retry may mend: all others fail the task before.
    """

    def __init__(self, name: str, schedule: ScheduleSettings) -> None:
        self.name = name
        self.schedule = schedule
        self.minutes = schedule.minutes

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Any = None
    ) -> RetryDecision:
        """Retry after a wait, or fail where the retry would be too late."""
        # Clearing a task raises both numbers, so their difference gives the retry.
        retry = max(1, try_number - (max_tries - self.schedule.retries))
        wait = retry_waits(self.schedule)[min(retry, self.schedule.retries) - 1 :][:1]
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


def retry_waits(schedule: ScheduleSettings) -> list[timedelta]:
    """The wait before each retry: 10, 20, 40, ... seconds for `retry_seconds` 10 and backoff 2."""
    first, factor = schedule.retry_seconds, schedule.retry_backoff
    return [timedelta(seconds=first * factor**n) for n in range(schedule.retries)]


def default_args(schedule: ScheduleSettings) -> dict[str, Any]:
    """Retries as Airflow counts them. A task that was killed cannot ask its retry policy."""
    return {
        "owner": "marquee",
        "retries": schedule.retries,
        "retry_delay": timedelta(seconds=schedule.retry_seconds),
        "retry_exponential_backoff": schedule.retry_backoff,
        "max_retry_delay": max(
            retry_waits(schedule), default=timedelta(seconds=schedule.retry_seconds)
        ),
    }


def set_time_limits(dag: DAG, schedule: ScheduleSettings) -> None:
    """Give every task of the DAG its time-out and its retry policy."""
    minutes = schedule.minutes
    for one in dag.tasks:
        name = one.task_id.rsplit(".", 1)[-1]
        one.execution_timeout = timedelta(minutes=minutes[name])
        one.retry_policy = RetryUntilNextRun(name, schedule)


class LoggedOutput(io.TextIOBase):
    """A standard output that logs each line as soon as it is printed.

    Airflow reads a task's standard output and its log through two pipes, so printed lines would
    appear out of order, in a collapsed group at the end of the log.
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
