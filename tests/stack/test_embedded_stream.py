"""A stream of the stack's own, where the settings want one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from broker.client import Brokers
from local_stack.health_checks import check_machine, why_not_ready
from local_stack.java_setup import fetch_listed
from local_stack.kafka import JARS
from local_stack.stack import Stack
from marquee.host_checks import Finding
from marquee.settings import Settings, load_settings
from streams.messages import request_message
from tests.plugins.local_stack import HDFS, stack_settings

PROCESSES = (*HDFS, "kafka", "stream")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("MARQUEE_KAFKA__EMBEDDED", "true")
    monkeypatch.setenv("MARQUEE_STREAMS__EMBEDDED", "true")
    monkeypatch.setenv("MARQUEE_STREAMS__STATUS_SECONDS", "0.5")
    return stack_settings(tmp_path)


def answer_to(settings: Settings, question: bytes) -> dict[str, object]:
    """Ask on the topic; the first message on the other one."""
    brokers, topics = Brokers.of(settings), settings.streams
    reader, writer = brokers.consumer(**{"auto.offset.reset": "earliest"}), brokers.producer()
    writer.produce(topics.requests, question)
    assert writer.flush(60) == 0
    reader.subscribe([topics.answers])
    try:
        while (message := reader.poll(60)) is not None:
            if not message.error():
                return dict(json.loads(message.value()))
    finally:
        reader.close()
    raise AssertionError("nothing was answered within a minute")


@pytest.mark.hdfs
def test_the_stack_starts_it_behind_hdfs_and_kafka_and_it_answers(settings: Settings) -> None:
    fetch_listed(JARS, load_settings("local"))
    stack = Stack(settings)
    assert "stream" in stack.processes
    stack.processes = {name: stack.processes[name] for name in PROCESSES}
    started = [name for name, _ in stack.up()]
    try:
        assert started[-1] == "stream" and set(started) >= set(PROCESSES)
        assert {row["name"]: row["lacks"] for row in stack.status()} == dict.fromkeys(PROCESSES, "")
        found = answer_to(stack.settings, request_message("1", "similar", {"movie_id": 1}))
        assert (found["id"], found["status"]) == ("1", 503)  # no model serves in this lake
    finally:
        stack.down()


def finding(settings: Settings) -> Finding:
    (found,) = [one for one in check_machine(settings, running=True) if one.name == "stream"]
    return found


def test_the_doctor_says_what_it_lacks(settings: Settings, tmp_path: Path) -> None:
    assert finding(settings).passed
    none = settings.kafka.model_copy(update={"embedded": False})
    without = finding(settings.model_copy(update={"kafka": none}))
    assert not without.passed and "set [kafka] embedded = true" in without.remedy
    spark = settings.streams.model_copy(update={"how": "spark"})
    bare = finding(settings.model_copy(update={"streams": spark, "cache": str(tmp_path)}))
    assert not bare.passed and bare.remedy == "make setup-kafka"


def test_it_is_ready_while_it_reports_no_trouble(settings: Settings) -> None:
    path = Stack(settings).folders.stream_status
    assert why_not_ready("stream", settings) == "it has not reported yet"
    path.parent.mkdir(parents=True)
    path.write_text('{"failure": "Kafka is away"}')
    assert why_not_ready("stream", settings) == "Kafka is away"
    path.write_text('{"failure": ""}')
    assert why_not_ready("stream", settings) == ""
    os.utime(path, (1e9, 1e9))
    assert "its last report is" in why_not_ready("stream", settings)


def test_it_is_not_part_of_the_default_stack() -> None:
    assert "stream" not in Stack(load_settings("local")).processes
