"""From Airflow's context to our `Run`: its type, its as-of, its lake through Airflow's connection.

The steps and the lake are imported inside the functions: the DAG processor reads this module
whenever it parses the DAG, and needs none of them.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import Connection, get_current_context

from marquee.clock import of_machine, parse_moment, refuse_ahead, whole
from marquee.errors import SettingsError
from marquee.identifiers import run_slug
from marquee.policy import Model
from marquee.settings import load_settings
from steps.form import Form

if TYPE_CHECKING:
    from marquee.artefacts.verdict import RunType
    from marquee.lake import Lake
    from steps.release_model import Answer
    from steps.run import Run

LAKE = "hdfs_lake"
SPARK = "spark_cluster"


def current_run(context: Any = None) -> Run:
    """The run that this task belongs to."""
    from steps.run import Run

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

    `run_after` stands for the run's start, because clearing a run resets its start. Raises
    AheadOfClockError for a moment that has not come: a typo, or a logical date somebody gave.
    """
    if params.get("as_of"):
        return refuse_ahead(whole(parse_moment(str(params["as_of"]))), "the form's as-of")
    return refuse_ahead(whole(_airflows(dag_run)), "the run's as-of")


def _airflows(dag_run: Any) -> datetime:
    """The moment Airflow gives a run. Its scheduler goes by the machine's own clock."""
    end: datetime | None = dag_run.data_interval_end
    if end is None or run_type(dag_run) == "scheduled":
        return of_machine(end or dag_run.run_after)
    return end


def run_type(dag_run: Any) -> RunType:
    """manual, scheduled or backfill, by the run's type, never by its id."""
    kind = str(getattr(dag_run.run_type, "value", dag_run.run_type))
    return "scheduled" if kind == "scheduled" else "backfill" if kind == "backfill" else "manual"


def answer_of(model: Model) -> Answer | None:
    """The answer that Airflow keeps of the person asked in this run; None where nobody was."""
    from steps.release_model import Answer

    event = get_current_context()["ti"].xcom_pull(task_ids=f"{model}.approve")
    return Answer.of(event) if event else None


def open_lake() -> Lake:
    """The lake of the connection `hdfs_lake`, whose extra `root` holds its address.

    Raises SettingsError where the connection has no root, where the root is a folder beside a
    remote Spark master (each executor would write into a folder of its own), or where the clock is
    offset and the lake is not a drill's. Raises ConflictError where the lake holds another world
    than the settings'.
    """
    from marquee.lake import check_clock, check_world

    settings = load_settings()
    lake = check_clock(_connected(), settings.lake.drill)
    check_world(lake, settings.world)
    return lake


def _connected() -> Lake:
    connection = Connection.get(LAKE)
    root = str(connection.extra_dejson.get("root", ""))
    if root.startswith("hdfs://"):
        from marquee.lake.webhdfs import WebHdfsLake

        return WebHdfsLake(root, _namenode_client())
    if not root.startswith("file:///"):
        raise SettingsError(
            f"the connection {LAKE} has no lake's root in its extras",
            'give it {"root": "hdfs://host:port/path"}',
        )
    if _is_spark_remote() and not connection.extra_dejson.get("shared_folder"):
        raise SettingsError(
            f"{root} is a folder, and Spark runs on other machines",
            "use an hdfs:// root, or declare the folder shared (lake.shared_folder)",
        )
    from marquee.lake import FolderLake

    return FolderLake(root)


def _namenode_client() -> Any:
    """The provider's client of every NameNode of the connection.

    The provider's hook tries each NameNode first, without a time-out: one that accepts a connection
    and never answers would hold a task until its own time-out. This hook leaves the trial out. The
    lake itself finds out who answers, with its time-outs, retries and errors.
    """
    from airflow.providers.apache.hdfs.hooks.webhdfs import WebHDFSHook

    class UntriedHook(WebHDFSHook):
        def _find_valid_server(self) -> Any:
            given = self.get_connection(self.webhdfs_conn_id)
            rest = (given.port, given.login, given.password, given.schema, given.extra_dejson)
            first, *others = [self._get_client(host, *rest) for host in str(given.host).split(",")]
            first._urls.extend(url for other in others for url in other._urls)
            return first

    return UntriedHook(LAKE).get_conn()


def _is_spark_remote() -> bool:
    """Raises where the Spark connection is missing: the provider would silently take YARN."""
    return not str(Connection.get(SPARK).host).startswith("local")
