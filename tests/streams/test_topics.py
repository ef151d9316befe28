"""Topics that are deleted, made anew, or given more partitions under a stream."""

from __future__ import annotations

import signal
import subprocess
from collections import Counter
from collections.abc import Callable

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
)

from broker.client import Topic
from local_stack.java_setup import fetch_listed
from marquee.errors import AwayError
from marquee.settings import load_settings
from streams.batch_markers import MarkedAnswers, Marker
from streams.messages import Answer
from streams.sessions import MadeAnewError, StreamTopics
from tests.streams.stream_rig import Said, StreamRig

MIXED: list[Said] = [("budget-estimate", {"year": 2020}), ("title", {"movie_id": 999})]
SPARK = {"MARQUEE_STREAMS__SPARK_SECONDS": "0.1", "MARQUEE_STREAMS__SPARK_BATCH": "50"}
ANEW = "was made anew"
Start = Callable[[], subprocess.Popen[bytes]]


@pytest.fixture(params=["loop", "spark"])
def stream(
    request: pytest.FixtureRequest, make_rig: Callable[..., StreamRig]
) -> tuple[StreamRig, Start]:
    """A rig, and what starts a stream of one kind over it."""
    if request.param == "loop":
        rig = make_rig()
        return rig, rig.start
    fetch_listed("spark-kafka", load_settings("local"))
    rig = make_rig(**SPARK)
    checkpoint = str(rig.folder / "checkpoint")
    return rig, lambda: rig.start("spark", "--checkpoint", checkpoint, "--master", "local[2]")


def test_each_request_of_a_topic_made_anew_is_answered_once(
    stream: tuple[StreamRig, Start],
) -> None:
    rig, start = stream
    process = start()
    old = rig.ask(MIXED * 50, "old")
    rig.answers(old)

    # While it runs: offsets of the old topic lie within the new one, which has fewer partitions.
    rig.make_anew(1)
    ids = rig.ask(MIXED * 100, "running")
    rig.answers(ids)
    rig.wait_for_log(ANEW)
    assert rig.end(process) == 0

    # While it is stopped; the new one has more partitions.
    rig.make_anew(3)
    ids += rig.ask(MIXED * 100, "stopped")
    process = start()
    rig.answers(ids)

    # While it is killed.
    rig.end(process, signal.SIGKILL)
    rig.make_anew(2)
    ids += rig.ask(MIXED * 100, "killed")
    process = start()
    rig.answers(ids)
    assert rig.end(process) == 0
    assert rig.all_answers() == dict.fromkeys([*old, *ids], 1)


def test_answers_too_long_for_their_topic_wait_until_it_takes_them(
    stream: tuple[StreamRig, Start],
) -> None:
    rig, start = stream
    limit_answers(rig, "500")
    process = start()
    ids = rig.ask(MIXED * 5)
    rig.wait_for_log(f"topic {rig.settings.streams.answers}: Broker: Message size too large")
    rig.wait_for_log("give the topic a larger max.message.bytes")
    assert process.poll() is None and "start Kafka" not in rig.log()
    limit_answers(rig, "1000000")
    rig.answers(ids)
    assert rig.end(process) == 0
    assert rig.all_answers() == dict.fromkeys(ids, 1)


def limit_answers(rig: StreamRig, size: str) -> None:
    """Let the topic of answers take batches of so many bytes."""
    entry = ConfigEntry("max.message.bytes", size, incremental_operation=AlterConfigOpType.SET)
    topic = ConfigResource(
        ConfigResource.Type.TOPIC, rig.settings.streams.answers, incremental_configs=[entry]
    )
    rig.admin(lambda admin: admin.incremental_alter_configs([topic]))


def test_partitions_that_are_added_are_read(stream: tuple[StreamRig, Start]) -> None:
    rig, start = stream
    process = start()
    ids = rig.ask(MIXED, "before")
    rig.answers(ids)
    rig.admin(
        lambda admin: admin.create_partitions([NewPartitions(rig.settings.streams.requests, 3)])
    )
    topic = rig.settings.streams.requests
    for number in range(4):
        ids.append(f"added-{number}")
        rig.send_to(topic, 2, ids[-1], MIXED[0])
    rig.answers(ids)
    assert rig.end(process) == 0
    assert rig.all_answers() == dict.fromkeys(ids, 1)


