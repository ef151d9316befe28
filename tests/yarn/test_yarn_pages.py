"""What a ResourceManager's pages say, in Hadoop's own form and in the minicluster jar's.

The real one of the jar is asked in `test_yarn_jobs`. Hadoop's own form is from its documentation
("ResourceManager REST API's", 3.4), served here by a real server.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from local_stack.yarn import check_yarn, container_mb
from marquee.errors import AwayError
from marquee.place_preflight import require_place
from marquee.place_settings import SparkSettings
from marquee.resource_manager import tag_of
from marquee.settings import load_settings
from marquee.spark_applications import active_applications, end_applications
from marquee_airflow import drivers
from steps.spark_submit import all_attempts, conf_of_master

PREFIX = all_attempts("prepare_ratings", "manual-1")
APP = {"id": "application_17_0001", "name": f"{PREFIX}2", "state": "RUNNING"}
NODE = {"id": "pi3:45454", "state": "RUNNING", "usedMemoryMB": 512, "availMemoryMB": 1024}
NODE |= {"usedVirtualCores": 1, "availableVirtualCores": 3, "healthReport": ""}
QUEUE = {"queueName": "root", "queues": {"queue": [{"queueName": "films", "state": "RUNNING"}]}}
PAGES: dict[str, Any] = {
    "info": {"clusterInfo": {"state": "STARTED", "haState": "ACTIVE", "hadoopVersion": "3.4.1"}},
    "nodes": {"nodes": {"node": [NODE]}},
    "scheduler": {"scheduler": {"schedulerInfo": QUEUE}},
}


@contextmanager
def served(
    pages: dict[str, Any], refusal: int = 0, state: str = "RUNNING", size: str = "1024"
) -> Iterator[tuple[str, list[str]]]:
    """A server of these pages, and what was asked of it; a PUT ends every application."""
    asked, apps = [], [APP | {"state": state}]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            what = self.path.partition("/cluster/")[2]
            if what.startswith("apps?"):
                ours = tag_of(PREFIX) in what
                self.answer({"apps": {"app": apps} if ours and apps else None})
            elif self.path.startswith("/conf"):
                self.answer({"property": {"key": "any", "value": size}})
            else:
                self.answer(pages[what])

        def do_PUT(self) -> None:
            length = int(self.headers["content-length"])
            asked.append(f"{self.path} {json.loads(self.rfile.read(length))['state']}")
            if not refusal:
                apps.clear()
            self.answer({"state": "ACCEPTED"}, refusal or 202)

        def answer(self, value: Any, status: int = 200) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def test_an_application_is_found_by_its_tag_and_ended() -> None:
    with served(PAGES) as (page, asked):
        found = active_applications("yarn", [page], PREFIX)
        assert [(one.id, one.name, one.state) for one in found] == [
            ("application_17_0001", f"{PREFIX}2", "RUNNING")
        ]
        assert active_applications("yarn", [page], all_attempts("prepare_ratings", "other")) == []
        assert end_applications("yarn", [page], PREFIX) == found
        assert active_applications("yarn", [page], PREFIX) == []
    assert f"applicationTags={conf_of_master('yarn', PREFIX)['spark.yarn.tags']}" in asked[0]
    assert "/ws/v1/cluster/apps/application_17_0001/state KILLED" in asked
    assert conf_of_master("spark://a:7077", PREFIX) == {}


class BreaksOff(BaseHTTPRequestHandler):
    """As the minicluster jar's ResourceManager answers, which cannot write an application whole."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path.endswith("/info"):
            return self.whole({"clusterId": 17})
        if self.path.endswith("/state"):
            return self.whole({"state": "ACCEPTED", "diagnostics": self.path})
        body = b'{"apps":[{"appIdNum":"3","trackingUrlPretty":"UNASSIGNED","applicationId":{}}]}'
        assert self.headers["accept-encoding"] == "identity"
        self.send_response(200)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self.wfile.write(f"{len(body):x}\r\n".encode() + body + b"\r\n")
        self.close_connection = True

    def whole(self, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


def test_an_application_is_found_in_an_answer_that_breaks_off() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), BreaksOff)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        page = f"http://127.0.0.1:{server.server_port}"
        (found,) = active_applications("yarn", [page], PREFIX)
    finally:
        server.shutdown()
        server.server_close()
    assert found.id == "application_17_0003"
    assert (found.state, found.name) == ("ACCEPTED", PREFIX.strip())


def test_a_page_that_refuses_is_named() -> None:
    with served(PAGES, refusal=403) as (page, _), pytest.raises(AwayError) as refused:
        end_applications("yarn", [page], PREFIX)
    assert "refuses to end application_17_0001 (HTTP 403)" in str(refused.value)
    assert "yarn application -kill application_17_0001" in str(refused.value)
    with pytest.raises(AwayError, match=r"no ResourceManager answers at http://127\.0\.0\.1:9"):
        active_applications("yarn", ["http://127.0.0.1:9"], PREFIX)


def test_one_idle_page_of_two_is_no_reason_to_fail() -> None:
    with served(PAGES) as (page, _):
        found = active_applications("yarn", ["http://127.0.0.1:9", page], PREFIX)
    assert [one.id for one in found] == ["application_17_0001"]


