"""A lake on HDFS, through WebHDFS and the library `hdfs`, as in Airflow's provider.

A plain WebHDFS rename moves a folder *into* an existing target folder and responds true. So every
rename here passes `renameoptions=NONE` or `OVERWRITE`. `webhdfs_responses` checks every response
before the library reads it.

A write that timed out may still take effect: a stalled DataNode creates the file when it wakes. So
the first attempt creates the file under its final name and never overwrites. Every later attempt
writes a new file in staging and renames it over the file of the first attempt. A late
DataNode finds its own file gone, or the name taken, and changes nothing.
"""

from __future__ import annotations

import posixpath
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import IO, Any, TypeVar
from urllib.parse import urlsplit

import requests
from hdfs import InsecureClient
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from marquee.errors import (
    ConflictError,
    LakeError,
    LakeFullError,
    LakeUnavailableError,
    NotFoundError,
)
from marquee.identifiers import checked_path
from marquee.lake.lake import STAGING, FileStatus, Lake, system_error
from marquee.lake.manifest import LocalCopies
from marquee.lake.webhdfs_responses import (
    ADVICE,
    BELOW_A_FILE,
    BoundedAdapter,
    check_response,
    lake_error,
    sentence_of,
)

T = TypeVar("T")
SECONDS_TO_CONNECT, SECONDS_TO_READ = 5, 60
# A NameNode restarts in 7 to 9 s. HDFS notices a dead DataNode in 16 s.
SECONDS_TO_RETRY = 40
PAUSE = wait_random_exponential(0.2, max=4)
CHUNK = 1 << 20


def connect(webhdfs: str, user: str) -> InsecureClient:
    """A client of the NameNode at `http://host:port`, or of several, joined by `;`."""
    session = requests.Session()
    # Each of READS_AT_ONCE threads needs a connection to NameNode and DataNode.
    adapter = BoundedAdapter(pool_connections=16, pool_maxsize=16)
    for scheme in ("http://", "https://"):
        session.mount(scheme, adapter)
    return InsecureClient(webhdfs, user=user, session=session)


