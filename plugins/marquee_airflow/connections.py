"""The lake, opened through Airflow's own connection and the provider's hook."""

from __future__ import annotations

from typing import Any

from airflow.providers.apache.hdfs.hooks.webhdfs import WebHDFSHook
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowException

from marquee.errors import LakeUnavailableError, SettingsError
from marquee.lake import FolderLake, Lake, WebHdfsLake, check_clock, check_world
from marquee.settings import load_settings

LAKE = "hdfs_lake"
SPARK = "spark_cluster"


def open_lake() -> Lake:
    """The lake of the connection `hdfs_lake`; its extra `root` says where it lies.

    Raises SettingsError where the connection is missing its root, or is a folder beside a
    remote Spark master, whose executors would each write into a folder of their own; also where
    the clock is offset and the lake is not a drill's. Raises ConflictError where the lake holds
    another world than the settings'.
    """
    settings = load_settings()
    lake = check_clock(_connected(), settings.lake.drill)
    check_world(lake, settings.world)
    return lake


def _connected() -> Lake:
    connection = Connection.get(LAKE)
    root = str(connection.extra_dejson.get("root", ""))
    if root.startswith("hdfs://"):
        return WebHdfsLake(root, _client())
    if not root.startswith("file:///"):
        raise SettingsError(
            f"the connection {LAKE} has no lake's root in its extras",
            'give it {"root": "hdfs://host:port/path"}',
        )
    if _is_remote() and not connection.extra_dejson.get("shared_folder"):
        raise SettingsError(
            f"{root} is a folder, and Spark runs on other machines",
            "use an hdfs:// root, or declare the folder shared (lake.shared_folder)",
        )
    return FolderLake(root)


def _client() -> Any:
    """The provider's client; LakeUnavailableError where its hook finds no NameNode that answers."""
    try:
        return WebHDFSHook(LAKE).get_conn()
    except (AirflowException, OSError, ValueError, KeyError) as error:
        raise LakeUnavailableError(
            f"no NameNode of the connection {LAKE} answers: {error}",
            "look at the NameNode (`marquee status`) and the connection, then try again",
        ) from error


def _is_remote() -> bool:
    """A missing Spark connection would silently become YARN: asking for it here fails instead."""
    return not str(Connection.get(SPARK).host).startswith("local")
