"""`marquee doctor --place`: real daemons on loopback, and addresses at which there are none."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from cli import app
from local_stack.place_checks import check_database, check_lake
from local_stack.spark_checks import check_spark, check_workers, judge_spark_job
from local_stack.stack import Stack
from marquee import remote_page
from marquee.host_checks import Finding, clock_finding
from marquee.place_settings import SparkSettings
from marquee.settings import Settings, load_settings
from tests.plugins.free_ports import free_port

OWN = sys.version_info
REPORT = {
    "host": "pi3",
    "python": [OWN.major, OWN.minor, 1],
    "user": "marquee",
    "time": 1000.0,
    "free_mb": 900,
    "free_disk_mb": 9000,
    "packages": {"numpy": "2.3.1", "pyarrow": "21.0.0"},
}


def by_name(findings: Iterator[Finding]) -> dict[str, Finding]:
    found = {one.name: one for one in findings}
    assert found
    return found


def failed(findings: Iterator[Finding]) -> list[str]:
    return [str(one) for one in findings if not one.passed]


def lake_of(stack: Stack, **changed: object) -> Settings:
    """The settings of a running HDFS; a made-up machine has one megabyte to spare."""
    lake = stack.settings.lake.model_copy(update=changed)
    room = stack.settings.stack.model_copy(update={"disk_mb": 1})
    return stack.settings.model_copy(update={"lake": lake, "stack": room})


@pytest.mark.hdfs
def test_a_real_hdfs_is_as_its_file_says(hdfs: Stack) -> None:
    found = by_name(check_lake(lake_of(hdfs)))
    assert [str(one) for one in found.values() if not one.passed] == []
    port = hdfs.settings.stack.port("namenode")
    expected = {f"NameNode 127.0.0.1:{port}", "clock of 127.0.0.1", "active NameNode"}
    assert expected | {"safe mode", "DataNodes", "writing as marquee"} <= found.keys()
    assert any(name.startswith("disk of DataNode") for name in found)


@pytest.mark.hdfs
def test_a_full_datanode_and_too_few_are_named(hdfs: Stack) -> None:
    settings = lake_of(hdfs, replication=3)
    room = settings.stack.model_copy(update={"disk_mb": 2**40})
    wrong = failed(check_lake(settings.model_copy(update={"stack": room})))
    assert any("1 alive, 3 wanted" in one and "[lake] replication" in one for one in wrong), wrong
    disk = next(one for one in wrong if one.startswith("disk of DataNode"))
    assert "MB free" in disk and "make room on" in disk


@pytest.mark.hdfs
def test_a_user_who_may_not_write_is_named(hdfs: Stack) -> None:
    root = f"{hdfs.settings.lake.root.rsplit('/', 1)[0]}/strangers"
    found = by_name(check_lake(lake_of(hdfs, user="stranger", root=root)))
    denied = found["writing as stranger"]
    assert not denied.passed and "Permission denied: user=stranger" in str(denied)


@pytest.mark.parametrize(
    ("host", "says"),
    [("127.0.0.1", "no NameNode answers"), ("namenode.invalid", "namenode.invalid has no address")],
)
def test_a_wrong_host_and_a_closed_port_are_one_line_each(host: str, says: str) -> None:
    settings = load_settings("cluster")
    port = free_port()
    update = {"root": f"hdfs://{host}:{port}/m", "webhdfs": f"http://{host}:{port}"}
    lake = settings.lake.model_copy(update=update)
    wrong = failed(check_lake(settings.model_copy(update={"lake": lake})))
    assert len(wrong) == 3, "the port, the page, and so no active NameNode"
    assert says in wrong[1] and "[lake] webhdfs" in wrong[1]
    assert all("\n" not in line for line in wrong)


Serve = Callable[..., str]


def beans(**info: object) -> bytes:
    """A NameNode's page."""
    name = {"name": "Hadoop:service=NameNode,name=NameNodeInfo"}
    return json.dumps({"beans": [name | info]}).encode()