def test_topics_of_answers_and_markers_may_be_made_anew(stream: tuple[StreamRig, Start]) -> None:
    rig, start = stream
    process = start()
    before = rig.ask(MIXED * 10, "before")
    rig.answers(before)
    for topic in (rig.settings.streams.answers, rig.settings.streams.markers):
        rig.delete(topic)
    rig.brokers.ensure_topics(
        [Topic(rig.settings.streams.answers, 1), Topic(rig.settings.streams.markers, 1)]
    )
    ids = rig.ask(MIXED * 10, "after")
    rig.answers(ids)
    assert rig.end(process) == 0
    process = start()
    last = rig.ask(MIXED, "last")
    rig.answers(last)
    assert rig.end(process) == 0
    found = rig.all_answers()
    assert found == Counter([*ids, *last])


def test_two_loops_share_a_topic_that_is_made_anew(make_rig: Callable[..., StreamRig]) -> None:
    rig = make_rig()
    processes = [rig.start("--name", name) for name in ("1", "2")]
    old = rig.ask(MIXED * 50, "old")
    rig.answers(old)
    rig.make_anew(2)
    ids = rig.ask(MIXED * 100, "new")
    rig.answers(ids)
    assert [rig.end(process) for process in processes] == [0, 0]
    assert rig.all_answers() == dict.fromkeys([*old, *ids], 1)


def test_a_topic_that_is_gone_is_left_to_whoever_deleted_it_for_a_while(
    make_rig: Callable[..., StreamRig],
) -> None:
    rig = make_rig()
    topics = StreamTopics(rig.brokers, rig.settings.streams)
    topics.ensure()
    topics.look()
    rig.delete(rig.settings.streams.requests)
    for ask in (topics.ensure, topics.check):
        with pytest.raises(AwayError, match=f"topic {rig.settings.streams.requests} is gone"):
            ask()
    patient = StreamTopics(rig.brokers, rig.settings.streams, seconds_to_leave=0)
    patient.ensure()
    with pytest.raises(MadeAnewError, match=ANEW):
        topics.check()
    topics.ensure()
    assert topics.look()
    topics.check()


@pytest.mark.parametrize(
    ("group_id", "marker_id", "end"),
    [
        ("", "", 7),  # both were written by the version before
        ("present", "", 5),  # the marker is older than the group's offset
        ("", "present", 7),
        ("present", "present", 7),
        ("other", "present", 7),
        ("present", "other", 5),
        ("other", "other", 0),
        ("other", "", 0),
    ],
)
def test_offsets_count_for_the_topic_whose_id_they_have(
    make_rig: Callable[..., StreamRig], group_id: str, marker_id: str, end: int
) -> None:
    rig = make_rig()
    rig.ask(MIXED * 50)
    settings, ids = rig.settings.streams, {"present": rig.requests_id(), "other": "other", "": ""}
    consumer = rig.brokers.consumer(group_id=settings.group)
    at = TopicPartition(settings.requests, 0, 5, ids[group_id])
    consumer.commit(offsets=[at], asynchronous=False)
    consumer.close()
    marker = Marker("query", 1, {0: 7}, ids[marker_id])
    rig.producer.produce(settings.markers, marker.to_json(), settings.requests.encode())
    rig.flush()

    topics = StreamTopics(rig.brokers, settings)
    marked = MarkedAnswers(rig.brokers, settings, topics)
    assert marked.ends[0] == end
    assert marked.is_anew == ("other" in (group_id, marker_id))
    rig.delete(settings.requests)
    rig.brokers.ensure_topics([Topic(settings.requests, 1)])
    with pytest.raises(MadeAnewError):
        marked.write("query", 2, [(0, 8, Answer("a", b"{}", 200))])
    marked.close()
    assert not rig.all_answers()
