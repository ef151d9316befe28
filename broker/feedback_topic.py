"""From the feedback topic to the lake, exactly once in effect (ADR 54).

`take_feedback` reads what no run has read and publishes it as a segment of `raw/feedback`, whose
manifest states the offsets behind it. Segments of a topic form a chain: the name of the next one is
made from the offsets where the last one ends, and a lake folder is published by one exclusive
rename. So a killed load, a second attempt or two at once read each message into one segment. No
consumer group is asked: the lake is the truth.

Messages that are no feedback lie in the same segment (`refused.jsonl`), and then go to a topic of
their own, each with its reason.
"""

from __future__ import annotations

import base64
import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from broker.bounded_calls import close
from broker.client import Brokers, Offsets
from broker.feedback_messages import Message, RefusedMessageError, read_message
from marquee.errors import AwayError, ConflictError
from marquee.identifiers import canonical_json, digest_bytes
from marquee.lake import Lake
from sources.feedback_in_lake import FEEDBACK_FILE, IN_LAKE
from sources.feedback_lines import TOPIC_PREFIX, Feedback

if TYPE_CHECKING:
    from confluent_kafka import Consumer

REFUSED_FILE = "refused.jsonl"
MOST_MESSAGES = 100_000
MOST_BYTES = 64 * 1024 * 1024
"""Of one segment; what is left makes the next one."""


@dataclass(frozen=True)
class Head:
    """Where the chain of a topic's segments ends."""

    number: int = 0
    topic_id: str = ""
    next_offsets: dict[int, int] = field(default_factory=dict)
    """By partition, the first message that no segment has."""
    refused_sent: int = 0
    """The number of the last segment whose refused messages were sent on, as it knew."""

    def leaf(self, topic: str) -> str:
        """The name of the segment that follows, whoever publishes it.

        `topic-<topic>-<number>-<digest of the offsets before it>`
        """
        place = canonical_json([topic, self.topic_id, _words(self.next_offsets)])
        return f"{TOPIC_PREFIX}{topic}-{self.number + 1:06d}-{digest_bytes(place)[:12]}"


@dataclass
class Taken:
    """What one `take_feedback` has done."""

    segments: list[str] = field(default_factory=list)
    """Lake paths, oldest first."""
    events: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """Numbers of refused messages by the kind of reason."""
    notes: list[str] = field(default_factory=list)
    """What a person should know: messages that the brokers no longer had."""

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.refused.items()))
        refused = f", {self.refused.total()} messages refused ({kinds})" if kinds else ""
        return "; ".join([f"{self.events} events over Kafka{refused}", *self.notes])


class Batch:
    """The messages of one segment, and by partition the offsets where it begins and ends."""

    def __init__(self, begin: dict[int, int]) -> None:
        self.begin = begin
        self.end = dict(begin)
        self.messages: list[Message] = []
        self._bytes = 0

    def take(self, found: Any, end: int) -> bool:
        """Add a message, unless it comes after `end`; whether its partition has been read to there.

        The library marks the end of a partition, before `end` where a transaction is open, by a
        message with an error.
        """
        part, at, is_mark = found.partition(), found.offset(), found.error() is not None
        if not is_mark and at < end:
            appended_at = found.timestamp()[1] // 1000
            self.messages.append(Message(part, at, appended_at, found.key(), found.value()))
            self._bytes += len(found.value() or b"")
        self.end[part] = min(at if is_mark else at + 1, end)
        return is_mark or self.end[part] >= end

    @property
    def is_full(self) -> bool:
        """Whether the next message belongs into the next segment."""
        return len(self.messages) >= MOST_MESSAGES or self._bytes >= MOST_BYTES


def take_feedback(
    lake: Lake,
    brokers: Brokers,
    topic: str,
    scale: tuple[float, float],
    refused_sent: int = 0,
    run: str = "",
) -> Taken:
    """Publish as segments what the topic holds at this moment and the lake lacks.

    `refused_sent` is the number of the segment up to which refused messages have been sent on;
    `run` is the run that loads, for `taken_by`.
    Raises AwayError where the brokers do not answer; segments that came before stay, and the next
    call goes on after them. SettingsError for a topic that is not there.
    """
    taken, consumer = Taken(), brokers.consumer()
    try:
        head, bounds = chain_head(lake, topic), brokers.offsets(consumer, topic)
        topic_id = brokers.topic_id(topic) or head.topic_id
        starts, notes = resume(head, topic, topic_id, bounds)
        for batch in _batches(brokers, consumer, topic, starts, bounds):
            if batch.messages or notes:
                facts: dict[str, Any] = {"topic": topic, "topic_id": topic_id, "notes": notes}
                facts |= {"refused_sent": refused_sent, "run": run}
                _publish(lake, head.leaf(topic), batch, scale, facts, taken)
                head = Head(head.number + 1, topic_id, batch.end)
            taken.notes += notes
            notes = []
    finally:
        close(consumer)
    return taken


def taken_by(lake: Lake, paths: Iterable[str], run: str) -> Taken:
    """What the attempts of one run took, by the segments among `paths`."""
    taken = Taken()
    for path in paths:
        if not path.startswith(f"{IN_LAKE}/{TOPIC_PREFIX}"):
            continue
        manifest = lake.manifest(path)
        if manifest.facts.get("run") == run:
            taken.segments.append(path)
            taken.events += manifest.rows or 0
            taken.refused.update(manifest.facts["refused"])
            taken.notes += manifest.facts["notes"]
    return taken


