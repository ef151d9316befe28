"""The outbox: every durable line on the topic, in order, whatever happens to the broker."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.client import Brokers, Topic
from broker.feedback_outbox import CURSOR_FILE, Outbox, feedback_outbox
from broker.feedback_topic import segments_of, take_feedback
from marquee.daemon_settings import KAFKA_USERNAME
from marquee.lake import Lake, open_lake
from serving.feedback_log import EVERYTHING, FeedbackLog
from sources.feedback_in_lake import fetch_feedback, origin, publish_feedback
from sources.feedback_segments import read_feedback, seal_feedback
from tests.broker.test_client import with_kafka
from tests.plugins.kafka_broker import Broker

SCALE = (0.5, 5.0)


class Host:
    """A serving host: its feedback log and its outbox."""

    def __init__(self, folder: Path, broker: Broker, name: str = "local") -> None:
        self.log = FeedbackLog(folder, name)
        self.broker = broker
        self.brokers = Brokers(broker.address)
        self.topic = Topic(broker.topic("feedback"))
        self.restart()

    def restart(self) -> None:
        self.outbox = Outbox(
            lambda: self.brokers, self.topic, self.log.folder, self.log.server, self.log.written
        )

    @property
    def name(self) -> str:
        return origin(self.log.folder, self.log.server)

    def on_topic(self) -> list[dict[str, object]]:
        consumer = self.brokers.consumer()
        bound = self.brokers.offsets(consumer, self.topic.name)[0]
        self.brokers.read_from(consumer, self.topic.name, {0: bound.earliest})
        found = [json.loads(m.value()) for m in self.brokers.until_end(consumer, self.topic.name)]
        consumer.close()
        return found

    def stars(self) -> list[object]:
        return [value["rating"] for value in self.on_topic()]


@pytest.fixture
def host(kafka: Broker, tmp_path: Path) -> Host:
    return Host(tmp_path / "feedback", kafka)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return open_lake(f"file://{tmp_path}/lake")


def eventually(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < until, "it did not come to be"
        time.sleep(0.05)


def test_what_is_kept_is_published_in_order_and_once(host: Host) -> None:
    host.log.write("p-ada", {1: 4.0})
    host.log.write("p-ada", {1: None})
    assert host.outbox.publish() and host.outbox.published == 2
    seal_feedback(host.log.folder, "local")
    host.log.write("p-ada", {2: 5.0, EVERYTHING: None})
    host.restart()
    assert host.outbox.publish() and host.outbox.publish()
    found = host.on_topic()
    assert [(v["movie_id"], v["rating"]) for v in found] == [
        (1, 4.0),
        (1, None),
        (2, 5.0),
        (None, None),
    ]
    assert {v["server"] for v in found} == {host.name} != {"local"}
    assert [v["seq"] for v in found] == sorted({int(str(v["seq"])) for v in found})


def test_a_broker_that_is_away_costs_a_write_nothing_and_gets_all_when_it_is_back(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.client.SECONDS_TO_ANSWER", 1.0)
    host.log.write("p-ada", {1: 1.0})
    assert host.outbox.publish()
    kafka = host.brokers.bootstrap
    host.broker.kill()
    for stars in (2.0, 3.0, 4.0):
        host.log.write("p-ada", {1: stars})
    assert not host.outbox.publish()
    assert host.outbox.waiting == 3
    assert "ratings are kept and wait for Kafka" in host.outbox.failure
    assert kafka in host.outbox.failure
    monkeypatch.undo()
    host.broker.start()
    assert host.outbox.publish() and host.outbox.failure == "" and host.outbox.waiting == 0
    # The producer cannot know whether a message that waited too long arrived.
    first_seen = list(dict.fromkeys(host.stars()))
    assert first_seen == [1.0, 2.0, 3.0, 4.0]


def test_a_thread_publishes_as_soon_as_a_line_is_written(host: Host) -> None:
    host.outbox.start()
    host.log.write("p-ada", {1: 4.0})
    eventually(lambda: host.outbox.published == 1)
    host.log.write("p-ada", {1: 3.0})
    eventually(lambda: host.outbox.published == 2)
    host.outbox.request_stop()
    assert host.stars() == [4.0, 3.0]


def test_a_kill_between_the_topic_and_the_cursor_counts_once(host: Host, lake: Lake) -> None:
    host.log.write("p-ada", {1: 4.0})
    assert host.outbox.publish()
    cursor = (host.log.folder / CURSOR_FILE).read_bytes()
    host.log.write("p-ada", {1: 3.0})
    assert host.outbox.publish()
    (host.log.folder / CURSOR_FILE).write_bytes(cursor)
    host.restart()
    assert host.outbox.publish()
    assert host.stars() == [4.0, 3.0, 3.0]
    assert take_feedback(lake, host.brokers, host.topic.name, SCALE).events == 2


def test_what_another_host_heard_is_felt_here_once_though_it_comes_both_ways(
    host: Host, lake: Lake, tmp_path: Path
) -> None:
    host.log.write("p-ada", {1: 4.0})
    host.log.write("p-ada", {1: 3.0})
    assert host.outbox.publish()
    take_feedback(lake, host.brokers, host.topic.name, SCALE)
    other = FeedbackLog(tmp_path / "other", "local")
    other.write("p-bob", {2: 5.0})
    fetch_feedback(lake, other.folder, other.server)
    other.read_again()
    assert other.feedback_of("p-ada") == {1: 3.0}, "over the topic alone"
    publish_feedback(lake, host.log.folder, host.log.server)
    for log in (other, host.log):
        fetch_feedback(lake, log.folder, log.server)
        log.read_again()
        assert log.feedback_of("p-ada") == {1: 3.0}
        seen = Counter((line.person, line.seq) for line in read_feedback(log.folder))
        assert set(seen.values()) == {1} and len(segments_of(lake, host.topic.name)) == 1


def test_credentials_that_are_missing_are_said_and_stop_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KAFKA_USERNAME, raising=False)
    settings = with_kafka(bootstrap="broker:9092", security="sasl_ssl")
    log = FeedbackLog(tmp_path, "local")
    log.write("p-ada", {1: 4.0})
    outbox = feedback_outbox(settings, log.folder, log.server, log.written)
    assert outbox is not None
    assert not outbox.publish() and "MARQUEE_KAFKA_PASSWORD is not set" in outbox.failure
