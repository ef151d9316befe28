"""The engines of the conformance suite. A new one is one entry of `ENGINES`.

An entry says how to ask it, which questions it answers, and how far its numbers may lie from those
of the native engine over HTTP, the reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from documents.couch import Couch
from documents.publication import publish
from examples.shelf_reader import ROUTES
from local_stack.java_setup import fetch_listed
from marquee.lake import Lake
from marquee.settings import load_settings
from serving.backend import Backend, open_backend
from serving.questions import QUESTIONS
from tests.conformance.cases import Case
from tests.documents.test_shelf_reader import serving
from tests.plugins.connect_server import address, with_engine
from tests.plugins.couch_server import own_databases
from tests.plugins.live_server import running
from tests.streams.stream_rig import StreamRig


@dataclass(frozen=True)
class World:
    """Where an engine finds what it needs."""

    lake: Lake
    """A lake with a champion of both models, saved for Spark as well."""
    folder: Path
    """A folder for the engine alone."""
    fixture: Callable[[str], Any]
    """Any fixture of the tests by its name; it skips the test where it cannot run."""


@dataclass(frozen=True)
class Reply:
    """What an engine answered: the status as over HTTP, and the answer or the problem."""

    status: int
    body: dict[str, Any]


Ask = Callable[[Sequence[Case]], list[Reply]]
"""Asks all the cases, and gives the replies in their order."""


@dataclass(frozen=True)
class TestedEngine:
    """One engine of the suite."""

    __test__ = False  # no class of tests, whatever its name begins with

    open: Callable[[World], AbstractContextManager[Ask]]
    answers: Callable[[Case], bool] = lambda case: True
    """Which of the cases it answers."""
    tolerance: float = 0.0
    """The largest difference of a number, relative to numbers above one."""
    says_why: bool = True
    """Whether its problem documents are those of HTTP; else the status alone is."""


def started_backend(world: World) -> Backend:
    """A backend of the world's lake, whose champions are loaded."""
    backend = open_backend(world.lake, world.folder / "cache", world.folder / "feedback")
    for follower in backend.followers.values():
        follower.poll()
    return backend


@contextmanager
def over_http(world: World) -> Iterator[Ask]:
    """The native engine of the API, as a client on another machine sees it."""
    with running(started_backend(world)) as client:
        yield lambda cases: [ask_route(client, case) for case in cases]


def ask_route(client: httpx.Client, case: Case, **query: Any) -> Reply:
    """Ask the route of a question; what its path does not name goes into the query or the body."""
    method, path, rest = QUESTIONS[case.question].over_http(case.request)
    if method == "POST":
        answer = client.post(path, json=rest, params=query)
    else:
        answer = client.get(path, params={**rest, **query})
    return Reply(answer.status_code, answer.json())


@contextmanager
def over_topics(world: World, *how: str) -> Iterator[Ask]:
    """Streams over a real broker: the plain loop, or micro-batches of Spark."""
    rig = StreamRig(world.fixture("kafka_session"), world.lake, world.folder)
    with closing(rig):
        process = rig.start(*how)
        yield lambda cases: ask_topic(rig, cases)
        assert rig.end(process) == 0


def ask_topic(rig: StreamRig, cases: Sequence[Case]) -> list[Reply]:
    """Send all the questions, and wait for all the answers."""
    ids = rig.ask([(case.question, case.request) for case in cases])
    found = rig.answers(ids)
    messages = [found[name] for name in ids]
    return [Reply(m["status"], m.get("answer") or m["problem"]) for m in messages]


@contextmanager
def over_spark(world: World) -> Iterator[Ask]:
    """Micro-batches of a local Spark, whose executors answer."""
    fetch_listed("spark-kafka", load_settings("local"))
    checkpoint = world.folder / "checkpoint"
    with over_topics(
        world, "spark", "--checkpoint", str(checkpoint), "--master", "local[2]"
    ) as ask:
        yield ask


@contextmanager
def over_connect(world: World) -> Iterator[Ask]:
    """The API, asked with `?engine=spark-connect`; title and search are its own on every engine."""
    worker = world.fixture("connect_worker")
    with running(with_engine(started_backend(world), address(worker))) as client:
        client.timeout = httpx.Timeout(120)
        yield lambda cases: [ask_route(client, case, engine="spark-connect") for case in cases]


def is_of_a_model(case: Case) -> bool:
    """Whether a model answers, and no table of titles."""
    return case.question not in ("titles", "title")


@contextmanager
def over_documents(world: World) -> Iterator[Ask]:
    """Published documents, as the reader on a board answers from them."""
    with own_databases(world.fixture("couch_url")) as make:
        settings = make()
        with Couch(settings) as couch:
            publish(world.lake, couch, say=lambda text: None)
        with serving(settings) as client:
            yield lambda cases: [ask_reader(client, case) for case in cases]


def ask_reader(client: httpx.Client, case: Case) -> Reply:
    """Ask the reader for the document of a case."""
    kind, _, name = case.document.partition("/")
    pattern = next(path for path, known in ROUTES.items() if known == kind)
    answer = client.get("/" + "/".join(name if part == "*" else part for part in pattern))
    return Reply(answer.status_code, answer.json())


ENGINES: dict[str, TestedEngine] = {
    "native": TestedEngine(over_http),
    "stream-loop": TestedEngine(over_topics),
    "stream-spark": TestedEngine(over_spark),
    # Stars beside a list are rounded to three digits.
    "spark-connect": TestedEngine(over_connect, is_of_a_model, tolerance=2e-3),
    "documents": TestedEngine(
        over_documents, lambda case: bool(case.document), tolerance=1e-6, says_why=False
    ),
}
"""All engines by name; the first is the reference."""
