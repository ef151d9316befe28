"""Refused messages on their way from the lake to a topic of their own, each with its reason.

`feedback_topic` keeps them in the segments that it publishes. Each segment's are sent in one
transaction, in the order of the segments. What has been sent is read from the topic itself, so a
kill at any point loses and doubles none for a reader of committed messages.
"""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from broker.bounded_calls import begin_transactions, close, transaction
from broker.client import SECONDS_TO_ANSWER, Brokers, Topic
from broker.feedback_topic import REFUSED_FILE, chain_head, number_of, segments_of
from marquee.lake import Lake
from sources.feedback_in_lake import IN_LAKE

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Producer

PARTITION = 0
"""All are sent to one partition, whose end says what has been sent."""
TAIL = 1000
"""Offsets at the end of that partition that are searched first; commits take offsets, too."""
MOST_BYTES = 512 * 1024
"""Of a refused message that is sent on; the lake has all of a longer one."""


def send_refused(lake: Lake, brokers: Brokers, topic: str, refused: Topic) -> int:
    """Send what has not been sent; the number of the last segment whose messages are there.

    Raises AwayError where the brokers do not answer.
    """
    head, leaves = chain_head(lake, topic), segments_of(lake, topic)
    owed = [leaf for leaf in leaves if number_of(leaf) > head.refused_sent]
    owed = [leaf for leaf in owed if lake.manifest(f"{IN_LAKE}/{leaf}").facts["refused"]]
    if not owed:
        return head.number
    brokers.ensure_topics([refused])
    producer = brokers.producer(transactional_id=f"marquee-refused-{topic}")
    with brokers.errors(f"topic {refused.name} takes no refused messages"):
        begin_transactions(producer)
        sent = _last_sent(brokers, topic, refused.name)
        for leaf in owed:
            if number_of(leaf) > sent:
                _send(producer, lake, leaf, topic, refused.name)
    return head.number


def _send(producer: Producer, lake: Lake, leaf: str, topic: str, refused: str) -> None:
    messages = list(_refused_of(lake, leaf))  # before the transaction: the lake may be away
    with transaction(producer, SECONDS_TO_ANSWER * 3) as put:
        for one in messages:
            key, value = _bytes(one["key"]), _bytes(one["value"])
            headers = {
                "reason": one["reason"],
                "topic": topic,
                "partition": str(one["partition"]),
                "offset": str(one["offset"]),
                "segment": str(number_of(leaf)),
                "bytes": str(len(value or b"")),
            }
            cut = None if value is None else value[:MOST_BYTES]
            put(refused, cut, key, partition=PARTITION, headers=headers)


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


def _refused_of(lake: Lake, leaf: str) -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="marquee-") as scratch:
        folder = lake.fetch(f"{IN_LAKE}/{leaf}", Path(scratch))
        lines = (folder / REFUSED_FILE).read_text("utf-8").splitlines()
    return map(json.loads, lines)


def _last_sent(brokers: Brokers, topic: str, refused: str) -> int:
    """The number of the last segment in the topic of refused messages; 0 where it has none."""
    consumer = brokers.consumer()
    try:
        bound = brokers.offsets(consumer, refused)[PARTITION]
        for start in (max(bound.earliest, bound.end - TAIL), bound.earliest):
            brokers.read_from(consumer, refused, {PARTITION: start})
            if found := list(_segments(brokers, consumer, topic, refused)):
                return max(found)
    finally:
        close(consumer)
    return 0


def _segments(brokers: Brokers, consumer: Consumer, topic: str, refused: str) -> Iterator[int]:
    """The numbers of the segments in the headers of messages, up to the partition's end."""
    for found in brokers.until_end(consumer, refused):
        headers = dict(found.headers() or ())
        if headers.get("topic") == topic.encode() and "segment" in headers:
            yield int(headers["segment"])
