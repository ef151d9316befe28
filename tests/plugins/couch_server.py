"""A server that speaks CouchDB's protocol: the real one where MARQUEE_TEST_COUCHDB names it.

Else `pouchdb-server`, the stand-in that npm has: it answers `_bulk_docs`, `_all_docs`, 404, 409 and
412 as CouchDB 3.5 does, and knows no users. Where Node is missing, the tests skip and say so.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from local_stack.java_setup import cache_folder
from marquee.document_settings import DocumentsSettings
from marquee.identifiers import digest_file
from marquee.settings import REPOSITORY, load_settings
from tests.plugins.free_ports import free_port

LOCK = REPOSITORY / "tests" / "plugins" / "pouchdb"
NAMED = "MARQUEE_TEST_COUCHDB"
SECONDS_TO_START = 120


class CouchServer:
    """A pouchdb-server with its own folder; it can be stopped, killed and started again."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self._program = program
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        (self._folder / "data").mkdir(parents=True, exist_ok=True)
        port = self.url.rpartition(":")[2]
        command = ["node", str(self._program), "--port", port, "--dir", "data", "-n"]
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self._folder, stdout=log, stderr=log, start_new_session=True
            )
        until = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < until:
            assert self._process.poll() is None, (self._folder / "server.log").read_text()
            with suppress(httpx.HTTPError):
                if httpx.get(self.url, trust_env=False).status_code == 200:
                    return
            time.sleep(0.05)
        raise AssertionError(f"{self.url} does not answer")

    def kill(self) -> None:
        """End it at once, as a power cut does; its folder stays."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None


def pouchdb_server() -> Path:
    """The program, installed once into the cache by the lock; a skip where that is impossible."""
    for name in ("node", "npm"):
        if shutil.which(name) is None:
            pytest.skip(f"{name} is missing: pouchdb-server stands in for CouchDB with Node 20")
    cache = cache_folder(load_settings())
    home = cache / f"pouchdb-server-{digest_file(LOCK / 'package-lock.json')[:12]}"
    program = home / "node_modules" / "pouchdb-server" / "bin" / "pouchdb-server"
    if not program.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=".pouchdb-", dir=cache))
        for name in ("package.json", "package-lock.json"):
            shutil.copy(LOCK / name, staged)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=staged, capture_output=True, text=True)
        if done.returncode:
            shutil.rmtree(staged)
            last = (done.stderr.strip().splitlines() or ["?"])[-1]
            pytest.skip(f"npm cannot install pouchdb-server, the stand-in for CouchDB: {last}")
        try:
            staged.rename(home)
        except OSError:  # another worker was first
            shutil.rmtree(staged)
    return program


def settings_of_a_test(url: str, **changes: object) -> DocumentsSettings:
    """The settings of documents in a database of this test's own, in small batches."""
    given = {"url": url, "database": f"test-{secrets.token_hex(6)}", "top_n": 3}
    names = {"user": f"{NAMED}_USER", "password": f"{NAMED}_PASSWORD"}
    if os.environ.get(NAMED):
        given |= {key: os.environ[name] for key, name in names.items() if os.environ.get(name)}
    return DocumentsSettings.model_validate({"batch": 20, "keep": 2} | given | changes)


@pytest.fixture
def own_couch(tmp_path: Path) -> Iterator[CouchServer]:
    """A stand-in that a test may kill; it runs already."""
    server = CouchServer(pouchdb_server(), tmp_path / "couch")
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def couch_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the server: the real one, or a stand-in for all tests."""
    if os.environ.get(NAMED):
        yield os.environ[NAMED]
        return
    server = CouchServer(pouchdb_server(), tmp_path_factory.mktemp("couch"))
    server.start()
    yield server.url
    server.kill()


@contextmanager
def own_databases(url: str) -> Iterator[Callable[..., DocumentsSettings]]:
    """Makes settings, each with a database of its own, which goes at the end."""
    made: list[DocumentsSettings] = []

    def make(**changes: object) -> DocumentsSettings:
        made.append(settings_of_a_test(url, **changes))
        return made[-1]

    yield make
    for one in made:
        login = (one.user, one.password.get_secret_value()) if one.user else None
        httpx.delete(f"{one.url}/{one.database}", auth=login, trust_env=False, timeout=60)


@pytest.fixture
def couch_settings(couch_url: str) -> Iterator[Callable[..., DocumentsSettings]]:
    """Makes settings with a database of their own, which goes with the test."""
    with own_databases(couch_url) as make:
        yield make
