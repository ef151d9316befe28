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
from typing import TYPE_CHECKING, Any, TypeVar

from broker.client import SECONDS_TO_ANSWER
from marquee.errors import AwayError

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Producer, TopicPartition

T = TypeVar("T")


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
def transaction(producer: Producer, seconds: float = SECONDS_TO_ANSWER) -> Iterator[None]:
    """All that is put inside becomes visible at its end, or nothing; the end may take `seconds`."""
    producer.begin_transaction()
    try:
        yield
        bounded(lambda: producer.commit_transaction(seconds), seconds)
    except AwayError:  # the client does not come back: the next one ends its transaction
        raise
    except BaseException:
        with suppress(Exception):  # the next one ends it otherwise
            bounded(lambda: producer.abort_transaction(SECONDS_TO_ANSWER))
        raise


def put(
    producer: Producer, topic: str, value: bytes | None, key: bytes | None, **rest: Any
) -> None:
    """Hand a message over to the library; where its queue is full, it sends meanwhile."""
    while True:
        try:
            producer.produce(topic, value, key, **rest)
            return
        except BufferError:
            producer.poll(0.1)


def put_offsets(producer: Producer, positions: list[TopicPartition], group: Any) -> None:
    """Commit the offsets of a group with the transaction."""
    seconds = SECONDS_TO_ANSWER
    bounded(lambda: producer.send_offsets_to_transaction(positions, group, seconds))
