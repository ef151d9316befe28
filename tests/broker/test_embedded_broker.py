"""A broker of the stack's own, where the settings want one."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.client import Brokers, Topic
from local_stack.health_checks import check_machine
from local_stack.java_setup import fetch_listed
from local_stack.kafka import JARS, why_silent
from local_stack.stack import Stack
from marquee.errors import SettingsError, StackError
from marquee.settings import load_settings
from tests.plugins.free_ports import free_port
from tests.plugins.local_stack import stack_settings


def test_the_stack_starts_it_and_keeps_what_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch_listed(JARS, load_settings("local"))
    monkeypatch.setenv("MARQUEE_KAFKA__EMBEDDED", "true")
    settings = stack_settings(tmp_path)
    stack = Stack(settings)
    assert "kafka" in stack.processes
    stack.processes = {"kafka": stack.processes["kafka"]}
    brokers = Brokers.of(settings)
    for kept in (0, 1):
        assert [name for name, _ in stack.up()] == ["prepared", "kafka"]
        try:
            brokers.ensure_topics([Topic("kept")])
            consumer, producer = brokers.consumer(), brokers.producer()
            assert brokers.offsets(consumer, "kept")[0].end == kept
            producer.produce("kept", b"one")
            assert producer.flush(30) == 0
            consumer.close()
        finally:
            stack.down()
    assert why_silent(settings.stack.port("kafka"))


def test_it_is_not_part_of_the_default_stack() -> None:
    assert "kafka" not in Stack(load_settings("local")).processes


def test_missing_jars_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARQUEE_KAFKA__EMBEDDED", "true")
    settings = load_settings("local").model_copy(update={"cache": str(tmp_path)})
    with pytest.raises(StackError, match=r"46 of the 46 jars .* — make setup-kafka"):
        _ = Stack(settings).environment
    (found,) = [one for one in check_machine(settings, running=True) if one.name == "Kafka"]
    assert not found.passed and found.remedy == "make setup-kafka"


def test_another_server_on_its_port_is_no_broker() -> None:
    assert "no answer on port" in why_silent(free_port())


def test_an_embedded_broker_and_another_one_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARQUEE_KAFKA__EMBEDDED", "true")
    monkeypatch.setenv("MARQUEE_KAFKA__BOOTSTRAP", "broker:9092")
    with pytest.raises(SettingsError, match="the stack's own broker is meant"):
        load_settings("local")
