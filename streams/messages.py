"""The messages of a stream: requests that come in, answers that go out, and refused ones.

A request is `{"version": 1, "id": "…", "question": "budget-estimate", "request": {…}}`. Its answer
has the id as its key: `{"version": 1, "id": "…", "status": 200, "engine": "native", "answer":
{…}}`, or `{"version": 1, "id": "…", "status": 422, "engine": "native", "problem": {…}}` with the
problem document that HTTP would send. A message without an id that can be read has nobody to
answer: it is refused, and goes to a topic of its own, as it was, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from serving.backend import Backend
from serving.callers import Caller
from serving.problems import ProblemError
from serving.questions import Answered, answer_questions, problem_answer

VERSION = 1
LONGEST_ID = 200
"""Characters of an id."""
LARGEST_REQUEST = 1_000_000
"""Bytes of a message that is answered; a longer one is told to come in parts."""
LARGEST_ANSWER = 1_000_000
"""Bytes of an answer: a broker refuses a message above its own limit, by default 1 MiB."""
LARGEST_KEPT = 900_000
"""Bytes that are kept of a refused message."""
LONGEST_REASON = 500
FIELDS = {"version", "id", "question", "request"}


@dataclass(frozen=True)
class Request:
    """A question with an id; `refusal` says why it is not asked."""

    id: str
    question: Any = None
    request: Any = None
    refusal: ProblemError | None = None


@dataclass(frozen=True)
class Refused:
    """A message that has no id: what of it is kept, and the reason."""

    value: bytes
    reason: str
    length: int
    """Bytes of the whole message."""


@dataclass(frozen=True)
class Answer:
    """The message that answers a request."""

    id: str
    value: bytes
    status: int


def read_request(value: bytes | None) -> Request | Refused:
    """The request in a message; never raises."""
    if not value:
        return _refused(value, "the message is empty")
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        return _refused(value, f"the message is no JSON: {error}")
    if not isinstance(found, dict):
        return _refused(value, "the message is no JSON object")
    name = found.get("id")
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_ID:
        return _refused(value, f"the message has no id: a text of 1 to {LONGEST_ID} characters")
    if refusal := _refusal(found, len(value)):
        return Request(name, found.get("question"), refusal=refusal)
    return Request(name, found.get("question"), found.get("request", {}))


def _refusal(found: dict[str, Any], length: int) -> ProblemError | None:
    """Why a message with an id is not asked; None if it may be."""
    version = found.get("version")
    if version != VERSION or isinstance(version, bool):
        what = f"version {str(version)[:20]} of a request is not known here"
        return ProblemError(422, what, f"send version {VERSION}")
    if length > LARGEST_REQUEST:
        what = f"a message of {length} bytes is too long"
        return ProblemError(413, what, f"send at most {LARGEST_REQUEST}, in parts")
    if unknown := sorted(found.keys() - FIELDS):
        what = f"unknown fields of a message: {', '.join(unknown)[:100]}"
        return ProblemError(422, what, f"send {', '.join(sorted(FIELDS))}")
    return None


def _refused(value: bytes | None, reason: str) -> Refused:
    whole = value or b""
    return Refused(whole[:LARGEST_KEPT], reason[:LONGEST_REASON], len(whole))


def stream_caller(scopes: Iterable[str]) -> Caller:
    """Who asks in a stream: whoever may write to its topic, with the scopes of `[streams]`."""
    return Caller(
        "streams", frozenset(scopes), remedy="who runs the stream adds it to [streams] may"
    )


@dataclass(frozen=True)
class Answerer:
    """Answers batches of messages from one backend, for one caller."""

    backend: Backend
    caller: Caller
    """Whose rights decide over feedback of people of the API: by default those of a reader."""
    engine: str
    uses_feedback: bool = False
    """Whether the API of this host writes feedback that the caller may use."""

    def answers(self, values: Iterable[bytes | None]) -> list[Answer | Refused]:
        """One answer, or refusal, for each message; all of them from the champions of now."""
        if self.uses_feedback:
            self.backend.feedback.refresh()
        backend, every = self.backend.at_this_moment(), [read_request(value) for value in values]
        asked = [
            (one.question, one.request)
            for one in every
            if isinstance(one, Request) and one.refusal is None
        ]
        found = iter(answer_questions(backend, self.caller, asked))
        return [self._answer(one, found) for one in every]

    def _answer(self, asked: Request | Refused, answers: Iterator[Answered]) -> Answer | Refused:
        if isinstance(asked, Refused):
            return asked
        name = asked.question if isinstance(asked.question, str) else ""
        refusal = asked.refusal
        found = next(answers) if refusal is None else problem_answer(refusal, name)
        if len(found.body) > LARGEST_ANSWER:
            what = f"the answer would have {len(found.body)} bytes"
            found = problem_answer(ProblemError(413, what, "ask for less at once"), name)
        return Answer(asked.id, self._message(asked.id, found), found.status)

    def _message(self, name: str, found: Answered) -> bytes:
        return orjson.dumps(
            {
                "version": VERSION,
                "id": name,
                "status": found.status,
                "engine": self.engine,
                "answer" if found.is_answer else "problem": orjson.Fragment(found.body),
            }
        )


def request_message(name: str, question: str, request: dict[str, Any]) -> bytes:
    """The message that asks a question; for clients, tests and benchmarks."""
    asked = {"version": VERSION, "id": name, "question": question, "request": request}
    return orjson.dumps(asked)


def refusal_headers(
    refused: Refused, place: tuple[str, int, int]
) -> list[tuple[str, str | bytes | None]]:
    """The headers of a refused message: the reason, and where it came from (topic, partition,
    offset)."""
    topic, partition, offset = place
    return [
        ("reason", refused.reason.encode("utf-8", "backslashreplace")),
        ("from", f"{topic}/{partition}/{offset}".encode()),
        ("bytes", str(refused.length).encode()),
    ]