def chain_head(lake: Lake, topic: str) -> Head:
    """Where the chain of the topic's segments in the lake ends."""
    leaves = segments_of(lake, topic)
    if not leaves:
        return Head()
    facts = lake.manifest(f"{IN_LAKE}/{leaves[-1]}").facts
    return Head(
        number=number_of(leaves[-1]),
        topic_id=str(facts["topic_id"]),
        next_offsets={int(part): int(at) for part, at in facts["end"].items()},
        refused_sent=int(facts["refused_sent"]),
    )


def segments_of(lake: Lake, topic: str) -> list[str]:
    """The names of a topic's segments in `raw/feedback`, oldest first."""
    start, dashes = f"{TOPIC_PREFIX}{topic}-", topic.count("-") + 3
    found = (leaf for leaf in lake.names(IN_LAKE) if leaf.startswith(start))
    return sorted(leaf for leaf in found if leaf.count("-") == dashes)


def number_of(leaf: str) -> int:
    """The number in the name of a segment."""
    return int(leaf.rsplit("-", 2)[1])


def resume(
    head: Head, topic: str, topic_id: str, bounds: Mapping[int, Offsets]
) -> tuple[dict[int, int], list[str]]:
    """By partition, the offset to read from, and what a person should know of it.

    Where the topic was made anew, or ends before what was read, it is read from its beginning: a
    message that comes twice counts once.
    """
    starts, notes = dict[int, int](), list[str]()
    is_new = bool(head.topic_id) and head.topic_id != topic_id
    if is_new:
        notes.append(
            f"topic {topic} was made anew and is read from its beginning: what the old one held "
            "since the last load is in this run only where a server of ours kept it"
        )
    for part, bound in bounds.items():
        known = None if is_new else head.next_offsets.get(part)
        starts[part] = bound.earliest if known is None else known
        where = f"topic {topic}, partition {part}"
        if starts[part] > bound.end:
            notes.append(
                f"{where}: offset {known} is in its future, since it ends at {bound.end}: it lost "
                "messages, and is read from its beginning"
            )
            starts[part] = bound.earliest
        elif starts[part] < bound.earliest:
            notes.append(
                f"{where}: {bound.earliest - starts[part]} messages (from offset {known}) were "
                "removed before a run read them: raise [kafka] retention_days"
            )
            starts[part] = bound.earliest
    return starts, notes


def _batches(
    brokers: Brokers,
    consumer: Consumer,
    topic: str,
    starts: Mapping[int, int],
    bounds: Mapping[int, Offsets],
) -> Iterator[Batch]:
    """What the topic holds up to `bounds`, in batches that fit into memory; at least one."""
    batch = Batch(dict(starts))
    unread = {part for part, at in starts.items() if at < bounds[part].end}
    brokers.read_from(consumer, topic, {part: starts[part] for part in unread})
    while unread:
        if batch.is_full:
            yield batch
            batch = Batch(dict(batch.end))
        for one in brokers.consume(consumer, topic):
            part = one.partition()
            if batch.take(one, bounds[part].end):
                unread.discard(part)
    yield batch


def _publish(
    lake: Lake,
    leaf: str,
    batch: Batch,
    scale: tuple[float, float],
    facts: dict[str, Any],
    taken: Taken,
) -> None:
    """Publish one segment; AwayError where another load has published one in its place."""
    lines, refused = dict[tuple[str | None, int | None], Feedback](), list[str]()
    kinds: Counter[str] = Counter()
    for message in sorted(batch.messages, key=lambda one: (one.partition, one.offset)):
        try:
            line = read_message(message, scale)
            lines.setdefault((line.server, line.seq), line)
        except RefusedMessageError as error:
            kinds[error.kind] += 1
            refused.append(_refused_line(message, str(error)))
    path = f"{IN_LAKE}/{leaf}"
    with tempfile.TemporaryDirectory(prefix="marquee-") as scratch:
        data = "".join(line.to_json() for line in lines.values())
        (Path(scratch) / FEEDBACK_FILE).write_text(data, "utf-8")
        if refused:
            (Path(scratch) / REFUSED_FILE).write_text("".join(refused), "utf-8")
        facts |= {"begin": _words(batch.begin), "end": _words(batch.end), "refused": dict(kinds)}
        times = [line.effective_time or 0 for line in lines.values()]
        facts |= {"torn_lines": 0, "sealed_at": None, "last_time": max(times, default=0)}
        try:
            lake.publish(Path(scratch), path, rows=len(lines), **facts)
        except ConflictError:
            what = f"another load reads topic {facts['topic']} at the same time"
            raise AwayError(what, "it goes on from there when tried again") from None
    taken.segments.append(path)
    taken.events += len(lines)
    taken.refused.update(kinds)


def _refused_line(message: Message, reason: str) -> str:
    found = {
        "partition": message.partition,
        "offset": message.offset,
        "reason": reason,
        "key": _base64(message.key),
        "value": _base64(message.value),
    }
    return json.dumps(found) + "\n"


def _base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def _words(offsets: Mapping[int, int]) -> dict[str, int]:
    return {str(part): at for part, at in sorted(offsets.items())}
