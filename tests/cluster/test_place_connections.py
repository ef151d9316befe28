"""Whoever overrides a connection in Airflow moves everything that a DAG run does with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.plugins.airflow_process import found_by

SCRIPT = """
import json, os
from types import SimpleNamespace
from marquee.place_settings import is_local_master
from marquee_airflow.runs import open_lake, spark_master
from marquee_airflow.spark import lake_user, webhdfs
def connection(**words):
    extra = {"root": "hdfs://shelf/films"} | words.pop("extra", {})
    given = {"conn_type": "webhdfs", "host": "pi1,pi2", "login": "films", **words, "extra": extra}
    os.environ["AIRFLOW_CONN_HDFS_LAKE"] = json.dumps(given)
    lake = open_lake()
    read = SimpleNamespace(**{"port": None, "login": None, **given}, extra_dejson=extra)
    sent = lake.client._session.params.get("user.name")
    return [lake.client._urls, lake.prefix, webhdfs(read), lake_user(read), sent]
import marquee.lake as lakes
lakes.check_world = lambda lake, world: None  # nobody answers at these made-up hosts
found = {
    "several": connection(port=9870),
    "https": connection(port=9871, extra={"use_ssl": True}),
    "own ports": connection(host="pi1:9870,pi2:9871"),
    "nobody": connection(port=9870, login=None),
}
os.environ["AIRFLOW_CONN_SPARK_CLUSTER"] = json.dumps({"conn_type": "spark", "host": "spark://a:7077"})
found["master"] = [spark_master(), is_local_master(spark_master())]
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    answer: dict[str, Any] = found_by(SCRIPT, Path(tmp_path_factory.mktemp("airflow")))
    return answer


@pytest.mark.parametrize(
    ("given", "urls"),
    [
        ("several", ["http://pi1:9870", "http://pi2:9870"]),
        ("https", ["https://pi1:9871", "https://pi2:9871"]),
        ("own ports", ["http://pi1:9870", "http://pi2:9871"]),
    ],
)
def test_tasks_and_jobs_ask_the_same_namenodes(
    found: dict[str, Any], given: str, urls: list[str]
) -> None:
    asked, prefix, flag, user, sent = found[given]
    assert asked == urls, "the tasks' own client"
    assert flag == ";".join(urls), "the flag of the Spark jobs"
    assert prefix == "/films"
    assert user == sent == "films"


def test_without_a_login_the_settings_name_the_user(found: dict[str, Any]) -> None:
    assert found["nobody"][3:] == ["marquee", "marquee"]


def test_the_connection_decides_which_master(found: dict[str, Any]) -> None:
    assert found["master"] == ["spark://a:7077", False]
