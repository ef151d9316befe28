"""A lake on HDFS, through WebHDFS: the same client Airflow's provider hands out.

What the library leaves out is here. Plain WebHDFS rename moves a folder *inside* an existing one
and says true: every rename passes `renameoptions=NONE` or `OVERWRITE`. Its errors keep neither the
status nor, for 401, the text, and lack every answer that is not HDFS's own: `_judged` reads each
answer before the library does.

A write that timed out may still be on its way: a DataNode that was asked and stalled creates the
file when it wakes. So only the first try creates the file under its own name, and never over
another; every later try writes beside, under a name of its own, and renames over what the first
may have left. A late writer then finds its file gone, or the name taken, and harms nothing.
"""

from __future__ import annotations

import posixpath
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import IO, Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import requests
from hdfs import InsecureClient
from hdfs.util import HdfsError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential
from urllib3.exceptions import HTTPError

from marquee.errors import (
    ConflictError,
    LakeError,
    LakeFullError,
    LakeUnavailableError,
    NotFoundError,
)
from marquee.lake.client import STAGING, Lake, Leaf, of_system
from marquee.names import inside

T = TypeVar("T")
SECONDS_TO_CONNECT, SECONDS_TO_READ = 5, 60
# A NameNode that restarts is back in 7 to 9 s, a dead DataNode is noticed in 16 s.
SECONDS_TO_RETRY = 40
PAUSE = wait_random_exponential(0.2, max=4)
CHUNK = 1 << 20
SAID = 500
"""How much of HDFS's own sentence is kept."""
LOOK = "look at NameNode and DataNode (`marquee status`), then try again"


def connect(webhdfs: str, user: str) -> InsecureClient:
    """A client of the NameNode at `http://host:port` (several joined by `;` fail over)."""
    session = requests.Session()
    # Eight files travel at once; each needs its own connection to NameNode and DataNode.
    adapter = requests.adapters.HTTPAdapter(pool_connections=16, pool_maxsize=16)
    session.mount("http://", adapter)
    return InsecureClient(webhdfs, user=user, session=session)


class WebHdfsLake(Lake):
    """Retries what a restart mends, within its patience; then says what HDFS said."""

    def __init__(self, root: str, client: InsecureClient, seconds_to_retry: float | None = None):
        super().__init__(root)
        self.client = client
        client._timeout = (SECONDS_TO_CONNECT, SECONDS_TO_READ)
        # A proxy that compresses would change the bytes: files are read as they lie.
        client._session.headers["Accept-Encoding"] = "identity"
        if _judged not in client._session.hooks["response"]:
            client._session.hooks["response"].append(_judged)
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
        def ask() -> list[Leaf]:
            found = self.client._list_status(self._at(path)).json()["FileStatuses"]["FileStatus"]
            # A file's own status has no name below it.
            return [_leaf(status) for status in found if status["pathSuffix"]]

        nothing: list[Leaf] = []
        return sorted(self._again(path, ask, nothing))

    def read_bytes(self, path: str) -> bytes:
        def read() -> bytes:
            return b"".join(self._chunks(path))

        return self._again(path, read)

    def copy_out(self, path: str, target: Path) -> None:
        def copy() -> None:
            with self._local(target), target.open("wb") as out:
                for chunk in self._chunks(path):
                    out.write(chunk)

        self._again(path, copy)

    def copy_in(self, source: Path, path: str) -> None:
        @contextmanager
        def opened() -> Iterator[IO[bytes]]:
            with self._local(source), source.open("rb") as stream:
                yield stream

        self._write(path, opened)

    def write_bytes(self, path: str, data: bytes) -> None:
        @contextmanager
        def opened() -> Iterator[bytes]:
            yield data

        self._write(path, opened)

    def rename(self, source: str, target: str) -> None:
        self._again(target, lambda: self._make_parents(target))
        tries = count()

        def move() -> None:
            is_first = next(tries) == 0
            try:
                self._once(target, lambda: self._rename(source, target, "NONE"))
            except NotFoundError:
                # `source` is this attempt's alone: an earlier try moved it, and its reply was lost.
                if is_first or self._status(target) is None:
                    raise

        self._again(target, move)

    def delete(self, path: str) -> None:
        self._again(path, lambda: self.client.delete(self._at(path), recursive=True))

    def make_durable(self, path: str) -> None:
        """Nothing to do: a NameNode answers for a name after its edit log is on the disk."""

    # How --------------------------------------------------------------------------------

    def _write(self, path: str, opened: Callable[[], Any]) -> None:
        """Write what `opened` gives; see the module for why each try has a name of its own."""
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
                # Nobody looks for a file in order to write it: it was taken from under the writer.
                raise LakeUnavailableError(
                    f"writing {self.uri(path)} was cut short: {_said(error.__cause__ or error)}",
                    LOOK,
                ) from error

        self._again(path, write)

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
                f"reading {self.uri(path)} was cut short: {come} of {lies} bytes came", LOOK
            )

    def _length(self, path: str) -> int:
        return int(self.client.status(self._at(path))["length"])

    def _status(self, path: str) -> Any:
        """What lies there, None where nothing does. Every other answer is an error: an answer
        that is none says nothing about what lies there."""
        try:
            return self._again(path, lambda: self.client.status(self._at(path)))
        except NotFoundError:
            return None

    @contextmanager
    def _local(self, path: Path) -> Iterator[None]:
        """What this machine's own disk says is not HDFS's word."""
        try:
            yield
        except requests.RequestException:
            raise
        except OSError as error:
            raise of_system(error, str(path)) from error

    def _again(self, path: str, call: Callable[[], T], missing: T | None = None) -> T:
        """Call until HDFS answers or patience ends; `missing` stands for nothing there."""
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
            raise self._named(error, path) from error

    def _named(self, error: Exception, path: str) -> Exception:
        """Our name for what HDFS, the library or the wire said, with its own sentence."""
        if isinstance(error, LakeError):
            return error
        where, said = self.uri(path), _said(error)
        if isinstance(error, _NotHdfsError):
            return _does_not_speak(where, said)
        if isinstance(error, requests.RequestException | HTTPError):
            return LakeUnavailableError(f"HDFS did not answer for {where}: {said}", LOOK)
        if isinstance(error, HdfsError):
            return _of_answer(error.exception or "", said, where)
        if isinstance(error, ValueError | KeyError | TypeError | IndexError | AttributeError):
            return _does_not_speak(where, said)
        return error


