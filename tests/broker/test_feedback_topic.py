"""From the topic to the lake: each message in one segment, the refused ones with their reasons."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from broker.client import Brokers, Topic
from broker.feedback_messages import Message, RefusedMessageError, read_message
from broker.feedback_topic import Head, Taken, resume, segments_of, take_feedback
from broker.feedback_topic import Offsets as Bound
from broker.refused_messages import send_refused
from marquee.clock import seconds
from marquee.errors import AwayError
from marquee.lake import Lake, open_lake
from sources.feedback_in_lake import FEEDBACK_FILE, IN_LAKE
from tests.plugins.kafka_broker import Broker

SCALE = (0.5, 5.0)


class Feed:
    """A topic and the one of its refused messages, with a lake that a load fills."""

    def __init__(self, broker: Broker, lake: Lake, partitions: int = 1) -> None:
        self.broker, self.lake = broker, lake
        self.brokers = Brokers(broker.address)
        self.name = broker.topic("feedback")
        self.refused = Topic(f"{self.name}.refused")
        self.brokers.ensure_topics([Topic(self.name, partitions)])

    def put(self, *values: object, partition: int = 0) -> None:
        producer = self.brokers.producer()
        for value in values:
            data = value if isinstance(value, bytes) else json.dumps(value).encode()
            producer.produce(self.name, data, b"p-ada", partition)
        assert producer.flush(30) == 0

    def load(self) -> Taken:
        sent = send_refused(self.lake, self.brokers, self.name, self.refused)
        taken = take_feedback(self.lake, self.brokers, self.name, SCALE, sent)
        send_refused(self.lake, self.brokers, self.name, self.refused)
        return taken

    def lines(self) -> list[tuple[str, int]]:
        """Server and number of each line in the lake, in the order of the segments."""
        found = []
        for leaf in segments_of(self.lake, self.name):
            with tempfile.TemporaryDirectory() as scratch:
                folder = self.lake.fetch(f"{IN_LAKE}/{leaf}", Path(scratch))
                lines = map(json.loads, (folder / FEEDBACK_FILE).read_text().splitlines())
                found += [(line["server"], line["seq"]) for line in lines]
        return found

    def reasons(self) -> list[str]:
        """The reasons in the topic of refused messages, as a reader of committed ones sees them."""
        consumer = self.brokers.consumer()
        bound = self.brokers.offsets(consumer, self.refused.name)[0]
        self.brokers.read_from(consumer, self.refused.name, {0: bound.earliest})
        found = [dict(one.headers()) for one in self.brokers.until_end(consumer, self.refused.name)]
        consumer.close()
        return [headers["reason"].decode() for headers in found]


@pytest.fixture
def feed(kafka: Broker, tmp_path: Path) -> Feed:
    return Feed(kafka, open_lake(f"file://{tmp_path}/lake"))


def event(seq: int, server: str = "kiosk", **values: Any) -> dict[str, Any]:
    known = {"version": 1, "server": server, "seq": seq, "person": "p-ada", "movie_id": 318}
    return {**known, "rating": 4.5, "time": int(seconds()), **values}


def test_each_message_is_in_one_segment_however_often_it_is_loaded(feed: Feed) -> None:
    feed.put(event(1), event(2))
    assert feed.load().events == 2
    assert feed.load().segments == []
    feed.put(event(2), event(3))
    assert feed.load().events == 2, "a message that a producer repeats comes again"
    assert feed.lines() == [("kiosk", 1), ("kiosk", 2), ("kiosk", 2), ("kiosk", 3)]
    facts = feed.lake.manifest(f"{IN_LAKE}/{segments_of(feed.lake, feed.name)[-1]}").facts
    assert (facts["begin"], facts["end"]) == ({"0": 2}, {"0": 4})


def test_two_loads_at_once_publish_one_segment(feed: Feed) -> None:
    feed.put(event(1))
    first = take_feedback(feed.lake, feed.brokers, feed.name, SCALE)
    (leaf,) = segments_of(feed.lake, feed.name)
    assert first.segments == [f"{IN_LAKE}/{leaf}"] == [f"{IN_LAKE}/{Head().leaf(feed.name)}"]
    other = open_lake(feed.lake.root.removesuffix("/lake") + "/other")
    feed.put(event(2))
    take_feedback(other, feed.brokers, feed.name, SCALE)
    assert segments_of(other, feed.name) == [leaf], "another load at the same place has its name"


BAD: dict[str, object] = {
    "no JSON": b"{",
    "no JSON object": [1],
    "empty": b"",
    "too long": b"x" * 1_000_000,
    "unknown version": event(1, version=2),
    "unknown field": event(1, note="?"),
    "missing field": {"version": 1},
    "rating off the scale": event(1, rating=5.5),
    "wrong rating": event(1, rating="5"),
    "wrong person": event(1, person="42"),
    "wrong movie_id": event(1, movie_id="tt1"),
    "a rating without a movie_id": event(1, movie_id=None),
    "wrong seq": event(0),
    "wrong server": event(1, server="a/b"),
    "wrong time": event(1, time=1.5),
    "time in the future": event(1, time=int(seconds()) + 7200),
}


def test_bad_messages_go_to_a_topic_of_their_own_once_each_with_its_reason(feed: Feed) -> None:
    feed.put(*BAD.values(), event(7))
    taken = feed.load()
    assert taken.events == 1 and taken.refused == dict.fromkeys(BAD, 1)
    feed.load()
    reasons = feed.reasons()
    assert [reason.split(":")[0] for reason in reasons] == list(BAD)
    assert "9223372036854775807" not in "".join(reasons) and max(map(len, reasons)) < 200


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"rating": 10**400}, "rating off the scale: 1000"),
        ({"rating": -(10**400)}, "rating off the scale: -1000"),
        ({"movie_id": 10**400}, "wrong movie_id: 1000"),
        ({"server": "kiosk \ud800"}, "wrong server"),
    ],
)
def test_what_no_column_could_hold_is_refused_in_short(change: dict[str, Any], why: str) -> None:
    now = int(seconds())
    value = json.dumps(event(1) | change).encode()
    with pytest.raises(RefusedMessageError) as refused:
        read_message(Message(0, 0, now, b"p-ada", value), SCALE)
    assert str(refused.value).startswith(why) and len(str(refused.value)) < 200


def test_refused_messages_that_a_killed_load_owes_are_sent_by_the_next_one(feed: Feed) -> None:
    feed.put(b"{")
    take_feedback(feed.lake, feed.brokers, feed.name, SCALE)  # killed before it sent them
    feed.load()
    feed.put(b"[")
    feed.load()
    for _ in range(2):
        send_refused(feed.lake, feed.brokers, feed.name, feed.refused)
    assert feed.reasons() == ["no JSON", "no JSON"]


def test_a_withdrawal_and_a_forgotten_person_come_through(feed: Feed) -> None:
    feed.put(event(1, rating=None), event(2, rating=None, movie_id=None))
    assert feed.load().events == 2 and feed.lines() == [("kiosk", 1), ("kiosk", 2)]


def test_every_partition_is_read(kafka: Broker, tmp_path: Path) -> None:
    feed = Feed(kafka, open_lake(f"file://{tmp_path}/lake"), partitions=3)
    feed.put(event(1), partition=2)
    feed.put(event(1, "till"), partition=0)
    assert feed.load().events == 2
    assert sorted(feed.lines()) == [("kiosk", 1), ("till", 1)]


def test_a_broker_that_dies_under_a_load_is_an_outage_and_the_next_load_has_all(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed.put(event(1), event(2))
    feed.load()
    feed.put(event(3))
    feed.broker.kill()
    monkeypatch.setattr("broker.client.SECONDS_TO_ANSWER", 1.0)
    with pytest.raises(AwayError, match="cannot be read"):
        take_feedback(feed.lake, feed.brokers, feed.name, SCALE)
    monkeypatch.undo()
    feed.broker.start()
    feed.put(event(4))
    feed.load()
    assert feed.lines() == [("kiosk", n) for n in (1, 2, 3, 4)]


def test_a_large_topic_makes_several_segments(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.feedback_topic.MOST_MESSAGES", 1000)
    feed.put(*(event(n) for n in range(1, 2501)))
    taken = feed.load()
    assert taken.events == 2500 and len(taken.segments) >= 2
    assert feed.lines() == [("kiosk", n) for n in range(1, 2501)]


def test_a_topic_made_anew_is_read_from_its_beginning(feed: Feed) -> None:
    feed.put(event(1), event(2))
    feed.load()
    from confluent_kafka.admin import AdminClient

    admin = AdminClient({"bootstrap.servers": feed.broker.address})
    admin.delete_topics([feed.name])[feed.name].result(30)
    feed.brokers.ensure_topics([Topic(feed.name)])
    feed.put(event(3))
    (note,) = feed.load().notes
    assert f"topic {feed.name} was made anew" in note
    assert feed.lines()[-1] == ("kiosk", 3)
    feed.put(event(4))
    assert feed.load().notes == [] and feed.lines()[-1] == ("kiosk", 4)


def test_messages_that_retention_removed_are_named(feed: Feed) -> None:
    head = Head(3, "id", {0: 10})
    starts, (note,) = resume(head, "feed", "id", {0: Bound(earliest=15, end=20)})
    assert starts == {0: 15} and "5 messages (from offset 10) were removed" in note


def test_an_offset_in_the_future_is_named() -> None:
    starts, (note,) = resume(Head(3, "id", {0: 10}), "feed", "id", {0: Bound(2, 4)})
    assert starts == {0: 2} and "offset 10 is in its future, since it ends at 4" in note
