"""Micro-batches of Spark over a real broker: answers, kills, and records that are lost."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from local_stack.java_setup import fetch_listed
from marquee.settings import load_settings
from tests.streams.stream_rig import Said, StreamRig

MIXED: list[Said] = [
    ("budget-estimate", {"year": 2020}),
    ("prediction", {"user_id": 10, "movie_id": 5}),
    ("title", {"movie_id": 999}),
]


@pytest.fixture
def rig(make_rig: Callable[..., StreamRig]) -> StreamRig:
    fetch_listed("spark-kafka", load_settings("local"))
    return make_rig(MARQUEE_STREAMS__SPARK_SECONDS="0.1", MARQUEE_STREAMS__SPARK_BATCH="50")


def start(rig: StreamRig) -> subprocess.Popen[bytes]:
    return rig.start("spark", "--checkpoint", str(checkpoint(rig)), "--master", "local[2]")


def checkpoint(rig: StreamRig) -> Path:
    return rig.folder / "checkpoint"


def last_batch(rig: StreamRig) -> int:
    """The number of the last batch that Spark has recorded as done."""
    found = [int(p.name) for p in (checkpoint(rig) / "commits").iterdir() if p.name.isdigit()]
    return max(found)


def test_no_kill_and_no_lost_record_answers_a_request_twice(rig: StreamRig) -> None:
    process = start(rig)
    ids = rig.ask(MIXED * 60, "one")
    rig.send(b"no JSON")
    rig.flush()
    rig.answers(ids[:60])
    rig.end(process, signal.SIGKILL)

    # Besides, the gap: a batch is written, and Spark's record of it is lost.
    lost = last_batch(rig)
    for path in (checkpoint(rig) / "commits").glob(f"*{lost}*"):
        path.unlink()
    ids += rig.ask(MIXED * 20, "two")
    process = start(rig)
    found = rig.answers(ids)
    assert [found[name]["status"] for name in ids[:3]] == [200, 200, 404]
    assert rig.refused(1)[0][0] == b"no JSON"
    assert rig.end(process) == 0

    # The whole checkpoint is lost: another query, whose batches begin at zero.
    query = json.loads((checkpoint(rig) / "metadata").read_text())["id"]
    shutil.rmtree(checkpoint(rig))
    process = start(rig)
    ids += rig.ask(MIXED * 5, "four")
    rig.answers(ids)
    assert rig.end(process) == 0
    assert json.loads((checkpoint(rig) / "metadata").read_text())["id"] != query

    # A loop goes on where Spark ended.
    process = rig.start()
    ids += rig.ask(MIXED, "five")
    rig.answers(ids)
    assert rig.end(process) == 0
    assert rig.all_answers() == dict.fromkeys(ids, 1)
