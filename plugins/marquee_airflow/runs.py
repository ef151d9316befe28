"""Our `Run` from Airflow's context: its type, its as-of, and what Airflow's connections give it.

The functions import the steps and the lake inside, so that the DAG processor, which imports this
module each time it parses the DAG, loads neither.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import Connection, get_current_context
from airflow.sdk.exceptions import AirflowNotFoundException

from marquee.clock import from_machine_clock, parse_moment, refuse_ahead, to_whole_second
from marquee.daemon_settings import KAFKA_CONNECTION, KAFKA_PASSWORD, KAFKA_USERNAME
from marquee.errors import SettingsError
from marquee.identifiers import run_slug
from marquee.place_settings import is_local_master, master_pages
from marquee.policy import Model
from marquee.settings import load_settings
from steps.form import Form

if TYPE_CHECKING:
    from marquee.artefacts.verdict import RunType
    from marquee.lake import Lake
    from steps.release_model import ApprovalAnswer
    from steps.run import Run

LAKE_CONNECTION = "hdfs_lake"
SPARK_CONNECTION = "spark_cluster"


def current_run(context: Any = None) -> Run:
    """The run of the task that calls this."""
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

    The trigger time is `run_after`, because clearing a run changes its start. Raises
    AheadOfClockError for a moment in the future, from the form or from a given logical date.
    """
    if params.get("as_of"):
        return refuse_ahead(to_whole_second(parse_moment(str(params["as_of"]))), "the form's as-of")
    return refuse_ahead(to_whole_second(_moment_from_airflow(dag_run)), "the run's as-of")


def _moment_from_airflow(dag_run: Any) -> datetime:
    """The data interval's end, else `run_after`, on Marquee's clock.

    The scheduler's moments are on the machine's clock; a drill's clock may be offset from it.
    """
    end: datetime | None = dag_run.data_interval_end
    if end is None or run_type(dag_run) == "scheduled":
        return from_machine_clock(end or dag_run.run_after)
    return end


def run_type(dag_run: Any) -> RunType:
    """manual, scheduled or backfill: Airflow's own run type. Anybody may choose a run's id."""
    kind = str(getattr(dag_run.run_type, "value", dag_run.run_type))
    return "scheduled" if kind == "scheduled" else "backfill" if kind == "backfill" else "manual"


def answer_of(model: Model) -> ApprovalAnswer | None:
    """The person's answer in this run, as Airflow keeps it; None where nobody was asked."""
    from steps.release_model import ApprovalAnswer

    event = get_current_context()["ti"].xcom_pull(task_ids=f"{model}.approve")
    return ApprovalAnswer.of(event) if event else None


def open_lake() -> Lake:
    """The lake of the connection `hdfs_lake`, whose extra `root` holds its address.

    Raises SettingsError in three cases: the connection has no root; the root is a folder and Spark
    is remote (each executor would write into a folder of its own); the clock is offset and the
    lake is not a drill's. Raises ConflictError where the lake holds another world than the
    settings'.
    """
    from marquee.lake import check_clock, check_world

    settings = load_settings()
    lake = check_clock(_connected(settings.lake.replication), settings.lake.drill)
    check_world(lake, settings.world)
    return lake


def _connected(replication: int) -> Lake:
    connection = Connection.get(LAKE_CONNECTION)
    root = str(connection.extra_dejson.get("root", ""))
    if root.startswith("hdfs://"):
        from marquee.lake.webhdfs import WebHdfsLake

        return WebHdfsLake(root, _namenode_client(), replication=replication)
    if not root.startswith("file:///"):
        raise SettingsError(
            f"the connection {LAKE_CONNECTION} has no lake's root in its extras",
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
    """The provider's HDFS client, for all NameNodes of the connection.

    The provider's hook first tries each NameNode without a time-out, so a NameNode that accepts a
    connection and never answers blocks the task. This hook skips the trial. The lake finds the
    NameNode that answers, with time-outs and retries.
    """
    from airflow.providers.apache.hdfs.hooks.webhdfs import WebHDFSHook

    class UntriedHook(WebHDFSHook):
        def _find_valid_server(self) -> Any:
            given = self.get_connection(self.webhdfs_conn_id)
            user = given.login or load_settings().lake.user
            rest = (given.port, user, given.password, given.schema, given.extra_dejson)
            first, *others = [self._get_client(host, *rest) for host in str(given.host).split(",")]
            first._urls.extend(url for other in others for url in other._urls)
            return first

    return UntriedHook(LAKE_CONNECTION).get_conn()


def _is_spark_remote() -> bool:
    """Whether the Spark master is on other machines.

    Raises where the connection is missing, because the provider would use YARN instead.
    """
    return not is_local_master(spark_master())


def spark_master() -> str:
    """The master of the connection `spark_cluster`."""
    return str(Connection.get(SPARK_CONNECTION).host)


def kafka_login() -> dict[str, str]:
    """The login of the connection `marquee_kafka`, as variables; see `login_of`."""
    return login_of(KAFKA_CONNECTION, KAFKA_USERNAME, KAFKA_PASSWORD)


def login_of(connection: str, user: str, password: str) -> dict[str, str]:
    """Name and password of a connection, as the variables `user` and `password`.

    Empty without that connection, or where it has neither: the scheduler's environment then has
    them, or nobody asks. Airflow masks the password in its logs from here on. Raises SettingsError
    where it has one of the two: the other one of the environment belongs to somebody else.
    """
    try:
        given = Connection.get(connection)
    except AirflowNotFoundException:
        return {}
    found = {user: given.login or "", password: given.password or ""}
    if any(found.values()) and not all(found.values()):
        lacks = "password" if found[user] else "login"
        raise SettingsError(
            f"Airflow's connection {connection} has no {lacks}",
            "give it both, or none and the environment of the scheduler has them",
        )
    return {name: text for name, text in found.items() if text}


def require_hosts(run: Run) -> None:
    """Raise AwayError for what keeps the hosts of a cluster from working (ADR 51)."""
    from marquee.place_preflight import require_hosts

    settings, master = run.settings, spark_master()
    pages = master_pages(master, settings.spark)
    spark = settings.spark.model_copy(update={"master": master, "master_pages": pages})
    require_hosts(settings.model_copy(update={"spark": spark}), run.lake.root)