def lake_at(page: str) -> Settings:
    settings = load_settings("cluster")
    update = {"root": page.replace("http", "hdfs") + "/m", "webhdfs": page}
    return settings.model_copy(update={"lake": settings.lake.model_copy(update=update)})


def test_a_clock_five_minutes_off_is_named(serve: Serve) -> None:
    late = serve(beans(), formatdate(time.time() + 300, usegmt=True))
    clock = by_name(check_lake(lake_at(late)))["clock of 127.0.0.1"]
    assert not clock.passed and "s ahead" in clock.detail and "127.0.0.1" in clock.remedy
    assert not clock_finding("pi3", 700.0, 1000.0).passed
    assert clock_finding("pi3", 999.0, 1000.0).passed
    assert "no clock" in clock_finding("pi3", "nonsense").detail


@pytest.mark.parametrize(
    "live",
    ["[1]", '{"dn1": 5}', "x{", '{"dn1": {"remaining": "lots"}}', '{"a": {"remaining": 1e999}}'],
)
def test_beans_of_another_shape_are_one_line(live: str, serve: Serve) -> None:
    page = serve(beans(LiveNodes=live))
    nodes = by_name(check_lake(lake_at(page)))["DataNodes"]
    assert not nodes.passed and "cannot be read" in nodes.detail and page in nodes.detail


@pytest.mark.parametrize("worker", [{"state": "ALIVE", "memory": 1}, 5])
def test_a_masters_page_of_another_shape_is_one_line(worker: object, serve: Serve) -> None:
    state = {"status": "ALIVE", "activeapps": [], "workers": [worker]}
    page = serve(json.dumps(state).encode())
    found = by_name(check_spark(spark_at(page)))["Spark workers"]
    assert not found.passed and "cannot be read" in found.detail and page in found.detail


def spark_at(page: str) -> SparkSettings:
    update = {"master": page.replace("http", "spark"), "driver_host": "127.0.0.1"}
    return load_settings("cluster").spark.model_copy(update={**update, "master_pages": (page,)})


