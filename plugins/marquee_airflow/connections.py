"""The lake, opened through Airflow's own connection and the provider's hook."""

from __future__ import annotations

from typing import Any

from airflow.providers.apache.hdfs.hooks.webhdfs import WebHDFSHook
from airflow.sdk import Connection

from marquee.errors import SettingsError
from marquee.lake import FolderLake, Lake, WebHdfsLake, check_clock, check_world
from marquee.settings import load_settings

LAKE = "hdfs_lake"
SPARK = "spark_cluster"


class LakeHook(WebHDFSHook):
    """The provider's hook, without its trial of each NameNode, which has no time-out: one that
    takes a connection and never answers would hold a task up until its last moment.

    Its client knows every NameNode of the connection. Whether one answers is the lake's question,
    with the time-outs, the patience and the sentence it has for all others.
    """

    def _find_valid_server(self) -> Any:
        given = self.get_connection(self.webhdfs_conn_id)
        rest = (given.port, given.login, given.password, given.schema, given.extra_dejson)
        first, *others = [self._get_client(host, *rest) for host in str(given.host).split(",")]
        first._urls.extend(url for other in others for url in other._urls)
        return first


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
        return WebHdfsLake(root, LakeHook(LAKE).get_conn())
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


def _is_remote() -> bool:
    """A missing Spark connection would silently become YARN: asking for it here fails instead."""
    return not str(Connection.get(SPARK).host).startswith("local")
