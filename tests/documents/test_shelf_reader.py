"""examples/shelf_reader.py: a board answers from its replica while the source is away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from documents.couch import Couch
from documents.publication import publish
from marquee.document_settings import DocumentsSettings
from marquee.lake import Lake
from marquee.settings import REPOSITORY
from tests.plugins.couch_server import CouchServer, pouchdb_server, settings_of_a_test
from tests.serving.serving_bundles import promote_recommender

READER = REPOSITORY / "examples" / "shelf_reader.py"


def quiet(text: str) -> None:
    """Progress of a publication that nobody reads."""


def ask(settings: DocumentsSettings, *words: str) -> subprocess.CompletedProcess[str]:
    couch = f"{settings.url}/{settings.database}"
    return subprocess.run(
        [sys.executable, "-IS", str(READER), "--couch", couch, *words],
        env=environment(settings),
        capture_output=True,
        text=True,
    )


def environment(settings: DocumentsSettings) -> dict[str, str]:
    login = settings.user, settings.password.get_secret_value()
    return os.environ | dict(zip(("SHELF_USER", "SHELF_PASSWORD"), login, strict=True))


@contextmanager
def serving(settings: DocumentsSettings) -> Iterator[httpx.Client]:
    couch = f"{settings.url}/{settings.database}"
    command = [sys.executable, "-IS", str(READER), "--couch", couch, "serve", "--port", "0"]
    with subprocess.Popen(
        command, env=environment(settings), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            address = process.stdout.readline().strip()
            with httpx.Client(base_url=address, timeout=30, trust_env=False) as client:
                yield client
        finally:
            process.terminate()


def test_a_board_answers_while_the_source_is_away(
    lake: Lake, own_couch: CouchServer, couch: Couch
) -> None:
    """The publisher's server replicates to the board's, and is killed."""
    source = settings_of_a_test(own_couch.url)
    with Couch(source) as publisher:
        done = publish(lake, publisher, quiet)
    couch.open()
    addresses = {
        name: f"{one.url}/{one.database}"
        for name, one in (("source", source), ("target", couch.settings))
    }
    made = httpx.post(f"{own_couch.url}/_replicate", json=addresses, timeout=60, trust_env=False)
    assert made.json()["ok"], made.text
    own_couch.kill()
    state = json.loads(ask(couch.settings, "state").stdout)
    assert state["generation"] == done.generation and state["counts"]["list"] == 12
    listed = json.loads(ask(couch.settings, "list", "10").stdout)
    assert listed["user_id"] == "10" and len(listed["recommendations"]) == 3
    unknown = ask(couch.settings, "list", "999")
    assert (unknown.returncode, unknown.stderr) == (1, "there is no list of 999\n")
    with serving(couch.settings) as board:
        answer = board.get("/v1/users/10/recommendations?n=3")
        assert answer.json() == listed and answer.headers["x-generation"] == done.generation
        assert board.get("/v1/titles/1").json()["title"]["title"] == "The Amélie Affair"
        assert board.get("/v1/budget-estimates/tt0000002").json()["median"] > 0
        assert board.get("/v1/titles/..%2f..").status_code == 404
        assert done.generation in board.get("/").text


def test_a_generation_in_part_is_not_read(lake: Lake, couch: Couch, tmp_path: Path) -> None:
    """The pointer may arrive before the last document: the generation before is read."""
    first = publish(lake, couch, quiet)
    promote_recommender(lake, tmp_path / "second", seed=2)
    second = publish(lake, couch, quiet)
    late = f"{second.generation}:list:10"
    found: dict[str, Any] = couch.several([late])[late]
    couch.delete([(late, found["_rev"])])
    with serving(couch.settings) as board:
        assert board.get("/state").json()["generation"] == first.generation
        del found["_rev"]
        couch.write([found])
        assert board.get("/state").json()["generation"] == second.generation
        answer = board.get("/v1/users/10/recommendations")
        assert answer.json() == found["answer"]


def test_nothing_to_read_is_a_line(couch: Couch, own_couch: CouchServer) -> None:
    for settings, says in (
        (couch.settings, "has no document 'current': nothing has arrived yet"),
        (settings_of_a_test("http://127.0.0.1:9"), "does not answer"),
    ):
        done = ask(settings, "list", "10")
        assert done.returncode == 75 and says in done.stderr
        assert len(done.stderr.splitlines()) == 1


@pytest.fixture
def couch_settings(tmp_path: Path) -> Iterator[Callable[..., DocumentsSettings]]:
    """The board's server: a stand-in of this test alone."""
    board = CouchServer(pouchdb_server(), tmp_path / "board")
    board.start()
    yield lambda **changes: settings_of_a_test(board.url, **changes)
    board.kill()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://u:s3cret@127.0.0.1:1/marquee", "SHELF_USER and SHELF_PASSWORD log in"),
        ("foo", "is no address"),
        ("http://127.0.0.1:abc/x", "is no address"),
        ("http://[::1/x", "is no address"),
        ("file:///etc/hostname", "is no address"),
        ("http://127.0.0.1:1/a b", "does not answer"),
    ],
)
def test_an_address_that_cannot_be_asked_is_one_line(address: str, said: str) -> None:
    command = [sys.executable, "-IS", str(READER), "--couch", address, "state"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 75 and said in done.stderr and done.stderr.count("\n") == 1
    assert "s3cret" not in done.stderr


def test_a_port_that_cannot_be_taken_is_one_line() -> None:
    command = [sys.executable, "-IS", str(READER), "serve", "--port", "99999"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 75 and "99999 cannot be taken" in done.stderr
    assert done.stderr.count("\n") == 1


def test_documents_that_somebody_changed_are_one_line(lake: Lake, couch: Couch) -> None:
    generation = publish(lake, couch, quiet).generation
    title, pointer = couch.get(f"{generation}:title:2"), couch.get("current")
    assert title is not None and pointer is not None
    couch.put({"_id": title["_id"], "_rev": title["_rev"], "x": 1})
    done = ask(couch.settings, "title", "2")
    assert done.returncode == 75 and "was changed by somebody" in done.stderr
    couch.put({"_id": "current", "_rev": pointer["_rev"], "x": 1})
    done = ask(couch.settings, "state")
    assert done.returncode == 75 and "none of Marquee's" in done.stderr
