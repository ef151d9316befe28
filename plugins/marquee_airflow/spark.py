"""Spark jobs as tasks: the provider's operator, our flags, an early end where nothing changed."""

from __future__ import annotations

import os
import re
from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from marquee.names import run_slug
from marquee.release.inputs import inputs_of
from marquee.settings import REPOSITORY, Settings
from marquee.stack.spark import spark_conf
from marquee.steps.run import NO_TITLES, Model
from marquee_airflow.connections import SPARK
from marquee_airflow.runs import current_run
from marquee_airflow.tasks import step

BAD_INPUT = "Error code is: 2."


class SparkJobOperator(SparkSubmitOperator):
    """Submit `spark_apps/<job>.py` for this run.

    `models` names who needs the job: where none of them has changed, the task is skipped and says
    so. A job that refuses its input (exit status 2) fails at once; trying again would not help.
    """

    def __init__(self, *, job: str, models: tuple[Model, ...], settings: Settings, **kwargs: Any):
        self.job = job
        self.models = models
        super().__init__(
            application=str(REPOSITORY / "spark_apps" / f"{job}.py"),
            conn_id=SPARK,
            name=f"marquee-{job}",
            conf=spark_conf(settings, os.environ.get("SPARK_ARCHIVE", "")),
            driver_memory=settings.spark.driver_memory,
            executor_memory=settings.spark.executor_memory,
            total_executor_cores=settings.spark.cores or None,
            application_args=[
                "--lake",
                "{{ conn.hdfs_lake.extra_dejson['root'] }}",
                "--webhdfs",
                "{{ webhdfs(conn.hdfs_lake) }}",
                "--run",
                "{{ run_slug(run_id) }}",
            ],
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
            if BAD_INPUT in str(error):
                raise AirflowFailException(_last_error(str(error))) from None
            raise

    def _skip_if_unchanged(self, context: Any) -> None:
        run = current_run(context)
        inputs = inputs_of(run.lake, run.id)
        if self.models == ("budget",) and not inputs.titles:
            raise AirflowSkipException(NO_TITLES)
        since = {model: inputs.models[model].unchanged_since for model in self.models}
        if all(since.values()):
            told = ", ".join(f"{model} since run {run}" for model, run in since.items())
            raise AirflowSkipException(f"nothing changed: {told}")


def webhdfs(connection: Any) -> str:
    """The NameNode's HTTP address of a lake connection; empty for a folder."""
    if not str(connection.extra_dejson.get("root", "")).startswith("hdfs://"):
        return ""
    return f"http://{connection.host}:{connection.port}"


MACROS = {"run_slug": run_slug, "webhdfs": webhdfs}


def _last_error(text: str) -> str:
    """The job's own sentence out of the log's tail."""
    found = re.findall(r"error: (.+)", text)
    return found[-1].strip() if found else text.splitlines()[0]
