"""What a weekly run asks before its first Spark job: one line for each host, all at once."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from importlib.metadata import version

import pytest

from marquee import host_checks
from marquee.deadlines import at_once
from marquee.errors import AwayError, retry_helps
from marquee.host_checks import Finding, check_clocks, check_hdfs, check_version
from marquee.place_preflight import require_place
from marquee.place_settings import LakeSettings, SparkSettings
from marquee.settings import load_settings
from tests.plugins.free_ports import free_port

Serve = Callable[..., str]
ROOMY, FULL = {"remaining": 2**40}, {"remaining": 2**20}
WORKER = {"state": "ALIVE", "memory": 1024, "cores": 1}


def lake_at(page: str, **changed: object) -> LakeSettings:
    update = {"root": page.replace("http", "hdfs") + "/m", "webhdfs": page, **changed}
    return load_settings("cluster").lake.model_copy(update=update)


def spark_at(page: str) -> SparkSettings:
    update = {"master": page.replace("http", "spark"), "master_pages": (page,)}
    return load_settings("cluster").spark.model_copy(update=update)


def namenode(live: dict[str, object], safe: str = "") -> bytes:
    info = {"name": "Hadoop:service=NameNode,name=NameNodeInfo", "Safemode": safe}
    return json.dumps({"beans": [info | {"LiveNodes": json.dumps(live)}]}).encode()


def master(*workers: dict[str, object], status: str = "ALIVE") -> bytes:
    return json.dumps({"status": status, "activeapps": [], "workers": workers}).encode()


def test_questions_are_asked_at_once_and_answered_in_their_order() -> None:
    together = threading.Barrier(5)

    def question(number: int) -> int:
        together.wait(60)
        time.sleep((5 - number) / 50)  # the first answers last
        return number

    assert at_once([lambda n=n: question(n) for n in range(5)], 60) == [0, 1, 2, 3, 4]


def test_who_is_silent_delays_nobody_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()
    assert at_once([lambda: done.wait(300), lambda: "here"], 0.5) == [None, "here"]
    done.set()
    monkeypatch.setattr(host_checks, "port_finding", lambda *_: done.clear() or done.wait(300))
    monkeypatch.setattr(host_checks, "at_once", lambda questions: at_once(questions, 0.5))
    (silent,) = host_checks.check_ports([("pi3", 8020)], "NameNode", "[lake] root")
    done.set()
    assert not silent.passed and "pi3 gave no answer" in silent.detail and "pi3" in silent.remedy


def test_a_cluster_that_is_well_passes(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    hdfs = serve(namenode({"dn1:9866": ROOMY, "dn2:9866": ROOMY}))
    require_place(lake_at(hdfs), spark_at(serve(master(WORKER))))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("live", "safe", "says"),
    [
        ({}, "", "DataNodes: 0 alive, 1 wanted"),
        ({"dn1:9866": FULL}, "", "disk of DataNode dn1:9866: 1 MB free, 1152 MB wanted"),
        ({"dn1:9866": ROOMY}, "Safe mode is ON", "safe mode: Safe mode is ON"),
    ],
)
def test_an_hdfs_that_cannot_work_stops_the_run(
    serve: Serve, live: dict[str, object], safe: str, says: str
) -> None:
    page = serve(namenode(live, safe))
    with pytest.raises(AwayError) as caught:
        require_place(lake_at(page), spark_at(serve(master(WORKER))))
    assert says in str(caught.value) and caught.value.remedy and retry_helps(caught.value)


def test_one_full_datanode_of_two_is_said_and_no_reason_to_stop(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    page = serve(namenode({"dn1:9866": ROOMY, "dn2:9866": FULL}))
    require_place(lake_at(page), spark_at(serve(master(WORKER))))
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("warning: disk of DataNode dn2:9866") and "make room on dn2" in line
    needed = [one for one in check_hdfs(lake_at(page), 256, copies=2) if not one.passed]
    assert [one.warning for one in needed] == [False], "with two copies both must have room"


def test_a_standby_that_is_lost_is_said_and_no_reason_to_stop(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    there, lost = serve(namenode({"dn1:9866": ROOMY})), f"http://127.0.0.1:{free_port()}"
    addresses = tuple(page.removeprefix("http://") for page in (there, lost))
    both = {"root": "hdfs://shelf/m", "namenodes": addresses, "webhdfs": f"{there};{lost}"}
    page = serve(master(WORKER))
    masters = f"{page.replace('http', 'spark')},127.0.0.1:{free_port()}"
    spark = spark_at(page).model_copy(update={"master": masters})
    require_place(lake_at(there, **both), spark)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[:2] for line in lines] == [
        ["warning", " NameNode 127.0.0.1"],
        ["warning", " WebHDFS http"],
        ["warning", " Spark master 127.0.0.1"],
    ]


def test_a_wrong_name_a_closed_port_and_a_wrong_clock_are_a_line_each(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    page = serve(namenode({"dn1:9866": ROOMY}), formatdate(time.time() + 300, usegmt=True))
    port = free_port()
    spark = spark_at(serve(master(WORKER))).model_copy(
        update={"master": f"spark://127.0.0.1:{port}"}
    )
    with pytest.raises(AwayError, match="and 2 more"):
        require_place(lake_at(page, root="hdfs://nohost.invalid:8020/m"), spark)
    name, clock, closed = capsys.readouterr().out.splitlines()
    assert "nohost.invalid has no address" in name and "/etc/hosts" in name
    assert "clock of 127.0.0.1" in clock and "timedatectl" in clock
    assert f"port {port} is closed" in closed and "start it on 127.0.0.1" in closed


@pytest.mark.parametrize("workers", [(), ({"state": "DEAD", "memory": 9999, "cores": 1},)])
def test_a_master_without_a_worker_that_fits_stops_the_run(
    serve: Serve, workers: tuple[dict[str, object], ...]
) -> None:
    with pytest.raises(AwayError, match="0 of 0 alive can hold 700 MB"):
        require_place(None, spark_at(serve(master(*workers))))


def test_a_page_that_is_closed_is_said_and_no_reason_to_stop(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    """Spark itself may reach a master whose page is closed, or is another's."""
    page = serve(b"<html>")
    require_place(None, spark_at(page))
    assert capsys.readouterr().out.startswith(f"warning: Spark's page {page}: no Spark master")


