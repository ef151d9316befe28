"""Servers that are away, killed, wrong or slow; readers under load; secrets that stay secret."""

from __future__ import annotations

import http.server
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from documents.couch import Couch
from documents.generation import read_pair
from documents.pointer import check_couchdb
from documents.publication import publish
from marquee.document_settings import DOCUMENTS_PASSWORD, DOCUMENTS_USER, DocumentsSettings
from marquee.errors import AwayError, SettingsError, SourceError
from marquee.lake import Lake
from marquee.settings import REPOSITORY, load_settings
from tests.plugins.couch_server import CouchServer, settings_of_a_test
from tests.plugins.free_ports import free_port
from tests.serving.serving_bundles import promote_recommender

SECRET = "s3cr3t-pass"
WHOLE = 73
"""Documents of a generation of the made-up lake."""


def quiet(text: str) -> None:
    """Progress of a publication that nobody reads."""


@contextmanager
def double(status: int, body: bytes) -> Iterator[str]:
    """A double: an HTTP server that answers everything with one status and body."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_POST = answer

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def test_wrong_credentials_are_one_line_without_the_password(lake: Lake) -> None:
    """The stand-in knows no users, so a double says 401."""
    with double(401, b'{"error":"unauthorized","reason":"Name or password is incorrect."}') as url:
        settings = settings_of_a_test(url, user="writer", password=SECRET)
        with Couch(settings) as couch, pytest.raises(SettingsError) as raised:
            publish(lake, couch, quiet)
    said = str(raised.value)
    assert "refuses the user 'writer'" in said and DOCUMENTS_PASSWORD in said
    assert SECRET not in said and SECRET not in repr(settings) and "\n" not in said


@pytest.mark.parametrize(
    ("status", "body", "kind", "says"),
    [
        (200, b"<html>a router's page</html>", SourceError, "answers no JSON: it is no CouchDB"),
        (200, b'{"couchdb":"Welcome","version":"3.3.3"}', SourceError, "is CouchDB 3.3.3.*3.4"),
        (200, b'{"name":"another service"}', SourceError, "is no CouchDB"),
        (404, b'{"error":"not_found"}', SourceError, "is no CouchDB"),
        (503, b"busy", AwayError, "answers 503"),
        (500, b'{"reason":"no space left"}', AwayError, r"answers 500 \(no space left\)"),
    ],
)
def test_what_is_no_couchdb_is_told(
    lake: Lake, status: int, body: bytes, kind: type[Exception], says: str
) -> None:
    with (
        double(status, body) as url,
        Couch(settings_of_a_test(url)) as couch,
        pytest.raises(kind, match=says),
    ):
        publish(lake, couch, quiet)


def test_no_file_may_hold_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "place.toml"
    place.write_text(f'[documents]\nuser = "writer"\npassword = "{SECRET}"\n')
    with pytest.raises(SettingsError) as raised:
        load_settings(str(place))
    assert "documents.password: stands in a file" in str(raised.value)
    assert SECRET not in str(raised.value)
    place.write_text(f'[documents]\nurl = "http://writer:{SECRET}@host:5984"\n')
    with pytest.raises(SettingsError) as raised:
        load_settings(str(place))
    assert SECRET not in str(raised.value) and "…@host:5984" in str(raised.value)
    place.write_text('[documents]\nurl = "http://host:5984/"\n')
    monkeypatch.setenv(DOCUMENTS_USER, "writer")
    monkeypatch.setenv(DOCUMENTS_PASSWORD, SECRET)
    found = load_settings(str(place))
    assert found.documents.password.get_secret_value() == SECRET
    assert SECRET not in repr(found) and found.documents.url == "http://host:5984"


def test_away_at_start_is_told_and_owed(lake: Lake) -> None:
    says = r"does not answer \(ConnectError\).*goes on"
    settings = settings_of_a_test(f"http://127.0.0.1:{free_port()}")
    with Couch(settings) as couch, pytest.raises(AwayError, match=says):
        publish(lake, couch, quiet)


def test_away_in_the_middle_goes_on_after(lake: Lake, own_couch: CouchServer) -> None:
    """The server is killed after some batches, as by a power cut, and starts again."""
    with Couch(settings_of_a_test(own_couch.url, batch=10)) as couch:
        said: list[str] = []

        def kill_after_three(text: str) -> None:
            said.append(text)
            if len(said) == 3:
                own_couch.kill()

        with pytest.raises(AwayError, match="does not answer"):
            publish(lake, couch, kill_after_three)
        own_couch.start()
        assert couch.get("current") is None
        done = publish(lake, couch, quiet)
        assert done.found >= 30 and done.written + done.found == WHOLE
        assert couch.get("current")["generation"] == done.generation  # type: ignore[index]


def test_a_killed_publisher_leaves_no_pointer(
    lake: Lake, couch_settings: Callable[..., DocumentsSettings]
) -> None:
    """Killed at seeded moments, again and again, until one comes through."""
    settings = couch_settings(batch=4)
    command = [sys.executable, "-m", "documents", "--lake", lake.root]
    variables = {
        "MARQUEE_DOCUMENTS__URL": settings.url,
        "MARQUEE_DOCUMENTS__DATABASE": settings.database,
        "MARQUEE_DOCUMENTS__BATCH": "4",
        DOCUMENTS_USER: settings.user,
        DOCUMENTS_PASSWORD: settings.password.get_secret_value(),
    }
    generator, killed = random.Random(20200229), 0
    with Couch(settings) as couch:
        for after in [generator.randrange(1, 17) for _ in range(4)]:
            process = subprocess.Popen(
                command, cwd=REPOSITORY, env=os.environ | variables, stdout=subprocess.PIPE
            )
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(after)]
            process.send_signal(signal.SIGKILL)
            process.wait()
            process.stdout.close()
            assert b"documents of g" in lines[0]
            killed += couch.get("current") is None
        assert killed == 4
        done = subprocess.run(
            command, cwd=REPOSITORY, env=os.environ | variables, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        last = done.stdout.splitlines()[-1]
        assert "is current: 73 documents" in last and ", 73 of them written now" not in last
        generation = couch.get("current")["generation"]  # type: ignore[index]
        assert sum(map(len, couch.rows(generation))) == WHOLE


def test_the_program_ends_with_a_line_and_a_status(lake: Lake) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    for url, status, says in (
        (address, 75, f"error: CouchDB at {address} does not answer"),
        ("", 2, "error: no CouchDB is named"),
        (f"http://writer:{SECRET}@host", 2, "error: settings are wrong: documents.url"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "documents", "--lake", lake.root],
            cwd=REPOSITORY,
            env=os.environ | {"MARQUEE_DOCUMENTS__URL": url},
            capture_output=True,
            text=True,
        )
        assert done.returncode == status, done.stderr
        assert done.stderr.startswith(says) and len(done.stderr.splitlines()) == 1
        assert SECRET not in done.stdout + done.stderr


def test_readers_see_whole_generations_only(
    lake: Lake, couch_settings: Callable[..., DocumentsSettings], tmp_path: Path
) -> None:
    """Twenty generations under two readers: each reading is of one generation, and complete."""
    settings, stop = couch_settings(), threading.Event()
    seen: list[set[str]] = [set(), set()]
    wrong: list[str] = []

    def read(place: int) -> None:
        with Couch(settings) as couch:
            while not stop.is_set():
                pointer = couch.get("current") if couch.exists() else None
                if pointer is None:
                    continue
                generation = pointer["generation"]
                there = [one for page in couch.rows(generation) for one in page]
                latest = couch.get("current")
                kept = latest is not None and generation in latest["generations"]
                if kept and len(there) != WHOLE:
                    wrong.append(f"{len(there)} documents of {generation}")
                bundles = {
                    document["answer"]["bundle"]
                    for document in couch.several([name for name, _ in there[:40]]).values()
                }
                if kept and len(bundles) > 2:  # one of each model
                    wrong.append(f"{generation} mixes {bundles}")
                seen[place].add(generation)

    readers = [threading.Thread(target=read, args=(place,)) for place in (0, 1)]
    for one in readers:
        one.start()
    names = []
    try:
        with Couch(settings) as couch:
            for week in range(20):
                names.append(publish(lake, couch, quiet).generation)
                # A reader must have seen it before it goes: no result on nothing.
                until = time.monotonic() + 60
                while time.monotonic() < until and not any(names[-1] in one for one in seen):
                    time.sleep(0.01)
                if week < 19:
                    promote_recommender(lake, tmp_path / f"week{week}", seed=week + 2)
    finally:
        stop.set()
        for one in readers:
            one.join()
    assert wrong == []
    assert len(set(names)) == 20 and set(names) <= seen[0] | seen[1]


def test_a_pair_has_one_name_and_other_lists_another(lake: Lake) -> None:
    pair = read_pair(lake)
    assert pair.name(10) == read_pair(lake).name(10) != pair.name(11)
    assert len(pair.name(10)) == 17


def test_the_doctor_asks_for_version_login_and_world(
    lake: Lake, couch_settings: Callable[..., DocumentsSettings]
) -> None:
    base, documents = load_settings("local"), couch_settings()

    def findings(of: DocumentsSettings, world: str = "made-up") -> list[tuple[bool, str]]:
        settings = base.model_copy(update={"documents": of, "world": world})
        return [(one.passed, str(one)) for one in check_couchdb(settings)]

    assert list(check_couchdb(base)) == [], "no CouchDB is named"
    (server, database) = findings(documents)
    assert server[0] and database[0] and "is free" in database[1]
    with Couch(documents) as couch:
        publish(lake, couch, quiet)
    assert findings(documents)[1][0]
    assert findings(documents, "elsewhere")[1][0] is False
    away = documents.model_copy(update={"url": f"http://127.0.0.1:{free_port()}"})
    ((passed, says),) = findings(away)
    assert not passed and "does not answer" in says
    for status, body, expected in (
        (401, b"{}", "refuses the user 'writer'"),
        (200, b'{"version": "3.3.3"}', "is CouchDB 3.3.3 — give one of 3.4 or later"),
        (200, b"<html>", "answers no JSON: it is no CouchDB"),
    ):
        with double(status, body) as url:
            refused = settings_of_a_test(url, user="writer", password=SECRET)
            ((passed, says),) = findings(refused)
        assert not passed and expected in says and SECRET not in says
