"""Spark jobs as tasks: the provider's operator, our flags, an early end where nothing changed."""

from __future__ import annotations

import os
import re
import signal
from contextlib import suppress
from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from marquee.artefacts.inputs import inputs_of
from marquee.names import run_slug
from marquee.policy import Model
from marquee.settings import REPOSITORY, Settings
from marquee.spark_submit import job_flags, spark_conf
from marquee_airflow.connections import SPARK
from marquee_airflow.runs import current_run
from marquee_airflow.tasks import step
from steps.run import why_skip

BAD_INPUT = 2  # exit status, as spark_apps/job.py gives it
EXIT_STATUS = re.compile(r"Error code is: (-?\d+)\.")


class SparkJobOperator(SparkSubmitOperator):
    """Submit `spark_apps/<job>.py` for this run.

    `models` names who needs the job: where none of them has changed, the task is skipped and says
    so. A job that refuses its input (exit status 2) fails at once; trying again would not help.
    Every other end is retried: HDFS or Spark away, a signal, memory that ran out. `needs` is what
    the job cannot do without, below the run's folder, where its trigger rule does not ask for it.
    """

    def __init__(
        self,
        *,
        job: str,
        models: tuple[Model, ...],
        settings: Settings,
        needs: str = "",
        **kwargs: Any,
    ):
        self.job = job
        self.models = models
        self.needs = needs
        super().__init__(
            application=str(REPOSITORY / "spark_apps" / f"{job}.py"),
            conn_id=SPARK,
            name=f"marquee-{job}",
            conf=spark_conf(settings, os.environ.get("SPARK_ARCHIVE", "")),
            driver_memory=settings.spark.driver_memory,
            executor_memory=settings.spark.executor_memory,
            total_executor_cores=settings.spark.cores or None,
            application_args=job_flags(
                settings,
                "{{ conn.hdfs_lake.extra_dejson['root'] }}",
                "{{ webhdfs(conn.hdfs_lake) }}",
                "{{ run_slug(run_id) }}",
            ),
            durable=False,
            **kwargs,
        )

    @step
    def execute(self, context: Any) -> None:
        """Skip where unchanged, else submit and wait."""
        self._skip_if_unchanged(context)
        try:
            super().execute(context)
        except AirflowException as error:
            raise judged(error) from None

    def _skip_if_unchanged(self, context: Any) -> None:
        run = current_run(context)
        if reason := why_skip(inputs_of(run.lake, run.id), self.models):
            raise AirflowSkipException(reason)
        if self.needs and not run.lake.exists(run.path(self.needs)):
            raise AirflowFailException(
                f"{run.path(self.needs)} is missing: look at the failed task"
            )


def webhdfs(connection: Any) -> str:
    """The NameNode's HTTP address of a lake connection; empty for a folder."""
    if not str(connection.extra_dejson.get("root", "")).startswith("hdfs://"):
        return ""
    return f"http://{connection.host}:{connection.port}"


MACROS = {"run_slug": run_slug, "webhdfs": webhdfs}


def judged(error: AirflowException) -> AirflowException:
    """A submission that failed, by its exit status: final where the input is wrong, and otherwise
    for Airflow to retry; with the job's own sentence where it left one."""
    text = str(error)
    status = EXIT_STATUS.search(text)
    said = re.findall(r"^.*\berror: (.+)$", text, re.MULTILINE)
    if status is None:
        return error
    number = int(status.group(1))
    if said and number == BAD_INPUT:  # without a sentence it is Python's own: no file, no flag
        return AirflowFailException(said[-1].strip())
    return AirflowException(
        said[-1].strip() if said else f"the job {_ended(number)}; its log above says more"
    )


def _ended(status: int) -> str:
    """How a process ended: by itself, or by a signal (a shell adds 128 to its number)."""
    number = -status if status < 0 else status - 128
    with suppress(ValueError):
        if number > 0:
            name = signal.Signals(number).name
            hint = ", as when memory runs out" if name == "SIGKILL" else ""
            return f"was ended by {name}{hint}"
    return f"ended with status {status}"
