"""Spark jobs as tasks: the provider's operator with our flags, skipped where nothing changed."""

from __future__ import annotations

import os
import re
import signal
from contextlib import suppress
from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from marquee.errors import BAD_INPUT
from marquee.identifiers import run_slug
from marquee.policy import Model
from marquee.settings import Settings
from marquee_airflow.runs import SPARK, current_run
from marquee_airflow.tasks import step
from steps.spark_submit import job_flags, submit_options

EXIT_STATUS = re.compile(r"Error code is: (-?\d+)\.")


class SparkJobOperator(SparkSubmitOperator):
    """Submit `spark_apps/<job>.py` for this run.

    `models` names the models that need the job: where none of them has changed, the task is skipped
    with the reason. A job that refuses its input fails at once, because trying again would not
    help. Every other end is retried: HDFS or Spark away, a signal, memory that ran out. `needs` is
    a path below the run's folder without which the job fails, for a trigger rule that does not ask
    for the task that writes it.
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
            conn_id=SPARK,
            application_args=job_flags(
                settings,
                "{{ conn.hdfs_lake.extra_dejson['root'] }}",
                "{{ webhdfs(conn.hdfs_lake) }}",
                "{{ run_slug(run_id) }}",
            ),
            durable=False,
            **submit_options(settings, job, os.environ.get("SPARK_ARCHIVE", "")),
            **kwargs,
        )

    @step
    def execute(self, context: Any) -> None:
        """Skip where unchanged, else submit and wait."""
        self._skip_if_unchanged(context)
        try:
            super().execute(context)
        except AirflowException as error:
            raise job_error(error) from None

    def _skip_if_unchanged(self, context: Any) -> None:
        from marquee.run_folder import inputs_of
        from steps.run import why_skip

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


def job_error(error: AirflowException) -> AirflowException:
    """A failed submission as the error to raise, with the job's own sentence where it has one.

    The exit status decides: wrong input is final, and Airflow retries everything else.
    """
    text = str(error)
    status = EXIT_STATUS.search(text)
    sentences = re.findall(r"^.*\berror: (.+)$", text, re.MULTILINE)
    if status is None:
        return error
    number = int(status.group(1))
    if sentences and number == BAD_INPUT:  # without a sentence it is Python's own: no file, no flag
        return AirflowFailException(sentences[-1].strip())
    if sentences:
        return AirflowException(sentences[-1].strip())
    return AirflowException(f"the job {_ended(number)}; its log above says more")


def _ended(status: int) -> str:
    """How a process ended: by itself, or by a signal (a shell adds 128 to its number)."""
    number = -status if status < 0 else status - 128
    with suppress(ValueError):
        if number > 0:
            name = signal.Signals(number).name
            hint = ", as when memory runs out" if name == "SIGKILL" else ""
            return f"was ended by {name}{hint}"
    return f"ended with status {status}"