def test_what_a_machine_runs_itself_is_not_asked(capsys: pytest.CaptureFixture[str]) -> None:
    require_place(None, load_settings("local").spark)
    folder = load_settings("local").lake.model_copy(update={"root": "file:///srv/lake"})
    require_place(folder, load_settings("local").spark)
    assert capsys.readouterr().out == ""


def test_a_spark_of_another_version_and_a_worker_with_a_wrong_clock_stop_the_run(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    late = serve(b"", formatdate(time.time() - 300, usegmt=True))
    page = serve(master({**WORKER, "webuiaddress": late}) + b'<span class="version">4.0.1</span>')
    assert [str(one) for one in check_version(page) if not one.passed] == [
        f"Spark on 127.0.0.1: 4.0.1, ours is {version('pyspark')} — "
        f"install Spark {version('pyspark')} on 127.0.0.1 and on its workers"
    ]
    with pytest.raises(AwayError, match=r"clock of 127\.0\.0\.1"):
        require_place(None, spark_at(serve(master({**WORKER, "webuiaddress": late}))))
    assert "s behind" in capsys.readouterr().out


def test_a_datanode_with_a_wrong_clock_is_named_where_the_namenode_is_another_host(
    serve: Serve,
) -> None:
    late = serve(b"", formatdate(time.time() + 300, usegmt=True)).removeprefix("http://")
    there = late.replace("127.0.0.1", "localhost")
    page = serve(namenode({"dn1:9866": {**ROOMY, "infoAddr": there}}))
    wrong = [str(one) for one in check_hdfs(lake_at(page), 256, copies=1) if not one.passed]
    assert len(wrong) == 1 and wrong[0].startswith("clock of localhost: ")


def test_a_finding_is_one_printable_line_whatever_a_host_has_said() -> None:
    said = str(Finding("DataNode \ud800", False, "lost\n\x1b[32mfine", "look — at it"))
    assert said == "DataNode ?: lost??[32mfine — look — at it"


def test_a_page_of_endless_classes_is_read_in_its_time(serve: Serve) -> None:
    page = serve(b'class="version"' * 10**6)
    assert [one for one in check_version(page) if one.name.startswith("Spark on")] == []


def test_a_master_without_a_page_at_its_root_may_run_jobs() -> None:
    (found,) = check_version(f"http://127.0.0.1:{free_port()}")
    assert found.warning and "version cannot be read" in found.detail


def test_an_address_that_is_none_hides_no_clock(serve: Serve) -> None:
    silent = f"http://127.0.0.1:{free_port()}/"
    late = serve(b"", formatdate(time.time() - 300, usegmt=True))
    (found,) = check_clocks(["http://[zz/", "http://host:99999/", silent, late])
    assert not found.passed and found.name == "clock of 127.0.0.1"
