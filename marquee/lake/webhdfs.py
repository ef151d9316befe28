"""A lake on HDFS, through WebHDFS: the same client Airflow's provider hands out.

It adds what the library lacks. A plain WebHDFS rename moves a folder *inside* an existing one and
responds true, so every rename passes `renameoptions=NONE` or `OVERWRITE`. `webhdfs_responses`
checks every response before the library reads it.

A write that timed out may still happen: a DataNode that stalled creates the file when it wakes. So
only the first attempt creates the file under its own name, and never over another. Every later
attempt writes beside it, under a name of its own, and renames over what the first may have left. A
late writer then finds its file gone or the name taken, and does no harm.
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
from marquee.identifiers import inside
from marquee.lake.lake import STAGING, Lake, Leaf, system_error
from marquee.lake.webhdfs_responses import (
    ADVICE,
    BELOW_A_FILE,
    check_response,
    lake_error,
    sentence_of,
)

T = TypeVar("T")
SECONDS_TO_CONNECT, SECONDS_TO_READ = 5, 60
# A NameNode that restarts is back in 7 to 9 s, a dead DataNode is noticed in 16 s.
SECONDS_TO_RETRY = 40
PAUSE = wait_random_exponential(0.2, max=4)
CHUNK = 1 << 20


def connect(webhdfs: str, user: str) -> InsecureClient:
    """A client of the NameNode at `http://host:port` (several joined by `;` fail over)."""
    session = requests.Session()
    # Eight files travel at once; each needs its own connection to NameNode and DataNode.
    adapter = requests.adapters.HTTPAdapter(pool_connections=16, pool_maxsize=16)
    session.mount("http://", adapter)
    return InsecureClient(webhdfs, user=user, session=session)


class WebHdfsLake(Lake):
    """Retries what a restart mends for `seconds_to_retry`; then raises HDFS's own sentence."""

    def __init__(self, root: str, client: InsecureClient, seconds_to_retry: float | None = None):
        super().__init__(root)
        self.client = client
        client._timeout = (SECONDS_TO_CONNECT, SECONDS_TO_READ)
        # A proxy that compresses would change the bytes: files are read as they lie.
        client._session.headers["Accept-Encoding"] = "identity"
        if check_response not in client._session.hooks["response"]:
            client._session.hooks["response"].append(check_response)
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

    def leaves(self, path: str) -> list[Leaf]:
        def list_status() -> list[Leaf]:
            found = self.client._list_status(self._at(path)).json()["FileStatuses"]["FileStatus"]
            # A file's own status has no name below it.
            return [_leaf(status) for status in found if status["pathSuffix"]]

        nothing: list[Leaf] = []
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
                # `source` is this attempt's alone: an earlier call moved it and got no response.
                if is_first or self._status(target) is None:
                    raise

        self._retry(target, move)

    def delete(self, path: str) -> None:
        self._retry(path, lambda: self.client.delete(self._at(path), recursive=True))

    def make_durable(self, path: str) -> None:
        """Nothing to do: a NameNode responds only after its edit log is on the disk."""

    # Helpers ----------------------------------------------------------------------------

    def _write(self, path: str, opened: Callable[[], Any]) -> None:
        """Write what `opened` gives; the module says why each attempt has a name of its own."""
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
                # A write needs no existing file: another process deleted the one just written.
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
            self.client.write(self._at(path), data, overwrite=False)

    def _rename(self, source: str, target: str, options: str) -> None:
        self.client._rename(self._at(source), destination=self._at(target), renameoptions=options)

    def _chunks(self, path: str) -> Iterator[bytes]:
        """A file's bytes; LakeUnavailableError where fewer come than lie there."""
        response = self.client._open(self._at(path))
        try:
            stated, come = response.headers.get("content-length"), 0
            for chunk in response.iter_content(CHUNK):
                come += len(chunk)
                yield chunk
        finally:
            response.close()
        lies = int(stated) if stated is not None else self._length(path)
        if come != lies:
            raise LakeUnavailableError(
                f"reading {self.uri(path)} was cut short: {come} of {lies} bytes came", ADVICE
            )

    def _length(self, path: str) -> int:
        return int(self.client.status(self._at(path))["length"])

    def _status(self, path: str) -> Any:
        """The status of `path`; None where nothing lies there. Any other response is an error."""
        try:
            return self._retry(path, lambda: self.client.status(self._at(path)))
        except NotFoundError:
            return None

    @contextmanager
    def _disk_errors(self, path: Path) -> Iterator[None]:
        """Turn the errors of this machine's own disk into ours; they are not HDFS's."""
        try:
            yield
        except requests.RequestException:
            raise
        except OSError as error:
            raise system_error(error, str(path)) from error

    def _retry(self, path: str, call: Callable[[], T], missing: T | None = None) -> T:
        """Call until HDFS responds or the time is up; `missing` stands for nothing there."""
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
    """Whether the error may pass by itself within seconds; a full disk needs a person."""
    return isinstance(error, LakeUnavailableError) and not isinstance(error, LakeFullError)


def _leaf(status: dict[str, Any]) -> Leaf:
    return Leaf(
        status["pathSuffix"],
        status["type"] == "DIRECTORY",
        status["length"],
        status["modificationTime"] / 1000,
    )
