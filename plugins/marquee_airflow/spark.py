"""Spark jobs as tasks: the provider's operator with our flags; a task whose inputs are unchanged
is skipped."""

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
from marquee_airflow.runs import SPARK_CONNECTION, current_run
from marquee_airflow.tasks import airflow_step
from steps.spark_submit import job_flags, submit_options

EXIT_STATUS = re.compile(r"Error code is: (-?\d+)\.")


class SparkJobOperator(SparkSubmitOperator):
    """Submit `spark_apps/<job>.py` for this run.

    `models` are the models that need the job. Where the inputs of all of them are unchanged, the
    task is skipped with the reason. A job that refuses its input fails at once. Every other failure
    is retried: HDFS or Spark away, a signal, memory that ran out.

    `required_path` lies below the run's folder; where it is missing, the task fails. It serves a
    task with `trigger_rule="all_done"`, which starts even where the task that writes the path
    failed.
    """

    def __init__(
        self,
        *,
        job: str,
        models: tuple[Model, ...],
        settings: Settings,
        required_path: str = "",
        **kwargs: Any,
    ):
        self.job = job
        self.models = models
        self.required_path = required_path
        super().__init__(
            conn_id=SPARK_CONNECTION,
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

    @airflow_step
    def execute(self, context: Any) -> None:
        """Skip where the inputs are unchanged; else submit the job and wait for its end."""
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
        if self.required_path and not run.lake.exists(run.path(self.required_path)):
            raise AirflowFailException(
                f"{run.path(self.required_path)} is missing: look at the failed task"
            )


class ForecastOperator(SparkJobOperator):
    """Submit `forecast_recommender`, unless a forecast of the same recipe and code exists."""

    def _skip_if_unchanged(self, context: Any) -> None:
        from steps.unchanged import reuse_forecast

        if reason := reuse_forecast(current_run(context)):
            raise AirflowSkipException(reason)


def webhdfs(connection: Any) -> str:
    """The NameNode's HTTP address of a lake connection; empty where the lake is a folder."""
    if not str(connection.extra_dejson.get("root", "")).startswith("hdfs://"):
        return ""
    return f"http://{connection.host}:{connection.port}"


MACROS = {"run_slug": run_slug, "webhdfs": webhdfs}


def job_error(error: AirflowException) -> AirflowException:
    """The error to raise for a failed submission, with the job's last error message if it has one.

    The exit status BAD_INPUT is final; Airflow retries any other.
    """
    text = str(error)
    status = EXIT_STATUS.search(text)
    sentences = re.findall(r"^.*\berror: (.+)$", text, re.MULTILINE)
    if status is None:
        return error
    number = int(status.group(1))
    # Python itself ends with the same status, without our message, where a file or flag is wrong.
    if sentences and number == BAD_INPUT:
        return AirflowFailException(sentences[-1].strip())
    if sentences:
        return AirflowException(sentences[-1].strip())
    return AirflowException(f"the job {_end_sentence(number)}; its log above says more")


def _end_sentence(status: int) -> str:
    """How a process ended, from its exit status: -9 and 137 (128 + 9) both mean signal 9."""
    number = -status if status < 0 else status - 128
    with suppress(ValueError):
        if number > 0:
            name = signal.Signals(number).name
            hint = ", as when memory runs out" if name == "SIGKILL" else ""
            return f"was ended by {name}{hint}"
    return f"ended with status {status}"
