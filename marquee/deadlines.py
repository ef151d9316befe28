"""Several questions at once, with one deadline for all."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
SECONDS_FOR_ALL = 20.0
"""For all hosts of a group together; a page alone may take 15 s."""


def at_once(
    questions: Sequence[Callable[[], T]], seconds: float = SECONDS_FOR_ALL
) -> list[T | None]:
    """The answers in the order of the questions; None for each that takes longer than `seconds`.

    A question goes on in its thread after that. Ctrl-C ends the waiting at once.
    """
    answers: queue.SimpleQueue[tuple[int, T | Exception]] = queue.SimpleQueue()

    def ask(number: int, question: Callable[[], T]) -> None:
        try:
            answers.put((number, question()))
        except Exception as error:
            answers.put((number, error))

    for number, question in enumerate(questions):
        threading.Thread(target=ask, args=(number, question), daemon=True).start()
    found: list[T | None] = [None] * len(questions)
    until = time.monotonic() + seconds
    for _ in questions:
        try:
            number, answer = answers.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            break
        if isinstance(answer, Exception):
            raise answer
        found[number] = answer
    return found
