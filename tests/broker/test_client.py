"""The client against a real broker: topics, offsets, and each error as one line."""

from __future__ import annotations

import sys
import threading

import pytest

from broker.client import Brokers, Offsets, Topic, check_brokers
from marquee.daemon_settings import KAFKA_PASSWORD, KAFKA_USERNAME
from marquee.errors import AwayError, SettingsError
from marquee.settings import Settings, load_settings
from tests.plugins.free_ports import free_port
from tests.plugins.kafka_broker import Broker


def with_kafka(**values: object) -> Settings:
    """The settings, with these values in `[kafka]`."""
    settings = load_settings("local")
    return settings.model_copy(update={"kafka": settings.kafka.model_copy(update=values)})


def test_a_topic_is_made_once_and_its_messages_are_counted(kafka: Broker) -> None:
    brokers, name = Brokers(kafka.address), kafka.topic()
    for _ in range(2):
        brokers.ensure_topics([Topic(name, partitions=2, values={"flush.messages": "1"})])
    producer = brokers.producer()
    for number in range(3):
        producer.produce(name, f"{number}".encode(), partition=1)
    assert producer.flush(30) == 0
    consumer = brokers.consumer()
    found = brokers.offsets(consumer, name)
    assert {part: (o.earliest, o.end) for part, o in found.items()} == {0: (0, 0), 1: (0, 3)}


def test_a_topic_may_be_asked_for_the_moment_it_is_made(kafka: Broker) -> None:
    brokers, consumer = Brokers(kafka.address), Brokers(kafka.address).consumer()
    for _ in range(20):
        name = kafka.topic("young")
        brokers.ensure_topics([Topic(name, partitions=5)])
        assert len(brokers.offsets(consumer, name)) == 5


def test_a_topic_that_comes_in_time_is_read(kafka: Broker) -> None:
    brokers, name = Brokers(kafka.address), kafka.topic("late")
    late = threading.Timer(0.5, brokers.ensure_topics, [[Topic(name)]])
    late.start()
    assert brokers.offsets(brokers.consumer(), name)[0] == Offsets(0, 0)
    late.join()


def test_an_unknown_topic_is_named(kafka: Broker) -> None:
    brokers = Brokers(kafka.address)
    with pytest.raises(SettingsError, match=r"has no topic no-such-topic — make it"):
        brokers.offsets(brokers.consumer(), "no-such-topic")


def test_a_broker_that_is_away_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.client.SECONDS_TO_ANSWER", 0.5)
    address = f"127.0.0.1:{free_port()}"
    brokers = Brokers(address)
    with pytest.raises(AwayError, match=rf"topic any cannot be made: .*\(Kafka at {address}\) — "):
        brokers.ensure_topics([Topic("any")])
    with pytest.raises(AwayError, match="it does not answer"):
        brokers.ask()


def test_more_copies_than_brokers_are_waited_for_by_their_reason(kafka: Broker) -> None:
    brokers = Brokers(kafka.address)
    with pytest.raises(AwayError, match=r"only 1 broker.* — start more brokers, or set copies"):
        brokers.ensure_topics([Topic(kafka.topic(), copies=3)])


def test_the_doctor_says_once_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.client.SECONDS_TO_ANSWER", 0.5)
    (found,) = check_brokers(with_kafka(bootstrap=f"127.0.0.1:{free_port()}"))
    assert not found.passed and "start Kafka" in found.remedy and "start Kafka" not in found.detail


def test_a_broker_that_is_there_is_not_away(kafka: Broker) -> None:
    Brokers(kafka.address).ask()


def test_a_place_without_kafka_says_which_setting() -> None:
    with pytest.raises(SettingsError, match=r"this place has no Kafka — set \[kafka\] bootstrap"):
        Brokers.of(load_settings("local"))
    own = Brokers.of(with_kafka(embedded=True))
    assert own.bootstrap == "127.0.0.1:9092"


def test_credentials_are_in_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KAFKA_USERNAME, raising=False)
    with pytest.raises(SettingsError, match=f"{KAFKA_USERNAME} or {KAFKA_PASSWORD} is not set"):
        Brokers.of(with_kafka(bootstrap="broker:9092", security="sasl_plaintext"))


def test_a_missing_library_says_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(SettingsError, match="not installed — make setup-kafka"):
        Brokers("127.0.0.1:1").producer()
