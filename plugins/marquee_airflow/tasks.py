"""The weekly run's tasks that need no engine: each is one call of the kernel's step.

Our own errors become Airflow's: wrong input fails at once, for trying again cannot mend it; what
is away is retried (`marquee.errors.retry_helps`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing, redirect_stdout
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any

from airflow.sdk import DAG, RetryDecision, RetryPolicy, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from marquee.artefacts.inputs import degradation
from marquee.errors import MarqueeError, PromotionRefusedError, retry_helps
from marquee.names import iso
from marquee.policy import Model
from marquee.schedule import latest_retry
from marquee.settings import ScheduleSettings
from marquee_airflow.runs import PrintedLines, answer_of, current_run
from steps.crawl_titles import crawl_titles as crawl
from steps.evaluate import evaluate as evaluate_model
from steps.fetch_ratings import fetch_ratings as fetch
from steps.freeze_inputs import freeze_inputs as freeze
from steps.gate import gate as judge_model
from steps.load_feedback import load_feedback as load_segments
from steps.load_ratings import load_ratings as load_release
from steps.load_titles import load_titles as load_crawl
from steps.promote import promote as promote_model
from steps.report import report as write_report
from steps.run import Run
from steps.verify_serving import verify_serving as verify


def step(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a task our way to fail."""

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


class UntilTheNextRun(RetryPolicy):
    """Tries a task again, ever later, while its run can still end before the next one is due.

    What ends a task for good never comes here: `step` and the Spark operator say so to Airflow.
    """

    def __init__(self, name: str, schedule: ScheduleSettings) -> None:
        self.name = name
        self.schedule = schedule
        self.minutes = schedule.minutes.model_dump()

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
    """Before each retry: each wait is `retry_backoff` times the one before."""
    first, factor = schedule.retry_seconds, schedule.retry_backoff
    return [timedelta(seconds=first * factor**n) for n in range(schedule.retries)]


def default_args(schedule: ScheduleSettings) -> dict[str, Any]:
    """Retries as Airflow counts them where a task was killed, so that no policy could be asked."""
    return {
        "owner": "marquee",
        "retries": schedule.retries,
        "retry_delay": timedelta(seconds=schedule.retry_seconds),
        "retry_exponential_backoff": schedule.retry_backoff,
        "max_retry_delay": max(waits(schedule), default=timedelta(seconds=schedule.retry_seconds)),
    }


def bound(dag: DAG, schedule: ScheduleSettings) -> None:
    """Give every task its time-out, and its retries a last moment."""
    minutes = schedule.minutes.model_dump()
    for one in dag.tasks:
        name = one.task_id.rsplit(".", 1)[-1]
        one.execution_timeout = timedelta(minutes=minutes[name])
        one.retry_policy = UntilTheNextRun(name, schedule)


def live(what: str) -> Run | None:
    """The run, unless it is a backfill: a replay brings nothing home, and says so."""
    run = current_run()
    if not run.is_backfill:
        return run
    print(f"a backfill does not {what}: it uses what the lake holds", flush=True)
    return None


@task
@step
def crawl_titles() -> dict[str, Any] | None:
    """Fetch title pages with Scrapy, in a process of its own."""
    run = live("crawl")
    return crawl(run) if run else None


@task(trigger_rule="all_done")
@step
def load_titles() -> dict[str, Any] | None:
    """Load what the crawl brought home, also when it was stopped half-way."""
    run = live("load titles")
    return load_crawl(run) if run else None


@task
@step
def fetch_ratings() -> dict[str, Any] | None:
    """Find the ratings release of this world."""
    run = live("fetch ratings")
    return fetch(run) if run else None


@task
@step
def load_ratings(fetched: dict[str, Any] | None) -> dict[str, Any] | None:
    """Load the release into HDFS, named by its content."""
    run = live("load ratings")
    return load_release(run, **fetched) if run and fetched else None


@task
@step
def load_feedback() -> dict[str, Any] | None:
    """Load ratings given through our own API."""
    run = live("load feedback")
    return load_segments(run) if run else None


@task(trigger_rule="all_done")
@step
def freeze_inputs(loaded: dict[str, Any] | None) -> dict[str, Any]:
    """Decide, once, what this run reads: without ratings nothing, without its titles the rest."""
    failed = failed_tasks()
    if gone := [name for name in failed if name in ("fetch_ratings", "load_ratings")]:
        raise AirflowFailException(f"{gone[0]} failed: there are no ratings to learn from")
    return freeze(current_run(), loaded["path"] if loaded else None, failed)


@task
@step
def evaluate(model: Model) -> dict[str, Any]:
    """Score the bundle on the holdout, beside baselines and the champion's recipe."""
    return evaluate_model(current_run(), model)


@task
@step
def gate(model: Model) -> str:
    """Decide; a no is a skip with reasons, and the champion keeps serving."""
    verdict = judge_model(current_run(), model)
    if not verdict.approved:
        raise AirflowSkipException(verdict.headline)
    return verdict.headline


@task
@step
def promote(model: Model) -> dict[str, Any]:
    """Add the ledger's entry, if the verdict in the lake allows it."""
    run = current_run()
    if run.is_backfill:
        raise AirflowSkipException("a backfill promotes nothing")
    return promote_model(run, model, answer_of(model))


@task
@step
def verify_serving(model: Model, promoted: dict[str, Any]) -> dict[str, Any]:
    """Wait until the API serves the new champion."""
    return verify(current_run(), model, promoted["bundle"])


@task(trigger_rule="all_done")
@step
def report() -> dict[str, Any]:
    """Say what this run did, whatever became of it; fails where a task did, so that a run that had
    to go without something is never plainly green."""
    failed, run = failed_tasks(), current_run()
    told = write_report(run)
    lost = [str(one) for one in degradation(run.lake, run.id)]
    if failed or lost:
        raise AirflowFailException(ended_badly(failed, lost))
    return told


def failed_tasks() -> list[str]:
    """The tasks of this run that have failed for good, those first that did not fail for another;
    this one is not among them."""
    ti = get_current_context()["ti"]
    found = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id]).get(ti.run_id, {})
    states = {name: str(state) for name, state in found.items() if name != ti.task_id}
    own = [name for name, state in states.items() if state == "failed"]
    return own + [name for name, state in states.items() if state == "upstream_failed"]


def ended_badly(failed: Sequence[str], degraded: Sequence[str]) -> str:
    """How the run ended: what it went without, and which tasks did not go through."""
    lost = f"the run is degraded: {'; '.join(degraded)}" if degraded else ""
    names = f"these did not go through: {', '.join(failed)}" if failed else ""
    return ". ".join(part for part in (lost, names) if part)