def test_a_driver_without_a_container_is_said_once_and_given_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(drivers, "REPORT_AFTER", 0.0)
    monkeypatch.setattr(drivers, "SECONDS_BETWEEN_LOOKS", 0.01)
    with served(PAGES, state="ACCEPTED") as (page, asked):
        place = spark(page, resource_minutes=0.001)
        watch = drivers.DriverWatch("yarn", place, PREFIX, threading.Event())
        watch.start()
        watch.join()
        assert active_applications("yarn", [page], PREFIX) == []
    assert "/ws/v1/cluster/apps/application_17_0001/state KILLED" in asked
    assert capsys.readouterr().out.count(f"{page} has accepted the job and gives its driver") == 1


def test_a_driver_that_runs_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drivers, "SECONDS_BETWEEN_LOOKS", 0.01)
    with served(PAGES) as (page, asked):
        watch = drivers.DriverWatch("yarn", spark(page), PREFIX, threading.Event())
        watch.start()
        watch.join()
    assert asked, "nobody looked"
    assert not any("KILLED" in one for one in asked)


def spark(page: str, **changed: object) -> SparkSettings:
    """A place on YARN whose ResourceManager's port is its page's."""
    address = page.removeprefix("http://")
    own = {"master": "yarn", "resource_manager": address, "master_pages": (page,)}
    own |= {"queue": "films", "deploy_mode": "cluster", "driver_memory": "512m"}
    return load_settings("local").spark.model_copy(update={**own, **changed})


def test_a_yarn_with_room_passes() -> None:
    with served(PAGES) as (page, _):
        found = {one.name: one for one in check_yarn(spark(page))}
    assert [str(one) for one in found.values() if not one.passed] == []
    assert {"NodeManagers", "NodeManager pi3", "room for the driver", "YARN's queue"} <= set(found)
    assert "4 cores and 1536 MB for containers, 1024 MB wanted" in found["NodeManager pi3"].detail


@pytest.mark.parametrize(
    ("changed", "pages", "sentence"),
    [
        ({"executor_memory": "1500m"}, {}, "1536 MB for containers, 2048 MB wanted"),
        ({"driver_overhead": "2g"}, {}, "1536 MB on the largest node, 3072 MB wanted"),
        ({"queue": "root.music"}, {}, "no root.music; there are films, root"),
        ({}, {"nodes": {"nodes": None}}, "0 of 0 run at"),
        ({}, {"nodes": {"nodes": {"node": [NODE | {"state": "UNHEALTHY"}]}}}, "UNHEALTHY: no word"),
        ({}, {"info": {"clusterInfo": {"state": "STARTED", "haState": "STANDBY"}}}, "standby"),
        ({}, {"nodes": ["?"]}, "is no ResourceManager's page"),
        ({"master_pages": ("http://127.0.0.1:9",)}, {}, "no ResourceManager answers"),
        ({"resource_manager": "nowhere.invalid:8032"}, {}, "nowhere.invalid has no address"),
    ],
)
def test_what_is_wrong_is_named(
    changed: dict[str, object], pages: dict[str, Any], sentence: str
) -> None:
    with served(PAGES | pages) as (page, _):
        wrong = [str(one) for one in check_yarn(spark(page, **changed)) if not one.passed]
    assert any(sentence in one for one in wrong), wrong


@pytest.mark.parametrize("size", ["0", "-5"])
def test_a_smallest_container_of_nothing_is_no_division(size: str) -> None:
    with served(PAGES, size=size) as (page, _):
        found = {one.name: one for one in check_yarn(spark(page))}
    assert "rounded to 1 MB" in found["YARN's largest container"].detail


def test_without_an_address_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HADOOP_CONF_DIR", "YARN_CONF_DIR"):
        monkeypatch.delenv(name, raising=False)
    settings = spark("http://x:8088", resource_manager="", master_pages=())
    wrong = [str(one) for one in check_yarn(settings) if not one.passed]
    assert len(wrong) == 2, wrong
    assert "nothing names it" in wrong[0]
    assert "a killed task cannot end its application" in wrong[1]


def test_a_container_is_rounded_up() -> None:
    assert container_mb("512m", "", 256) == 1024
    assert container_mb("512m", "256m", 256) == 768
    assert container_mb("8g", "", 1) == 8192 + 819


def test_a_run_asks_yarn_before_its_first_job(capsys: pytest.CaptureFixture[str]) -> None:
    with served(PAGES) as (page, asked):
        require_place(None, spark(page))
        assert "/ws/v1/cluster/nodes" in asked
        with pytest.raises(AwayError, match="0 of 1 running can hold 2048 MB"):
            require_place(None, spark(page, executor_memory="2g"))
    capsys.readouterr()
    with pytest.raises(AwayError, match="port 9 is closed"):
        require_place(None, spark("http://127.0.0.1:9"))
    page, port = capsys.readouterr().out.splitlines()
    assert "ResourceManager 127.0.0.1:9" in page
    assert port.startswith("warning: YARN's page http://127.0.0.1:9: no ResourceManager answers")
