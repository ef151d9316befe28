"""A Standalone cluster on loopback, shared by the tests of this folder, and a place for it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from marquee.settings import Settings, load_settings
from tests.cluster.standalone import Standalone, standalone

PLACE = """
[lake]
root = "file://{folder}/lake"
shared_folder = true

[spark]
master = "{master}"
master_pages = ["{page}"]
driver_host = "127.0.0.1"
driver_memory = "512m"
executor_memory = "512m"
java_options = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
worker_python = "{python}"

[ratings]
source = "{folder}/release"

[stack]
processes = ["airflow-scheduler"]
"""


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standalone]:
    """A master and two workers of one core each."""
    with standalone(tmp_path_factory.mktemp("standalone")) as made:
        yield made


@pytest.fixture
def place(cluster: Standalone, tmp_path: Path) -> Settings:
    """A place of its own, with a release of 40 people and 30 titles."""
    write_release(tmp_path / "release")
    words = {"folder": tmp_path, "master": cluster.master, "page": cluster.page}
    file = tmp_path / "loopback.toml"
    file.write_text(PLACE.format(python=sys.executable, **words))
    return load_settings(str(file)).model_copy(update={"state": str(tmp_path / "state")})


def write_release(folder: Path) -> None:
    """Two of three pairs are rated: 800 ratings."""
    folder.mkdir()
    people, titles = range(1, 41), range(1, 31)
    rows = [
        f"{person},{title},{1 + (person * title) % 5}.0,{10**9 + person * 100 + title}"
        for person in people
        for title in titles
        if (person + title) % 3
    ]
    names = [f"{title},Film {title} (1999),Drama" for title in titles]
    links = [f"{title},{title:07d},1" for title in titles]
    files = {
        "ratings": ["userId,movieId,rating,timestamp", *rows],
        "movies": ["movieId,title,genres", *names],
        "links": ["movieId,imdbId,tmdbId", *links],
    }
    for name, lines in files.items():
        (folder / f"{name}.csv").write_text("\n".join(lines))


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Serves one body at every path: what no daemon here says, at a moment that none here has."""
    with ExitStack() as servers:

        def start(body: bytes, date: str = "", drip: bool = False) -> str:
            class Page(BaseHTTPRequestHandler):
                def do_GET(self) -> None:
                    self.send_response_only(200)
                    self.send_header("Date", date or formatdate(usegmt=True))
                    self.end_headers()
                    with suppress(OSError):
                        for _ in range(100 if drip else 0):
                            self.wfile.write(b" ")
                            time.sleep(0.05)
                        self.wfile.write(body)

                def log_message(self, *words: object) -> None:
                    pass

            server = servers.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Page))
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            servers.callback(thread.join)
            servers.callback(server.shutdown)
            return f"http://127.0.0.1:{server.server_port}"

        yield start
