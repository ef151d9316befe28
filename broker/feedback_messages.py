"""The feedback topic, and its messages: made from a line of feedback, read back, or refused.

A message is a JSON object, its key the person, so that one partition holds a person's messages in
order. `server` and `seq` together are its identity: a message that comes twice counts once, also
where it comes in a segment too. Other producers write the same (docs/guides/kafka.md):

    {"version": 1, "server": "kiosk-7", "seq": 12, "person": "p-ada", "movie_id": 318,
     "rating": 4.5, "time": 1764230400}
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from broker.client import Topic
from marquee.daemon_settings import KafkaSettings
from sources.feedback_lines import FIRST_TRUSTED_TIME, Feedback

VERSION = 1
LONGEST = 4096
"""Bytes; a message of ours has 200."""
SECONDS_AHEAD = 600
"""By how much a message's time may be after the moment at which the broker got it."""
LARGEST = 2**63 - 1
FIELDS = ("version", "server", "seq", "person", "movie_id", "rating", "time")
PERSON = re.compile(r"p-[A-Za-z0-9._-]{1,64}")
SERVER = re.compile(r"[^/\x00-\x1f\ud800-\udfff]{1,100}")


class RefusedMessageError(ValueError):
    """Why a message is no feedback: the kind of reason, which is counted, and its detail."""

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind = kind


@dataclass(frozen=True)
class Message:
    """A message as the broker keeps it."""

    partition: int
    offset: int
    appended_at: int
    """UTC seconds by the broker's clock."""
    key: bytes | None
    value: bytes | None


def feedback_topics(settings: KafkaSettings) -> tuple[Topic, Topic]:
    """The topic of feedback and the one of refused messages, as we make them.

    A message is on the disk before it is acknowledged, and bears the broker's time: producers'
    clocks cannot be trusted. Refused messages go to one partition (`refused_messages`).
    """
    values = {
        "retention.ms": str(settings.retention_days * 86_400_000),
        "flush.messages": "1",
        "message.timestamp.type": "LogAppendTime",
        "cleanup.policy": "delete",
    }
    return (
        Topic(settings.feedback_topic, settings.partitions, settings.copies, values),
        Topic(settings.refused_topic, 1, settings.copies, values),
    )


def to_message(line: Feedback, server: str) -> tuple[bytes, bytes]:
    """Key and value of a line of `server`'s log; `server` has its folder's mark.

    Lines of older code have no number, and are not published: ValueError.
    """
    if line.seq is None:
        raise ValueError("a line without a number has no identity")
    value = {
        "version": VERSION,
        "server": server,
        "seq": line.seq,
        "person": line.person,
        "movie_id": line.movie_id,
        "rating": line.rating,
        "time": line.time,
    }
    return line.person.encode(), json.dumps(value).encode()


def read_message(message: Message, scale: tuple[float, float]) -> Feedback:
    """The line of feedback in a message, with the moment from which it counts.

    Raises RefusedMessageError with the reason where it is none. A time of a clock that was never
    set becomes the broker's.
    """
    found = _fields(message.value)
    movie_id, rating = _movie(found["movie_id"]), _rating(found["rating"], scale)
    if movie_id is None and rating is not None:
        raise RefusedMessageError("a rating without a movie_id")
    person = _text(found["person"], PERSON, "person", "p- and 1 to 64 of A-Z a-z 0-9 . _ -")
    server = _text(found["server"], SERVER, "server", "1 to 100 signs without /")
    time = _whole(found["time"], "time", 0)
    if time > message.appended_at + SECONDS_AHEAD:
        raise RefusedMessageError("time in the future", f"{time - message.appended_at} s")
    counts = time if time >= FIRST_TRUSTED_TIME else message.appended_at
    seq = _whole(found["seq"], "seq", 1)
    return Feedback(
        person, movie_id, rating, time, seq, min(counts, message.appended_at), server=server
    )


def _fields(value: bytes | None) -> dict[str, Any]:
    if not value:
        raise RefusedMessageError("empty")
    if len(value) > LONGEST:
        raise RefusedMessageError("too long", f"{len(value)} bytes, more than {LONGEST}")
    try:
        found = json.loads(value, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise RefusedMessageError("no JSON") from None
    if not isinstance(found, dict):
        raise RefusedMessageError("no JSON object")
    version = found.get("version")
    if version != VERSION or isinstance(version, bool):
        raise RefusedMessageError("unknown version", f"{_shown(version)}; this release reads 1")
    if unknown := sorted(found.keys() - set(FIELDS)):
        raise RefusedMessageError("unknown field", _shown(unknown[0]))
    if missing := [name for name in FIELDS if name not in found]:
        raise RefusedMessageError("missing field", missing[0])
    return found


def _movie(value: Any) -> int | None:
    return None if value is None else _whole(value, "movie_id", -LARGEST)


def _rating(value: Any, scale: tuple[float, float]) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RefusedMessageError("wrong rating", _shown(value))
    if not scale[0] <= value <= scale[1]:  # a whole number may be too large for a float
        said = f"{_shown(value)} is not from {scale[0]} to {scale[1]}"
        raise RefusedMessageError("rating off the scale", said)
    return float(value)


def _whole(value: Any, name: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= LARGEST:
        bound = f" from {least}" if least > -LARGEST else ""
        said = f"{_shown(value)} is no whole number{bound}"
        raise RefusedMessageError(f"wrong {name}", said)
    return value


def _text(value: Any, pattern: re.Pattern[str], name: str, form: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise RefusedMessageError(f"wrong {name}", f"{_shown(value)} is not {form}")
    return value


def _shown(value: Any) -> str:
    return json.dumps(value)[:60]


def _no_number(text: str) -> None:
    raise ValueError(text)
