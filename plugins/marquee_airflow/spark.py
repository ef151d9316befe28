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

from marquee.errors import BAD_INPUT, AwayError
from marquee.identifiers import run_slug
from marquee.place_settings import master_pages
from marquee.policy import Model
from marquee.settings import Settings, load_settings
from marquee.spark_applications import end_applications
from marquee_airflow.drivers import (
    LastWord,
    failed_application,
    last_word,
    watch_for_driver,
)
from marquee_airflow.runs import SPARK_CONNECTION, current_run, spark_master
from marquee_airflow.tasks import airflow_step
from steps.spark_submit import conf_of_master, job_flags, shipped_code, submit_options

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

    conf: Any
    """The provider's, and the tag of this task where YARN runs it."""

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
        self.spark = settings.spark
        user, archive = "{{ lake_user(conn.hdfs_lake) }}", os.environ.get("SPARK_ARCHIVE", "")
        super().__init__(
            conn_id=SPARK_CONNECTION,
            application_args=job_flags(
                settings,
                "{{ conn.hdfs_lake.extra_dejson['root'] }}",
                "{{ webhdfs(conn.hdfs_lake) }}",
                user,
                "{{ run_slug(run_id) }}",
            ),
            env_vars={"HADOOP_USER_NAME": user},  # of the driver's JVM, which writes to HDFS, too
            durable=False,
            **submit_options(
                settings, job, "{{ run_slug(run_id) }}", archive, "{{ ti.try_number }}"
            ),
            **kwargs,
        )

    @airflow_step
    def execute(self, context: Any) -> None:
        """Skip where the inputs are unchanged; else submit the job and wait for its end.

        An application that an earlier attempt has left on a cluster is ended first.
        """
        self._skip_if_unchanged(context)
        master = spark_master()
        self.py_files = shipped_code(load_settings(), master) or None
        self.conf = {**(self.conf or {}), **conf_of_master(master, self.attempts)}
        self.end_earlier_attempts()
        try:
            with watch_for_driver(master, self.spark, self.attempts):
                super().execute(context)
        except AirflowException as error:
            if self.spark.deploy_mode == "cluster":
                self.end_earlier_attempts()  # a driver elsewhere outlives a spark-submit that dies
            raise job_error(error, self._last_word(context, str(error))) from None

    def _last_word(self, context: Any, printed: str) -> LastWord | None:
        """What a driver that YARN ran has left in the lake; None of a driver of this host."""
        if not (application := failed_application(printed)):
            return None
        try:
            run = current_run(context)
            return last_word(run.lake, run.id, self.job, application)
        except AwayError:
            return None

    @property
    def attempts(self) -> str:
        """How the names of all attempts at this task begin."""
        return str(self.name).rpartition("try ")[0] + "try "

    def on_kill(self) -> None:
        """End the driver, and then the application that a master may still list.

        The provider's own `on_kill` would call YARN's command line, which is not installed here.
        """
        hook = self._hook
        if hook is not None and hook._yarn_application_id:
            hook._yarn_application_id = None
        super().on_kill()
        self.end_earlier_attempts()

    def end_earlier_attempts(self) -> None:
        """End this run's applications of this job; nothing where Spark runs inside the driver.

        A page that does not answer is no reason to fail: Spark itself may reach the master.
        """
        master = spark_master()
        try:
            for one in end_applications(master, master_pages(master, self.spark), self.attempts):
                print(f"ended {one.name} ({one.id}), which an earlier attempt left", flush=True)
        except AwayError as error:
            print(f"an earlier attempt may still hold workers: {error}", flush=True)

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
    """The HTTP address of each NameNode of a lake connection, joined by `;`; empty for a folder.

    Hosts, port and scheme are read as the provider's hook reads them.
    """
    if not str(connection.extra_dejson.get("root", "")).startswith("hdfs://"):
        return ""
    scheme = "https" if str(connection.extra_dejson.get("use_ssl")).lower() == "true" else "http"
    port = f":{connection.port}" if connection.port else ""
    return ";".join(f"{scheme}://{host.strip()}{port}" for host in connection.host.split(","))


def lake_user(connection: Any) -> str:
    """The HDFS user name of a lake connection; without one, that of the settings."""
    return connection.login or load_settings().lake.user


MACROS = {"run_slug": run_slug, "webhdfs": webhdfs, "lake_user": lake_user}


def job_error(error: AirflowException, word: LastWord | None = None) -> AirflowException:
    """The error to raise for a failed submission, with the job's last error message if it has one.

    `word` is what a driver elsewhere has left. The exit status BAD_INPUT is final; Airflow retries
    any other.
    """
    if word:
        kind = AirflowFailException if word.status == BAD_INPUT else AirflowException
        return kind(word.sentence)
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