def _does_not_speak(where: str, said: str) -> LakeUnavailableError:
    return LakeUnavailableError(
        f"what answered for {where} does not speak WebHDFS: {said}",
        "look whether lake.webhdfs is the NameNode's HTTP address, and what stands between",
    )


def _may_pass(error: BaseException) -> bool:
    """Whether it may pass by itself within seconds: a full disk waits for a person."""
    return isinstance(error, LakeUnavailableError) and not isinstance(error, LakeFullError)


def _leaf(status: dict[str, Any]) -> Leaf:
    return Leaf(
        status["pathSuffix"],
        status["type"] == "DIRECTORY",
        status["length"],
        status["modificationTime"] / 1000,
    )


# What an answer says -------------------------------------------------------------------------


def _judged(response: requests.Response, **_: Any) -> None:
    """Read an answer before the library does; an error where it is none of HDFS's, or a refusal.

    The library goes to the next NameNode by itself where one is standing by or does not answer.
    """
    status = response.status_code
    if status < 400:
        _refuse_foreign(response)
        return
    kind, said = _remote(response)
    if kind in ("StandbyException", "RetriableException"):
        return
    if kind:
        raise HdfsError("%s", said, exception=kind)
    if status >= 500 or status in PASSING:
        raise requests.ConnectionError(f"HTTP {status}: {said}", response=response)
    raise HdfsError("%s", said, exception=f"HTTP {status}")


class _NotHdfsError(requests.ConnectionError):
    """An answer that no NameNode or DataNode gives; the library asks the next NameNode, if any."""


def _refuse_foreign(response: requests.Response) -> None:
    """What a proxy, a gateway or another file system says must not pass for HDFS's word."""
    asked = parse_qs(urlsplit(response.url).query).get("op", [])
    # HDFS sends only these two on to another address, which a gateway may spell in its own way.
    operation = asked[0] if asked else {"GET": "OPEN", "PUT": "CREATE"}.get(_method(response), "")
    if 300 <= response.status_code < 400:
        # Any other status than these makes a GET of whatever was asked.
        keeps_method = _method(response) == "GET" or response.status_code in (307, 308)
        is_ours = "location" in response.headers and keeps_method
    elif operation == "OPEN":
        # The body is the file: it is not read here. Every DataNode says that it is one.
        kind = response.headers.get("content-type", OCTETS)
        is_ours = response.status_code == 200 and kind.startswith(OCTETS)
    elif operation == "CREATE":
        is_ours = response.status_code == 201
    elif operation == "RENAME":
        if response.status_code == 200 and type(_json(response, "boolean")) is bool:
            raise HdfsError("%s", NO_OPTIONS, exception=UNSUPPORTED)
        is_ours = response.status_code == 200 and not response.content
    elif judge := ANSWERS.get(operation):
        is_ours = response.status_code == 200 and judge(response)
    else:
        is_ours = "text/html" not in response.headers.get("content-type", "")
    if not is_ours:
        said = _plain(response.text) or "without a word"
        raise _NotHdfsError(f"HTTP {response.status_code}: {said}", response=response)


def _method(response: requests.Response) -> str:
    return response.request.method or ""


def _json(response: requests.Response, name: str) -> Any:
    """The value called `name` in the object that was answered; None where none was."""
    try:
        return response.json()[name]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _is_status(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.get("type") in ("FILE", "DIRECTORY", "SYMLINK")
        and isinstance(value.get("pathSuffix"), str)
        and all(type(value.get(name)) is int for name in ("length", "modificationTime"))
    )


def _is_list(found: Any) -> bool:
    listed = found.get("FileStatus") if isinstance(found, dict) else None
    return isinstance(listed, list) and all(map(_is_status, listed))


