"""A stream is watched over HTTP as the API is."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from marquee.lake import Lake
from serving.backend import open_backend
from streams.__main__ import Reporter
from streams.health import Health
from streams.messages import Answer, Refused
from streams.sessions import Progress, lag_of
from tests.plugins.free_ports import free_port
from tests.streams.stream_rig import SECONDS_TO_WAIT, Said, StreamRig

MIXED: list[Said] = [("budget-estimate", {"year": 2020}), ("title", {"movie_id": 999})]
Rigs = Callable[..., StreamRig]


def test_a_stream_is_ready_once_a_session_has_begun(lake: Lake, tmp_path: Path) -> None:
    backend, progress = open_backend(lake, tmp_path / "cache", tmp_path / "feedback"), Progress()
    port = free_port()
    Health(progress, backend).start(port)
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)
    assert client.get("/livez").json() == {"status": "alive"}
    early = client.get("/readyz")
    assert (early.status_code, early.headers["content-type"]) == (503, "application/problem+json")
    assert early.json()["detail"].startswith("nothing serves: recommender: the ledger")
    for follower in backend.followers.values():
        follower.poll()
    assert "stream: the stream has not begun" in client.get("/readyz").json()["wrong"]
    progress.sessions = 1
    progress.count([Answer("a", b"", 200), Answer("b", b"", 404), Refused(b"", "no id", 0)])
    progress.lag = {0: 3, 1: 4}
    found = client.get("/readyz").json()
    assert (found["status"], found["wrong"]) == ("ready", [])
    assert {model["model"] for model in found["models"]} == {"recommender", "budget"}
    assert found["stream"] == progress.facts() and found["stream"]["lag"] == 7
    page = client.get("/metrics").text
    for line in (
        "marquee_stream_answers_total 2.0",
        "marquee_stream_problems_total 1.0",
        "marquee_stream_refused_total 1.0",
        "marquee_stream_sessions_total 1.0",
        "marquee_stream_trouble 0.0",
        'marquee_stream_lag{partition="1"} 4.0',
        'marquee_trouble{model="budget"} 0.0',
    ):
        assert f"\n{line}\n" in page
    assert 'marquee_serving{as_of="2026-01-04T03:00:00Z",bundle=' in page
    progress.report("Kafka is away")
    waits = client.get("/readyz")
    assert waits.status_code == 503
    assert waits.json()["detail"] == "nothing is answered: stream: Kafka is away"
    assert "\nmarquee_stream_trouble 1.0\n" in client.get("/metrics").text


def test_a_running_stream_says_that_kafka_is_away(make_rig: Rigs) -> None:
    rig, port = make_rig(), free_port()
    process = rig.start("--port", str(port))
    rig.answers(rig.ask(MIXED))
    wait_until(f"http://127.0.0.1:{port}", 200, rig)
    assert "marquee_stream_answers_total 2.0" in httpx.get(f"http://127.0.0.1:{port}/metrics").text
    rig.broker.kill()
    said = wait_until(f"http://127.0.0.1:{port}", 503, rig)
    assert "Kafka at" in said["detail"]
    rig.broker.start()
    assert wait_until(f"http://127.0.0.1:{port}", 200, rig)["status"] == "ready"
    assert rig.end(process) == 0


def test_a_port_that_is_taken_ends_with_one_line(make_rig: Rigs) -> None:
    rig = make_rig()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = rig.start("--port", str(port))
        assert process.wait(60) == 2
    assert f"error: 127.0.0.1:{port} cannot be listened on" in rig.log()
    assert rig.start("--port", "70000").wait(60) == 2
    assert "Traceback" not in rig.log()


def test_a_status_that_cannot_be_written_is_said_once(
    lake: Lake, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    backend, stop = open_backend(lake, tmp_path / "cache", tmp_path / "feedback"), threading.Event()
    path, progress = tmp_path / "later" / "status.json", Progress()
    reporter = Reporter(progress, backend, path, 0.01, stop)
    reporter.start()
    reporter.join(0.5)
    path.parent.mkdir()
    until = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < until
        reporter.join(0.01)
    stop.set()
    reporter.join()
    said = [one for one in caplog.records if "status.json cannot be written" in one.getMessage()]
    assert len(said) == 1


def wait_until(address: str, status: int, rig: StreamRig) -> dict[str, object]:
    """Ask whether it is ready until the answer has this status; the answer."""
    until = time.monotonic() + SECONDS_TO_WAIT
    while True:
        found = httpx.get(f"{address}/readyz")
        if found.status_code == status:
            answer: dict[str, object] = found.json()
            return answer
        assert time.monotonic() < until, rig.log()
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("latest", "lag"),
    [('{"t": {"0": 7, "1": 2}}', {0: 4, 1: 2}), ('{"t": {"0": 1}}', {0: 0}), ("null", {})],
)
def test_the_lag_of_spark_is_what_its_marker_lacks(latest: str, lag: dict[int, int]) -> None:
    report = '{"sources": [{"latestOffset": ' + latest + "}]}"
    assert lag_of(report, "t", {0: 3}) == lag
