"""Micro-batches of Spark over a real broker: answers, kills, and records that are lost."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from confluent_kafka.admin import NewPartitions

from local_stack.java_setup import fetch_listed
from marquee.errors import AwayError, SettingsError
from marquee.settings import load_settings
from streams.sessions import why_ended
from tests.streams.stream_rig import SECONDS_TO_WAIT, Said, StreamRig

MIXED: list[Said] = [
    ("budget-estimate", {"year": 2020}),
    ("prediction", {"user_id": 10, "movie_id": 5}),
    ("title", {"movie_id": 999}),
]


PYTHON = """An exception was raised by the Python Proxy. Return Message: Traceback (latest last):
  File "loop.py", line 1, in call
cimpl.KafkaException: KafkaError{code=_TRANSPORT,val=-195,str="no broker"}
\tat py4j.Protocol.getReturnValue(Protocol.java:476)
"""
JAVA = """[STREAM_FAILED] Query [id = 1] terminated with exception: Job aborted
org.apache.spark.SparkException: Job aborted
\tat org.apache.spark.Run.run(Run.java:1)
Caused by: org.apache.kafka.common.errors.TimeoutException: no metadata in 60000 ms
\t... 3 more
"""
REFUSED = JAVA.replace(
    "TimeoutException: no metadata in 60000 ms", "SaslAuthenticationException: wrong password"
)
NO_RIGHT = JAVA.replace(
    "TimeoutException: no metadata in 60000 ms", "TopicAuthorizationException: not authorized: [q]"
)
WRONG = "x\nmarquee.errors.SettingsError: Kafka refuses us — correct [kafka]\n\tat py4j.Run"
FINAL = (REFUSED, NO_RIGHT, WRONG)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PYTHON, "KafkaError{code=_TRANSPORT"),
        (JAVA, "TimeoutException: no metadata in 60000 ms"),
        (WRONG, "Kafka refuses us — correct [kafka]"),
        (REFUSED, "Kafka refuses Spark's client: wrong password"),
        (NO_RIGHT, "not authorized: [q]"),
        ("py4j is gone\n", "py4j is gone"),
        ("", "no reason"),
    ],
)
def test_why_a_query_ended_is_its_cause_in_one_line(text: str, said: str) -> None:
    shown = str(why_ended(text))
    assert said in shown and "Traceback" not in shown and "\n" not in shown
    assert type(why_ended(text)) is (SettingsError if text in FINAL else AwayError)


@pytest.fixture
def rig(make_rig: Callable[..., StreamRig]) -> StreamRig:
    fetch_listed("spark-kafka", load_settings("local"))
    return make_rig(MARQUEE_STREAMS__SPARK_SECONDS="0.1", MARQUEE_STREAMS__SPARK_BATCH="50")


def start(rig: StreamRig) -> subprocess.Popen[bytes]:
    return rig.start("spark", "--checkpoint", str(checkpoint(rig)), "--master", "local[2]")


def checkpoint(rig: StreamRig) -> Path:
    return rig.folder / "checkpoint"


def records(rig: StreamRig) -> list[Path]:
    """What Spark has recorded as done, in the order of its batches."""
    found = checkpoint(rig).glob("session-*/commits/[0-9]*")
    return sorted(found, key=lambda path: int(path.name))


def test_no_kill_and_no_lost_record_answers_a_request_twice(rig: StreamRig) -> None:
    process = start(rig)
    ids = rig.ask(MIXED * 60, "one")
    rig.send(b"no JSON")
    rig.flush()
    rig.answers(ids[:60])
    rig.end(process, signal.SIGKILL)

    # Besides, the gap: a batch is written, and Spark's record of it is lost.
    lost = records(rig)[-1]
    lost.unlink()
    ids += rig.ask(MIXED * 20, "two")
    process = start(rig)
    found = rig.answers(ids)
    assert [found[name]["status"] for name in ids[:3]] == [200, 200, 404]
    assert rig.refused(1)[0][0] == b"no JSON"
    assert rig.end(process) == 0

    # What the kill has left is removed after a day; an ended session leaves nothing.
    assert [lost.parent.parent] == list(checkpoint(rig).iterdir())
    os.utime(lost.parent.parent, (0, 0))
    process = start(rig)
    ids += rig.ask(MIXED * 5, "four")
    rig.answers(ids)
    assert rig.end(process) == 0
    assert list(checkpoint(rig).iterdir()) == []

    # A loop goes on where Spark ended.
    process = rig.start()
    ids += rig.ask(MIXED, "five")
    rig.answers(ids)
    assert rig.end(process) == 0
    assert rig.all_answers() == dict.fromkeys(ids, 1)


@pytest.mark.parametrize(
    "said", ["WARNING: Using incubator", "Setting default log level", "query "]
)
def test_ctrl_c_ends_without_a_word_at_any_moment(rig: StreamRig, said: str) -> None:
    process = start(rig)
    rig.wait_for_log(said)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: Spark's virtual machine as well
    assert process.wait(60) == 0
    assert "Traceback" not in rig.log() and "error:" not in rig.log()


def test_a_virtual_machine_that_dies_is_one_line(rig: StreamRig) -> None:
    process = start(rig)
    rig.wait_for_log("query ")
    (machine,) = (p for p in psutil.Process(process.pid).children(True) if p.name() == "java")
    machine.kill()
    assert process.wait(60) == 75
    assert "error: Spark's virtual machine has ended (" in rig.log()
    assert "Traceback" not in rig.log()


def test_a_message_of_somebody_else_and_more_partitions_of_markers_lose_no_marker(
    rig: StreamRig,
) -> None:
    key = rig.settings.streams.requests.encode()
    rig.brokers.admin().create_partitions([NewPartitions(rig.settings.streams.markers, 3)])
    process = start(rig)
    ids = rig.ask(MIXED * 5, "one")
    rig.answers(ids)
    rig.end(process, signal.SIGKILL)
    for value in (b"no JSON", b"[]", None):
        rig.producer.produce(rig.settings.streams.markers, value, key, partition=0)
    rig.flush()
    rig.brokers.admin().delete_consumer_groups([rig.settings.streams.group])
    process = start(rig)
    ids += rig.ask(MIXED, "two")
    rig.answers(ids)
    assert rig.end(process) == 0 and "a marker that is none of ours is left out" in rig.log()
    assert rig.all_answers() == dict.fromkeys(ids, 1)


def test_spark_waits_while_loops_answer(rig: StreamRig) -> None:
    spark, ids = start(rig), rig.ask(MIXED * 20, "one")
    rig.answers(ids[:30])
    loop = rig.start()
    for number in range(10):
        ids += rig.ask(MIXED * 20, f"both-{number}")
    rig.wait_for_log(f"loops of the group {rig.settings.streams.group} answer these topics")
    ids += rig.ask(MIXED * 20, "loop")
    rig.answers(ids)
    assert rig.end(loop) == 0
    ids += rig.ask(MIXED * 20, "spark")
    rig.answers(ids)
    assert rig.end(spark) == 0
    assert rig.all_answers() == dict.fromkeys(ids, 1)


def test_of_two_sparks_of_one_group_one_ends_with_a_line_and_one_goes_on(rig: StreamRig) -> None:
    both, ids = [start(rig), start(rig)], list[str]()
    number, until = 0, time.monotonic() + SECONDS_TO_WAIT
    while (left := [one for one in both if one.poll() is None]) == both:
        assert time.monotonic() < until, rig.log()
        ids += rig.ask(MIXED, f"both-{(number := number + 1)}")
        time.sleep(0.5)
    (other,) = left
    assert [one.returncode for one in both if one is not other] == [2]
    assert "error: another stream of Spark answers for the group" in rig.log()
    rig.answers(ids + rig.ask(MIXED, "last"))
    assert rig.end(other) == 0
    assert set(rig.all_answers().values()) == {1} and "Traceback" not in rig.log()


def test_a_broker_that_is_silent_for_long_is_waited_for_in_a_line(rig: StreamRig) -> None:
    process = start(rig)
    rig.wait_for_log("answers from")
    ids = rig.ask(MIXED * 20, "one")
    time.sleep(1)
    rig.broker.freeze()
    rig.wait_for_log("Kafka at 127.0.0.1:" + str(rig.broker.port) + ")")
    rig.broker.thaw()
    rig.answers(ids + rig.ask(MIXED, "two"))
    assert process.poll() is None and rig.end(process) == 0
    assert set(rig.all_answers().values()) == {1} and "Traceback" not in rig.log()


def test_a_folder_of_somebody_else_is_no_checkpoint(rig: StreamRig) -> None:
    checkpoint(rig).mkdir()
    (checkpoint(rig) / "thesis.txt").write_text("years")
    assert start(rig).wait(60) == 2
    assert "holds other files than a checkpoint: thesis.txt — give" in rig.log()
    assert (checkpoint(rig) / "thesis.txt").read_text() == "years"