class WebHdfsLake(Lake):
    """A lake on HDFS. It retries an unavailable HDFS for `seconds_to_retry` (default 40).

    `replication` is the number of copies of each block; with 0 HDFS decides.
    """

    def __init__(
        self,
        root: str,
        client: InsecureClient,
        seconds_to_retry: float | None = None,
        replication: int = 0,
    ):
        super().__init__(root)
        self.replication = replication or None
        self.copies = LocalCopies.of_environment()
        self.client = client
        client._timeout = (SECONDS_TO_CONNECT, SECONDS_TO_READ)
        # A proxy must not compress the content of files.
        client._session.headers["Accept-Encoding"] = "identity"
        if check_response not in client._session.hooks["response"]:
            client._session.hooks["response"].append(check_response)
        self.prefix = urlsplit(root).path.rstrip("/")
        self._retry_for = SECONDS_TO_RETRY if seconds_to_retry is None else seconds_to_retry

    def _at(self, path: str) -> str:
        if not path:
            return self.prefix
        return posixpath.join(self.prefix, checked_path(path, f"below {self.root}"))

    def exists(self, path: str) -> bool:
        return self._status(path) is not None

    def is_folder(self, path: str) -> bool:
        status = self._status(path)
        return status is not None and status["type"] == "DIRECTORY"

    def list_status(self, path: str) -> list[FileStatus]:
        def list_status() -> list[FileStatus]:
            found = self.client._list_status(self._at(path)).json()["FileStatuses"]["FileStatus"]
            # The status of a file, instead of a folder, has an empty suffix.
            return [_leaf(status) for status in found if status["pathSuffix"]]

        nothing: list[FileStatus] = []
        return sorted(self._retry(path, list_status, nothing))

    def read_bytes(self, path: str) -> bytes:
        def read() -> bytes:
            return b"".join(self._chunks(path))

        return self._retry(path, read)

    def copy_out(self, path: str, target: Path) -> None:
        def copy() -> None:
            with self._disk_errors(target), target.open("wb") as out:
                for chunk in self._chunks(path):
                    out.write(chunk)

        self._retry(path, copy)

    def copy_in(self, source: Path, path: str) -> None:
        @contextmanager
        def opened() -> Iterator[IO[bytes]]:
            with self._disk_errors(source), source.open("rb") as stream:
                yield stream

        self._write(path, opened)

    def write_bytes(self, path: str, data: bytes) -> None:
        @contextmanager
        def opened() -> Iterator[bytes]:
            yield data

        self._write(path, opened)

    def rename(self, source: str, target: str) -> None:
        self._retry(target, lambda: self._make_parents(target))
        tries = count()

        def move() -> None:
            is_first = next(tries) == 0
            try:
                self._once(target, lambda: self._rename(source, target, "NONE"))
            except NotFoundError:
                # Only this attempt knows `source`. An earlier call moved it, but the response
                # was lost.
                if is_first or self._status(target) is None:
                    raise

        self._retry(target, move)

    def delete(self, path: str) -> None:
        self._retry(path, lambda: self.client.delete(self._at(path), recursive=True))

    def make_durable(self, path: str) -> None:
        """Do nothing: a NameNode responds only after it has synced its edit log."""

    # Helpers ----------------------------------------------------------------------------

    def _write(self, path: str, opened: Callable[[], Any]) -> None:
        """Write the data of `opened()`; the module's docstring explains the retries."""
        tries = count()

        def write() -> None:
            try:
                if next(tries) == 0:
                    with suppress(ConflictError):
                        return self._once(path, lambda: self._put(path, opened))
                beside = f"{STAGING}/again-{uuid.uuid4().hex}"
                self._once(path, lambda: self._put(beside, opened))
                self._make_parents(path)
                self._once(path, lambda: self._rename(beside, path, "OVERWRITE"))
            except NotFoundError as error:
                if BELOW_A_FILE in str(error.__cause__):
                    raise self._stands_in_the_way(path) from error
                # Another process deleted the file that this attempt was writing.
                why = sentence_of(error.__cause__ or error)
                raise LakeUnavailableError(
                    f"writing {self.uri(path)} was cut short: {why}", ADVICE
                ) from error

        self._retry(path, write)

    def _make_parents(self, path: str) -> None:
        try:
            self._once(path, lambda: self.client.makedirs(posixpath.dirname(self._at(path))))
        except (NotFoundError, ConflictError) as error:
            raise self._stands_in_the_way(path) from error

    def _stands_in_the_way(self, path: str) -> LakeError:
        return LakeError(
            f"a file stands where {self.uri(path)} needs a folder",
            "remove it, or name another path",
        )

    def _put(self, path: str, opened: Callable[[], Any]) -> None:
        with opened() as data:
            self.client.write(self._at(path), data, overwrite=False, replication=self.replication)

    def _rename(self, source: str, target: str, options: str) -> None:
        self.client._rename(self._at(source), destination=self._at(target), renameoptions=options)

    def _chunks(self, path: str) -> Iterator[bytes]:
        """The bytes of a file; LakeUnavailableError where the response ends too early."""
        response = self.client._open(self._at(path))
        try:
            stated, received = response.headers.get("content-length"), 0
            for chunk in response.iter_content(CHUNK):
                received += len(chunk)
                yield chunk
        finally:
            response.close()
        expected = int(stated) if stated is not None else self._length(path)
        if received != expected:
            raise LakeUnavailableError(
                f"reading {self.uri(path)} was cut short: {received} of {expected} bytes came",
                ADVICE,
            )

    def _length(self, path: str) -> int:
        return int(self.client.status(self._at(path))["length"])

    def _status(self, path: str) -> Any:
        """The HDFS status of `path`; None where `path` is missing."""
        try:
            return self._retry(path, lambda: self.client.status(self._at(path)))
        except NotFoundError:
            return None

    @contextmanager
    def _disk_errors(self, path: Path) -> Iterator[None]:
        """Translate errors of the local disk, which `_once` would take for errors of HDFS."""
        try:
            yield
        except requests.RequestException:
            raise
        except OSError as error:
            raise system_error(error, str(path)) from error

    def _retry(self, path: str, call: Callable[[], T], missing: T | None = None) -> T:
        """Repeat `call` until HDFS responds or the time is up.

        Returns `missing`, unless it is None, instead of raising NotFoundError.
        """
        try:
            for attempt in Retrying(
                retry=retry_if_exception(_may_pass),
                wait=PAUSE,
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
            raise lake_error(error, self.uri(path)) from error


def _may_pass(error: BaseException) -> bool:
    """Whether a retry within seconds may succeed; a full disk needs a person."""
    return isinstance(error, LakeUnavailableError) and not isinstance(error, LakeFullError)


def _leaf(status: dict[str, Any]) -> FileStatus:
    return FileStatus(
        status["pathSuffix"],
        status["type"] == "DIRECTORY",
        status["length"],
        status["modificationTime"] / 1000,
    )
