"""Calls to the client library that may wait for ever, with an end; transactions are made of them.

The library has been seen to wait for ever, in spite of its own limits, when its broker had just
been killed. Such a call is left behind in a thread of its own, and AwayError says so: whoever
begins anew with the same transactional id fences the client that is left behind.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from broker.client import SECONDS_TO_ANSWER
from broker.client_errors import TAKEN
from marquee.errors import AwayError

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

T = TypeVar("T")
PURGED = ("_PURGE_QUEUE", "_PURGE_INFLIGHT")
"""Of a message that was given up with its transaction: no reason of its own."""
Put = Callable[..., None]
"""Puts a message into a transaction: topic, value, key, and what else the library takes."""


def bounded(call: Callable[[], T], seconds: float = SECONDS_TO_ANSWER) -> T:
    """The result of a call that was itself given `seconds`; AwayError after twice as many."""
    found: queue.SimpleQueue[tuple[T | None, Exception | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            found.put((call(), None))
        except Exception as error:
            found.put((None, error))

    threading.Thread(target=run, name="ask-kafka", daemon=True).start()
    try:
        result, error = found.get(timeout=2 * seconds)
    except queue.Empty:
        raise AwayError("Kafka's client does not come back", "it is asked again anew") from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


def close(consumer: Consumer) -> None:
    """End a consumer, and wait a while. One that is still ending joins no group again."""
    with suppress(Exception):
        bounded(consumer.close, SECONDS_TO_ANSWER / 2)


def begin_transactions(producer: Producer) -> None:
    """Let the producer make transactions; it ends the one that a forerunner has left open."""
    bounded(lambda: producer.init_transactions(SECONDS_TO_ANSWER))


@contextmanager
def transaction(producer: Producer, seconds: float = SECONDS_TO_ANSWER) -> Iterator[Put]:
    """All that is put inside becomes visible at its end, or nothing; the end may take `seconds`.

    Gives the function that puts a message. Where the brokers refuse one, their reason is raised:
    the library itself says of all that comes after it only that its state is erroneous.
    """
    from confluent_kafka import KafkaException

    refused: list[KafkaError] = []
    producer.begin_transaction()
    try:
        yield partial(_put, producer, refused)
        bounded(lambda: producer.commit_transaction(seconds), seconds)
    except AwayError:  # the client does not come back: the next one ends its transaction
        raise
    except BaseException as error:
        producer.poll(0)  # what was refused, before all the rest is given up
        reason = refused[0] if refused and isinstance(error, KafkaException) else None
        try:
            bounded(lambda: producer.abort_transaction(SECONDS_TO_ANSWER))
        except Exception as failed:  # the next one ends it
            if isinstance(failed, KafkaException) and failed.args[0].name() in TAKEN:
                reason = failed.args[0]  # why all else failed
        if reason is not None:
            raise KafkaException(reason) from error
        raise


def _put(
    producer: Producer,
    refused: list[KafkaError],
    topic: str,
    value: bytes | None,
    key: bytes | None,
    **rest: Any,
) -> None:
    """Hand a message over to the library; where its queue is full, it sends meanwhile."""

    def note(error: KafkaError | None, _: Message) -> None:
        if error is not None and error.name() not in PURGED:
            refused.append(type(error)(error.code(), f"topic {topic}: {error.str()}"))

    while True:
        try:
            producer.produce(topic, value, key, on_delivery=note, **rest)
            return
        except BufferError:
            producer.poll(0.1)


def put_offsets(producer: Producer, positions: list[TopicPartition], group: Any) -> None:
    """Commit the offsets of a group with the transaction."""
    seconds = SECONDS_TO_ANSWER
    bounded(lambda: producer.send_offsets_to_transaction(positions, group, seconds))