def test_a_page_that_drips_or_floods_comes_to_an_end(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, started = serve(beans(), drip=True), time.monotonic()
    monkeypatch.setattr(remote_page, "SECONDS_TO_READ", 0.3)
    wrong = failed(check_lake(lake_at(page))) + failed(check_spark(spark_at(page)))
    assert time.monotonic() - started < 3
    assert [one for one in wrong if "no NameNode answers (ReadTimeout)" in one]
    assert [one for one in wrong if f"no Spark master answers at {page} (ReadTimeout)" in one]
    monkeypatch.setattr(remote_page, "SECONDS_TO_READ", 10.0)
    monkeypatch.setattr(remote_page, "MOST_BYTES", 20)
    with pytest.raises(httpx.DecodingError, match="more than 20 bytes"):
        remote_page.read_page(serve(b"x" * 1000))


def test_no_active_namenode_is_said_with_those_that_were_asked() -> None:
    page = f"http://127.0.0.1:{free_port()}"
    found = by_name(check_lake(lake_at(page)))["active NameNode"]
    assert not found.passed and page in found.detail and page in found.remedy


@pytest.mark.parametrize("webhdfs", ["", ";"])
def test_an_empty_webhdfs_is_not_fine(webhdfs: str, serve: Serve) -> None:
    settings = lake_at(serve(b""))
    lake = settings.lake.model_copy(update={"webhdfs": webhdfs})
    (line,) = failed(check_lake(settings.model_copy(update={"lake": lake})))
    assert "webhdfs names no NameNode" in line and "http://host:9870" in line


def test_an_hdfs_elsewhere_is_asked_although_the_processes_were_forgotten(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MARQUEE_STATE", str(tmp_path))
    monkeypatch.setenv("MARQUEE_PLACE", "local")
    monkeypatch.setenv("MARQUEE_LAKE__ROOT", "hdfs://nohost.invalid:8020/x")
    monkeypatch.setenv("MARQUEE_LAKE__WEBHDFS", "http://nohost.invalid:9870")
    found = CliRunner().invoke(app, ["doctor", "--place", "local"])
    assert found.exit_code == 1 and "nohost.invalid has no address" in found.output


def test_no_spark_at_the_address_is_one_line_for_port_and_page() -> None:
    spark = load_settings("cluster").spark
    update = {"master": f"spark://127.0.0.1:{free_port()}", "driver_host": "127.0.0.1"}
    pages = (f"http://127.0.0.1:{free_port()}",)
    wrong = failed(check_spark(spark.model_copy(update={**update, "master_pages": pages})))
    assert len(wrong) == 2
    assert "is closed" in wrong[0] and "start it on 127.0.0.1" in wrong[0]
    assert "no Spark master answers" in wrong[1]


def test_a_driver_that_no_worker_reaches_is_named() -> None:
    spark = load_settings("cluster").spark
    update = {"master": "spark://master.invalid:7077", "driver_host": "127.0.0.1"}
    wrong = failed(check_spark(spark.model_copy(update=update)))
    assert "no worker elsewhere reaches" in wrong[0] and "[spark] driver_host" in wrong[0]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"python": [3, 1, 4]}, "Python on pi3: 3.1.4, the driver's is"),
        ({"packages": {"numpy": "2.3.1", "pyarrow": ""}}, "lacks pyarrow — on pi3:"),
        ({"time": 1300.0}, "clock of pi3: 300 s ahead"),
        ({"free_disk_mb": 10}, "disk on pi3: 10 MB free, 4096 wanted"),
        ({"free_mb": 20}, "memory on pi3: 20 MB free"),
    ],
)
def test_what_is_wrong_on_a_worker_is_one_line(changed: dict[str, object], named: str) -> None:
    spark = load_settings("cluster").spark
    assert failed(check_workers([REPORT], spark, 1000.0, 4096)) == []
    (line,) = failed(check_workers([REPORT | changed], spark, 1000.0, 4096))
    assert named in line and "pi3" in line


def test_a_job_that_fails_says_its_own_sentence() -> None:
    spark = load_settings("cluster").spark
    stderr = "WARN x\nerror: no Spark executor for 2 minutes — look at Spark's master\nINFO bye\n"
    (line,) = failed(judge_spark_job("", stderr, spark, 1))
    assert "no Spark executor for 2 minutes" in line and spark.master in line
    stderr = (
        "26/11/26 ERROR StandaloneSchedulerBackend: All masters are unresponsive!\n"
        "\tat a.SparkException.x\n"
        "26/11/26 ERROR TransportResponseHandler: Still have 3 requests outstanding\n"
        "26/11/26 INFO SparkContext: Successfully stopped\n"
    )
    (line,) = failed(judge_spark_job("", stderr, spark, 1))
    assert "All masters are unresponsive!" in line and spark.master in line
    report = 'noise\nWORKERS [{"host": "pi4", "error": "sh: python9: not found"}]\n'
    (line,) = failed(judge_spark_job(report, "", spark, 1))
    assert "Python on pi4" in line and "python9: not found" in line and "install it on pi4" in line


def test_a_database_that_is_not_there_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings, name = load_settings("cluster"), "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
    monkeypatch.delenv(name, raising=False)
    (line,) = failed(check_database(settings))
    assert "does not name it" in line
    monkeypatch.setenv(name, f"postgresql+psycopg2://airflow:hush@127.0.0.1:{free_port()}/airflow")
    (line,) = failed(check_database(settings))
    assert "hush" not in line and "does not listen — start Postgres there" in line
    monkeypatch.setenv(name, f"sqlite:///{tmp_path}/airflow.db")
    assert failed(check_database(settings)) == []
