"""What the lake makes of a NameNode that fails: its own error, HDFS's sentence, another try.

A made-up NameNode answers as real ones do; each answer comes once, then all is well again.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tenacity import wait_none

from marquee.errors import (
    ConflictError,
    LakeError,
    LakeFullError,
    LakeUnavailableError,
    NotFoundError,
    retry_helps,
)
from marquee.lake import webhdfs
from marquee.lake.webhdfs import WebHdfsLake, connect

WHOLE = b"every byte of it"
PAGE = "<html><head><style>p {}</style><title>Oh</title></head><p>the upstream is gone</p></html>"


def remote(kind: str, said: str, status: int = 403) -> tuple[int, str, bytes]:
    found = {"exception": kind, "javaClassName": f"org.apache.hadoop.{kind}", "message": said}
    return status, "application/json", json.dumps({"RemoteException": found}).encode()


def page(status: int, text: str = PAGE) -> tuple[int, str, bytes]:
    return status, "text/html", text.encode()


class NameNode(ThreadingHTTPServer):
    """Answers what a test asks it to, once each and only for `op`, else as a healthy one."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.responses: list[Any] = []
        self.asked: list[str] = []

    @property
    def web(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def lake(self, seconds: float = 30) -> WebHdfsLake:
        return WebHdfsLake("hdfs://nn:1/m", connect(self.web, "u"), seconds)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave together: no wait for the acknowledgement of the head
    server: NameNode

    def log_message(self, *_: Any) -> None:
        pass

    def answer(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        operation = (query.get("op") or query["hidden"])[0]
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.asked.append(operation)
        if self.server.responses:
            response = self.server.responses.pop(0)
            return response(self) if callable(response) else self.say(*response)
        if operation == "CREATE" and "data" not in query:
            return self.say(307, "", b"", location=f"{self.server.web}{self.path}&data=1")
        status = {"pathSuffix": "", "type": "FILE", "length": len(WHOLE), "modificationTime": 0}
        said: dict[str, Any] = {
            "OPEN": (200, "application/octet-stream", WHOLE),
            "CREATE": (201, "", b""),
            "RENAME": (200, "", b""),
            "MKDIRS": (200, "application/json", b'{"boolean": true}'),
            "GETFILESTATUS": (200, "application/json", json.dumps({"FileStatus": status}).encode()),
        }
        return self.say(*said[operation])

    do_GET = do_PUT = do_DELETE = answer

    def say(self, status: int, kind: str, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def cut(headers: dict[str, str], body: bytes) -> Any:
    """An answer that ends early: the connection closes after `body`."""

    def say(handler: Handler) -> None:
        handler.send_response(200)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = True

    return say


@pytest.fixture(scope="module")
def listening() -> Iterator[NameNode]:
    with NameNode() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def namenode(listening: NameNode, monkeypatch: pytest.MonkeyPatch) -> NameNode:
    monkeypatch.setattr(webhdfs, "PAUSE", wait_none())
    listening.responses, listening.asked = [], []
    return listening


AWAY = {
    "safe mode": remote(
        "SafeModeException", "Resources are low on NN.\nName node is in safe mode."
    ),
    "wrapped": remote("SecurityException", "StandbyException: READ is not supported", 401),
    "standby": remote("StandbyException", "Operation category READ is not supported"),
    "starting": remote("RetriableException", "Namenode is in startup mode"),
    "full": remote("IOException", "File /m/x could only be written to 0 of the 1 minReplication"),
    "unclosed": remote("IOException", "Unable to close file because the last block is short"),
    "missing block": remote("BlockMissingException", "Could not obtain block: BP-7 file=/m/x"),
    "broken block": remote("ChecksumException", "Checksum error: /m/x at 512", 500),
    "lease": remote("AlreadyBeingCreatedException", "Failed to CREATE_FILE /m/x for DFSClient_1"),
    "lost lease": remote("LeaseExpiredException", "No lease on /m/x: File does not exist.", 404),
    "lost lease, lately": remote(
        "FileNotFoundException",
        "File does not exist: /m/x (inode 7) Holder DFSClient_1 does not have any open files.",
        404,
    ),
    "recovery": remote("RecoveryInProgressException", "Failed to recover lease of /m/x"),
    "unknown": remote("NullPointerException", "Cannot invoke x.y()", 500),
    "500": (500, "application/json", b'{"error": "the upstream is gone"}'),
    "list": (500, "application/json", b'["the upstream is gone"]'),
    "empty": (503, "", b""),
    **{str(status): page(status) for status in (404, 429, 502, 503, 504)},
}


@pytest.mark.parametrize("name", AWAY)
def test_what_a_restart_mends_is_tried_again(namenode: NameNode, name: str, tmp_path: Path) -> None:
    lake = namenode.lake()
    namenode.responses = [AWAY[name]]
    assert lake.read_bytes("x") == WHOLE
    namenode.responses = [AWAY[name]]
    lake.copy_out("x", tmp_path / "x")
    namenode.responses = [AWAY[name]]
    lake.write_bytes("x", WHOLE)
    namenode.responses = [AWAY[name]]
    assert lake.exists("x")  # an answer that is none says nothing about what lies there
    assert (tmp_path / "x").read_bytes() == WHOLE
    assert not namenode.responses


@pytest.mark.parametrize("name", AWAY)
def test_the_last_word_is_hdfs_own(namenode: NameNode, name: str) -> None:
    namenode.responses = [AWAY[name]]
    with pytest.raises(LakeUnavailableError) as found:
        namenode.lake(0).read_bytes("x")
    status, _, body = AWAY[name]
    said = "the upstream is gone" if body else str(status)
    if b"RemoteException" in body:
        said = " ".join(json.loads(body)["RemoteException"]["message"].split())
    assert said in str(found.value)
    assert "hdfs://nn:1/m/x" in str(found.value)
    assert found.value.remedy
    assert "<" not in str(found.value)


FINAL = {
    "permission": (remote("AccessControlException", "Permission denied: user=u"), LakeError),
    "token": (remote("SecretManager$InvalidToken", "token not found in cache", 401), LakeError),
    "password": (page(401, "<h1>who are you?</h1>"), LakeError),
    "bad name": (remote("IllegalArgumentException", "Invalid value for x", 400), LakeError),
    "quota": (remote("DSQuotaExceededException", "The DiskSpace quota of /m is 9"), LakeFullError),
    "disk": (remote("IOException", "No space left on device"), LakeFullError),
    "nothing": (remote("FileNotFoundException", "File /m/x does not exist", 404), NotFoundError),
    "taken": (remote("FileAlreadyExistsException", "/m/x already exists"), ConflictError),
}


@pytest.mark.parametrize("name", FINAL)
def test_what_no_restart_mends_is_said_at_once(namenode: NameNode, name: str) -> None:
    answer, kind = FINAL[name]
    namenode.responses = [answer]
    with pytest.raises(kind) as found:
        namenode.lake().read_bytes("x")
    assert type(found.value) is kind
    assert retry_helps(found.value) == (kind is LakeFullError)
    assert namenode.asked == ["OPEN"]


CUT = {
    "a length too long": cut({"content-length": "16"}, WHOLE[:7]),
    "no length": cut({"connection": "close"}, WHOLE[:7]),
    "an unfinished chunk": cut({"transfer-encoding": "chunked"}, b"10\r\n" + WHOLE[:7]),
    "nothing at all": lambda handler: setattr(handler, "close_connection", True),
}


@pytest.mark.parametrize("name", CUT)
def test_a_read_cut_short_is_noticed(namenode: NameNode, name: str, tmp_path: Path) -> None:
    namenode.responses = [CUT[name]]
    with pytest.raises(LakeUnavailableError, match="hdfs://nn:1/m/x"):
        namenode.lake(0).read_bytes("x")
    namenode.responses = [CUT[name]]
    namenode.lake().copy_out("x", tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == WHOLE


@pytest.mark.parametrize("stage", [0, 1])
def test_a_proxys_page_is_no_write(namenode: NameNode, stage: int) -> None:
    lake = namenode.lake(0)
    redirect = (307, "", b"")
    onward = [lambda h: h.say(*redirect, location=f"{namenode.web}{h.path}&data=1")]
    namenode.responses = [*onward[:stage], page(200)]
    with pytest.raises(LakeUnavailableError, match="the upstream is gone"):
        lake.write_bytes("x", WHOLE)
    namenode.responses = [(200, "application/json", b'{"boolean": true}'), page(200)]
    with pytest.raises(LakeUnavailableError, match="the upstream is gone"):
        lake.rename("x", "below/y")


JSON, OCTETS = "application/json", "application/octet-stream"


def gone(handler: Handler) -> None:
    """Sent on to nowhere in particular."""
    handler.say(307, "", b"")


FOREIGN: dict[str, Any] = {
    "an empty object": (200, JSON, b"{}"),
    "a list": (200, JSON, b"[]"),
    "no": (200, JSON, b'{"boolean": false}'),
    "null": (200, JSON, b'{"FileStatus": null, "FileStatuses": null}'),
    "a status of nothing": (200, JSON, b'{"FileStatus": {}, "FileStatuses": {"FileStatus": [{}]}}'),
    "a status without a length": (
        200,
        JSON,
        b'{"FileStatus": {"type": "FILE", "pathSuffix": "", "modificationTime": 1}}',
    ),
    "nothing": (204, "", b""),
    "accepted": (202, JSON, b'{"boolean": true}'),
    "a part": (206, OCTETS, WHOLE[:4]),
    "unchanged": (304, "", b""),
    "moved, who knows where to": gone,
    "a plain page": (200, "text/plain", b"come back later"),
    "a page": page(200),
}
CALLS: dict[str, Any] = {
    "read_bytes": lambda lake, folder: lake.read_bytes("x"),
    "copy_out": lambda lake, folder: lake.copy_out("x", folder / "x"),
    "write_bytes": lambda lake, folder: lake.write_bytes("x", WHOLE),
    "rename": lambda lake, folder: lake._rename("x", "y", "NONE"),
    "make_parents": lambda lake, folder: lake._make_parents("below/x"),
    "exists": lambda lake, folder: lake.exists("x"),
    "is_folder": lambda lake, folder: lake.is_folder("x"),
    "list_status": lambda lake, folder: lake.list_status("x"),
    "delete": lambda lake, folder: lake.delete("x"),
}


# HDFS itself answers a deletion with no, where nothing lay.
@pytest.mark.parametrize(
    ("call", "name"), [x for x in product(CALLS, FOREIGN) if x != ("delete", "no")]
)
def test_an_answer_no_namenode_gives_is_no_answer(
    namenode: NameNode, call: str, name: str, tmp_path: Path
) -> None:
    """Nothing counts as done, and nothing as missing, because a stranger was polite."""
    namenode.responses = [FOREIGN[name]]
    lake = namenode.lake(0)
    with pytest.raises(LakeError) as found:
        lake._once("x", lambda: CALLS[call](lake, tmp_path))
    assert "hdfs://nn:1/m/" in str(found.value) and found.value.remedy
    assert not isinstance(found.value, NotFoundError | ConflictError)
    is_rename_by_another = call == "rename" and name == "no"
    assert retry_helps(found.value) != is_rename_by_another


@pytest.mark.parametrize("said", [b'{"boolean": false}', b'{"boolean": true}'])
def test_a_rename_that_did_not_hear_its_options_is_not_tried_again(
    namenode: NameNode, said: bytes
) -> None:
    """HttpFS knows none: it moves over or into what lies there, so nothing would be exclusive."""
    namenode.responses = [(200, JSON, b'{"boolean": true}'), (200, JSON, said)]
    with pytest.raises(LakeError, match="HttpFS"):
        namenode.lake().rename("x", "below/y")
    assert namenode.asked == ["MKDIRS", "RENAME"]


def test_a_write_sent_on_as_a_read_is_no_write(namenode: NameNode) -> None:
    """302 makes a GET of a PUT, and what that finds may look like a file."""
    namenode.responses = [lambda h: h.say(302, "", b"", location=f"{namenode.web}/?op=OPEN")]
    with pytest.raises(LakeUnavailableError, match="does not speak WebHDFS"):
        namenode.lake(0)._make_parents("below/x")
    assert namenode.asked == ["MKDIRS"]


def test_a_gateways_own_address_of_a_file_is_followed(namenode: NameNode) -> None:
    """Knox hides the operation in the address it sends on to."""
    onward = [lambda h: h.say(307, "", b"", location=f"{namenode.web}/data?_=AAAA&hidden=OPEN")]
    namenode.responses = list(onward)
    assert namenode.lake(0).read_bytes("x") == WHOLE
    namenode.responses = [*onward, (204, "", b"")]
    with pytest.raises(LakeUnavailableError, match="does not speak WebHDFS"):
        namenode.lake(0).read_bytes("x")


def test_a_second_namenode_is_asked_where_the_first_is_no_help(namenode: NameNode) -> None:
    """A gateway's page is as little help as a NameNode that stands by."""
    for answer in (page(502), AWAY["standby"]):
        namenode.responses = [answer]
        lake = WebHdfsLake(
            "hdfs://nn:1/m", connect(f"{namenode.web};{namenode.web}/second", "u"), 0
        )
        assert lake.read_bytes("x") == WHOLE


def test_a_full_local_disk_is_not_hdfs_word(namenode: NameNode) -> None:
    with pytest.raises(LakeFullError, match="/dev/full: No space left on device"):
        namenode.lake().copy_out("x", Path("/dev/full"))
