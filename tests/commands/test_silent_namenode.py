"""A NameNode that takes a connection and never answers whole: each command ends in one line."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest
from typer.testing import CliRunner

from cli import app
from marquee.errors import LakeUnavailableError
from marquee.lake import webhdfs, webhdfs_responses

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
SAYS = {"nothing": b"", "heads without end": HEAD[:20], "a body without end": HEAD}
COMMANDS = (
    ("plan",),
    ("history",),
    ("ledger", "recommender"),
    ("champion", "recommender"),
    ("export", "budget", "--format", "pmml", "--out", "x"),
    ("rollback", "recommender", "--yes"),
)


@pytest.fixture(params=SAYS)
def namenode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Its address; it answers with a beginning, and then a byte now and then, or nothing."""
    monkeypatch.setattr(webhdfs_responses, "SECONDS_TO_ANSWER", 1.0)
    monkeypatch.setattr(webhdfs, "SECONDS_TO_READ", 0.8)
    monkeypatch.setattr(webhdfs, "SECONDS_TO_RETRY", 0.1)
    over, first = threading.Event(), SAYS[request.param]

    def trickle(connection: socket.socket) -> None:
        with closing(connection), suppress(OSError):
            connection.recv(10_000)
            connection.sendall(first)
            while not over.wait(0.1):
                if first:
                    connection.sendall(b" ")

    def listen() -> None:
        with suppress(OSError):
            while True:
                made, _ = server.accept()
                threading.Thread(target=trickle, args=(made,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=listen, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        over.set()
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_a_command_ends_in_one_line(namenode: str, words: tuple[str, ...]) -> None:
    flags = ("--lake", f"hdfs://{namenode}/marquee", "--webhdfs", f"http://{namenode}")
    found = CliRunner().invoke(app, [*words, *flags])
    assert isinstance(found.exception, LakeUnavailableError), found.output
    assert found.exception.status != 2  # nothing that was typed is wrong
    said = str(found.exception)
    assert namenode in said and "look at NameNode" in said and "\n" not in said
