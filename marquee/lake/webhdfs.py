"""A lake on HDFS, through WebHDFS: the same client Airflow's provider hands out.

Plain WebHDFS rename moves a folder *inside* an existing one and says true; every rename here
passes `renameoptions=NONE`, the exclusive form, which the library's own method lacks.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from hdfs import InsecureClient
from hdfs.util import HdfsError
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from marquee.errors import ConflictError, LakeError, LakeUnavailableError, NotFoundError
from marquee.lake.client import Lake
from marquee.names import inside

T = TypeVar("T")
SECONDS_TO_CONNECT, SECONDS_TO_READ = 5, 60
# A NameNode that restarts is back in 7 to 9 s, a dead DataNode is noticed in 16 s.
SECONDS_TO_RETRY = 40
CHUNK = 1 << 20


def connect(webhdfs: str, user: str) -> InsecureClient:
    """A client of the NameNode at `http://host:port` (several joined by `;` fail over)."""
    session = requests.Session()
    # Eight files travel at once; each needs its own connection to NameNode and DataNode.
    adapter = requests.adapters.HTTPAdapter(pool_connections=16, pool_maxsize=16)
    session.mount("http://", adapter)
    return InsecureClient(webhdfs, user=user, session=session)


class WebHdfsLake(Lake):
    """Retries what may be repeated; a rename is tried once and judged by what lies there after."""

    def __init__(self, root: str, client: InsecureClient, seconds_to_retry: float | None = None):
        super().__init__(root)
        self.client = client
        client._timeout = (SECONDS_TO_CONNECT, SECONDS_TO_READ)
        self.prefix = urlsplit(root).path.rstrip("/")
        self._retry_for = SECONDS_TO_RETRY if seconds_to_retry is None else seconds_to_retry

    def _at(self, path: str) -> str:
        if not path:
            return self.prefix
        return posixpath.join(self.prefix, inside(path, f"below {self.root}"))

    def exists(self, path: str) -> bool:
        return self._status(path) is not None

    def is_folder(self, path: str) -> bool:
        status = self._status(path)
        return status is not None and status["type"] == "DIRECTORY"

    def names(self, path: str) -> list[str]:
        nothing: list[tuple[str, Any]] = []
        found = self._again(path, lambda: self.client.list(self._at(path), status=True), nothing)
        return sorted(name for name, _ in found if name)

    def read_bytes(self, path: str) -> bytes:
        def read() -> bytes:
            with self.client.read(self._at(path)) as reader:
                return bytes(reader.read())

        return self._again(path, read)

    def copy_out(self, path: str, target: Path) -> None:
        def copy() -> None:
            with (
                self.client.read(self._at(path), chunk_size=CHUNK) as chunks,
                target.open("wb") as out,
            ):
                for chunk in chunks:
                    out.write(chunk)

        self._again(path, copy)

    def copy_in(self, source: Path, path: str) -> None:
        def copy() -> None:
            with source.open("rb") as stream:
                self.client.write(self._at(path), stream, overwrite=True)

        self._again(path, copy)

    def write_bytes(self, path: str, data: bytes) -> None:
        self._again(path, lambda: self.client.write(self._at(path), data, overwrite=True))

    def rename(self, source: str, target: str) -> None:
        parent = posixpath.dirname(self._at(target))
        self._again(target, lambda: self.client.makedirs(parent))
        try:
            self.client._rename(
                self._at(source), destination=self._at(target), renameoptions="NONE"
            )
        except Exception as error:
            raise self._named(error, target) from error

    def delete(self, path: str) -> None:
        self._again(path, lambda: self.client.delete(self._at(path), recursive=True))

    def _status(self, path: str) -> Any:
        return self._again(path, lambda: self.client.status(self._at(path), strict=False))

    def _again(self, path: str, call: Callable[[], T], missing: T | None = None) -> T:
        """Call until HDFS answers or patience ends; `missing` stands for nothing there."""
        try:
            for attempt in Retrying(
                retry=retry_if_exception_type(LakeUnavailableError),
                wait=wait_random_exponential(0.2, max=4),
                stop=stop_after_delay(self._retry_for),
                reraise=True,
            ):
                with attempt:
                    return self._once(path, call)
        except NotFoundError:
            if missing is None:
                raise
        return missing  # type: ignore[return-value]

    def _once(self, path: str, call: Callable[[], T]) -> T:
        try:
            return call()
        except Exception as error:
            raise self._named(error, path) from error

    def _named(self, error: Exception, path: str) -> Exception:
        """Our name for what the library or the wire said."""
        kind = getattr(error, "exception", "") or ""
        text = str(error)
        if isinstance(error, requests.RequestException) or kind in TRANSIENT:
            return LakeUnavailableError(
                f"HDFS did not answer for {self.uri(path)}: {type(error).__name__} {kind}",
                "look at NameNode and DataNode (`marquee status`), then try again",
            )
        if kind == "FileAlreadyExistsException" or "already exists" in text:
            return ConflictError(f"something lies at {self.uri(path)} already")
        if kind == "FileNotFoundException" or "not found" in text or "does not exist" in text:
            return NotFoundError(f"nothing lies at {self.uri(path)}")
        if isinstance(error, HdfsError):
            return LakeError(f"HDFS refused {self.uri(path)}: {text.splitlines()[0]}")
        return error


# A plain IOException is what a DataNode says whose call to a dying NameNode broke, and a NameNode
# just back until its DataNodes have registered; what is wrong for good has a class of its own.
TRANSIENT = frozenset(
    {"RetriableException", "StandbyException", "SafeModeException", "ConnectException"}
    | {
        "IOException",
        "EOFException",
        "SocketException",
        "SocketTimeoutException",
    }  # a DataNode's own call broke
    | {"NotReplicatedYetException", "RecoveryInProgressException", "NoRouteToHostException"}
)