OCTETS = "application/octet-stream"
UNSUPPORTED = "UnsupportedOperationException"
NO_OPTIONS = (
    "what answered renames without options, so it may move over or into what lies there: "
    "lake.webhdfs must name the NameNode itself (HttpFS cannot stand for it)"
)
ANSWERS: dict[str, Callable[[requests.Response], bool]] = {
    "MKDIRS": lambda answer: _json(answer, "boolean") is True,
    "DELETE": lambda answer: type(_json(answer, "boolean")) is bool,
    "GETFILESTATUS": lambda answer: _is_status(_json(answer, "FileStatus")),
    "LISTSTATUS": lambda answer: _is_list(_json(answer, "FileStatuses")),
}
"""What a NameNode's answer looks like, where it is JSON; DELETE says false where nothing lay."""


def _remote(response: requests.Response) -> tuple[str, str]:
    """The class and the sentence HDFS names; "" and what stands there where it names none."""
    try:
        found = response.json()["RemoteException"]
        kind = re.split(r"[.$]", str(found["exception"]))[-1]  # of SecretManager$InvalidToken too
        return kind, str(found.get("message") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", _plain(response.text) or response.reason or "no word"


def _plain(text: str) -> str:
    """A page without its tags, in one line."""
    text = re.sub(r"(?is)<(script|style)\b.*?</\1>", " ", text)
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())[:SAID]


def _said(error: BaseException) -> str:
    """An error's own sentence in one line: no stack trace, and of a wire's the innermost cause."""
    if isinstance(error, requests.RequestException | HTTPError) and (inner := _innermost(error)):
        address = getattr(getattr(error, "request", None), "url", None)
        return f"{urlsplit(address).netloc}: {inner}" if address else inner
    lines = [x for x in str(error).splitlines() if not re.match(r"\s+at |Caused by: ", x)]
    return " ".join(" ".join(lines).split())[:SAID] or type(error).__name__


def _innermost(error: BaseException) -> str:
    """What the system said at the bottom of a library's errors, else what the lowest of them is."""
    seen: list[BaseException] = []
    last: BaseException | None = error
    while last is not None and last not in seen:
        seen.append(last)
        inner = (*last.args, getattr(last, "reason", None), last.__cause__)
        last = next((a for a in inner if isinstance(a, BaseException)), None)
    lowest = seen[-1]
    if isinstance(lowest, OSError) and lowest.strerror:
        return lowest.strerror
    return " ".join(f"{type(lowest).__name__}: {lowest}".split())[:SAID]


def _of_answer(kind: str, said: str, where: str) -> LakeError:
    """Our name for a refusal of HDFS's; whatever is not known to be final may be mended."""
    whole = f"{kind}: {said}" if kind else said
    is_elsewhere = any(name in whole for name in ELSEWHERE)
    if not is_elsewhere and (kind == "FileNotFoundException" or BELOW_A_FILE in said):
        return NotFoundError(f"nothing lies at {where}")
    if not is_elsewhere and kind == "FileAlreadyExistsException":
        return ConflictError(f"something lies at {where} already")
    if kind in NO_ROOM or any(words in said for words in ("No space left", "DiskOutOfSpace")):
        return LakeFullError(
            f"HDFS has no room for {where}: {whole}", "make room or raise the quota, then try again"
        )
    if not is_elsewhere and (kind in FINAL or kind.startswith("HTTP 4")):
        return LakeError(f"HDFS refused {where}: {whole}", "look at what HDFS says of that path")
    if "could only be written to" in said:
        return LakeUnavailableError(
            f"no DataNode took {where}: {whole}",
            "look whether a DataNode runs and its disk has room (`marquee status`), then try again",
        )
    return LakeUnavailableError(f"HDFS cannot serve {where} now: {whole}", LOOK)


PASSING = frozenset({404, 408, 425, 429})
"""Statuses of a server that is no WebHDFS yet (a NameNode still starting says 404), or is busy."""
ELSEWHERE = (
    "SafeModeException",
    "StandbyException",
    "RetriableException",
    "does not have any open files",
)
"""Where one of these is named inside another class, it is the cause: also a lost lease, which
HDFS calls a file that does not exist."""
BELOW_A_FILE = "is not a directory"
"""HDFS says of a path below a file that nobody may go there."""
NO_ROOM = frozenset(
    {"DSQuotaExceededException", "NSQuotaExceededException", "QuotaByStorageTypeExceededException"}
    | {"QuotaExceededException", "ClusterStorageCapacityExceededException"}
    | {"DiskOutOfSpaceException", "MaxDirectoryItemsExceededException"}
)
FINAL = frozenset(
    {"AccessControlException", "SecurityException", "AuthorizationException"}
    | {"AuthenticationException", "InvalidToken", "UnsupportedOperationException"}
    | {"IllegalArgumentException", "HadoopIllegalArgumentException", "ParamException"}
    | {"InvalidPathException", "ParentNotDirectoryException", "PathIsNotDirectoryException"}
    | {"PathIsNotEmptyDirectoryException", "PathComponentTooLongException"}
    | {"UnresolvedPathException", "FileNotFoundException", "FileAlreadyExistsException"}
)
"""Wrong for good; every other class is a part of HDFS that broke, restarts or is not yet up."""
