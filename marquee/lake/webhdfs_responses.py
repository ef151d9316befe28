"""Checks of WebHDFS responses: a result of HDFS, an error of HDFS, or the page of another server.

The library `hdfs` trusts every response, and its errors lose the HTTP status. So `check_response`
reads each response before the library. `lake_error` translates an error of the library into a
LakeError with HDFS's own sentence; a LakeUnavailableError may pass with a retry.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from hdfs.util import HdfsError
from urllib3.exceptions import HTTPError

from marquee.deadlines import at_once
from marquee.errors import (
    ConflictError,
    LakeError,
    LakeFullError,
    LakeUnavailableError,
    NotFoundError,
)

SECONDS_TO_ANSWER = 60.0
"""For a whole answer of a NameNode, or the head of a file."""
LONGEST_SENTENCE = 500
"""Characters of HDFS's own sentence that are kept."""
ADVICE = "look at NameNode and DataNode (`marquee status`), then try again"


class BoundedAdapter(requests.adapters.HTTPAdapter):
    """Bounds a whole answer: the time-outs of `requests` bound each wait for its next byte.

    The content of files is not bounded, in either direction: it takes as long as it is long.
    """

    def send(  # type: ignore[override]  # the other arguments are passed on as they come
        self, request: requests.PreparedRequest, stream: bool = False, **given: Any
    ) -> requests.Response:
        if request.body is not None:
            return super().send(request, stream=stream, **given)

        def ask() -> requests.Response:
            answer = requests.adapters.HTTPAdapter.send(self, request, stream=stream, **given)
            if not (stream and answer.ok and _is_content(answer)):
                _ = answer.content  # read here, and kept
            return answer

        (answer,) = at_once([ask], SECONDS_TO_ANSWER)
        if answer is None:
            text = f"no whole answer within {SECONDS_TO_ANSWER:g} s"
            raise requests.ReadTimeout(text, request=request)
        return answer


def check_response(response: requests.Response, **_: Any) -> None:
    """Raise an error where the response reports an error or does not come from HDFS.

    The HTTP session calls this hook before the library reads the response. A response of a standby
    NameNode passes, because the library then asks the next NameNode.
    """
    status = response.status_code
    if status < 400:
        _refuse_foreign(response)
        return
    kind, words = _remote(response)
    if kind in ("StandbyException", "RetriableException"):
        return
    if kind:
        raise HdfsError("%s", words, exception=kind)
    if status >= 500 or status in PASSING:
        raise requests.ConnectionError(f"HTTP {status}: {words}", response=response)
    raise HdfsError("%s", words, exception=f"HTTP {status}")


class _NotHdfsError(requests.ConnectionError):
    """A response of another server than HDFS; the library then asks the next NameNode."""


def _refuse_foreign(response: requests.Response) -> None:
    """Raise an error for the response of a proxy, a gateway or another file system."""
    requested = parse_qs(urlsplit(response.url).query).get("op", [])
    # A redirected request may lack `op`. HDFS redirects only OPEN and CREATE.
    operation = (
        requested[0] if requested else {"GET": "OPEN", "PUT": "CREATE"}.get(_method(response), "")
    )
    if 300 <= response.status_code < 400:
        # Only 307 and 308 keep the method of a PUT; other redirects turn it into a GET.
        keeps_method = _method(response) == "GET" or response.status_code in (307, 308)
        is_ours = "location" in response.headers and keeps_method
    elif operation == "OPEN":
        # The body is the content of the file, so the check reads only the content type.
        is_ours = response.status_code == 200 and _is_content(response)
    elif operation == "CREATE":
        is_ours = response.status_code == 201
    elif operation == "RENAME":
        if response.status_code == 200 and type(_json(response, "boolean")) is bool:
            raise HdfsError("%s", NO_OPTIONS, exception=UNSUPPORTED)
        is_ours = response.status_code == 200 and not response.content
    elif is_sound := SOUND_RESPONSES.get(operation):
        is_ours = response.status_code == 200 and is_sound(response)
    else:
        is_ours = "text/html" not in response.headers.get("content-type", "")
    if not is_ours:
        words = _plain(response.text) or "without a word"
        raise _NotHdfsError(f"HTTP {response.status_code}: {words}", response=response)


def _is_content(response: requests.Response) -> bool:
    """Whether the body is the content of a file."""
    return response.headers.get("content-type", OCTETS).startswith(OCTETS)


def _method(response: requests.Response) -> str:
    return response.request.method or ""


def _json(response: requests.Response, name: str) -> Any:
    """The value of the key `name` in the response's JSON object; None where it is missing."""
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
SOUND_RESPONSES: dict[str, Callable[[requests.Response], bool]] = {
    "MKDIRS": lambda response: _json(response, "boolean") is True,
    "DELETE": lambda response: type(_json(response, "boolean")) is bool,
    "GETFILESTATUS": lambda response: _is_status(_json(response, "FileStatus")),
    "LISTSTATUS": lambda response: _is_list(_json(response, "FileStatuses")),
}
"""Checks of a NameNode's JSON responses by operation; DELETE of a missing path responds false."""


def _remote(response: requests.Response) -> tuple[str, str]:
    """The class and the message of HDFS's exception; "" and the body for any other response."""
    try:
        found = response.json()["RemoteException"]
        kind = re.split(r"[.$]", str(found["exception"]))[-1]  # SecretManager$InvalidToken, too
        return kind, str(found.get("message") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", _plain(response.text) or response.reason or "no word"


def _plain(text: str) -> str:
    """The text of an HTML page in one line, without tags."""
    text = re.sub(r"(?is)<(script|style)\b.*?</\1>", " ", text)
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())[:LONGEST_SENTENCE]


def sentence_of(error: BaseException) -> str:
    """The message of an error in one line, without a stack trace.

    For an error of a connection, the message is that of the innermost cause.
    """
    if isinstance(error, requests.RequestException | HTTPError) and (inner := _innermost(error)):
        address = getattr(getattr(error, "request", None), "url", None)
        return f"{urlsplit(address).netloc}: {inner}" if address else inner
    lines = [x for x in str(error).splitlines() if not re.match(r"\s+at |Caused by: ", x)]
    return " ".join(" ".join(lines).split())[:LONGEST_SENTENCE] or type(error).__name__


def _innermost(error: BaseException) -> str:
    """The operating system's message at the end of a chain of errors, else the last error."""
    seen: list[BaseException] = []
    last: BaseException | None = error
    while last is not None and last not in seen:
        seen.append(last)
        inner = (*last.args, getattr(last, "reason", None), last.__cause__)
        last = next((a for a in inner if isinstance(a, BaseException)), None)
    lowest = seen[-1]
    if isinstance(lowest, OSError) and lowest.strerror:
        return lowest.strerror
    return " ".join(f"{type(lowest).__name__}: {lowest}".split())[:LONGEST_SENTENCE]


def lake_error(error: Exception, where: str) -> Exception:
    """The LakeError for an error of HDFS, of the library or of the connection at `where`."""
    if isinstance(error, LakeError):
        return error
    words = sentence_of(error)
    if isinstance(error, _NotHdfsError):
        return _does_not_speak(where, words)
    if isinstance(error, requests.RequestException | HTTPError):
        return LakeUnavailableError(f"HDFS did not answer for {where}: {words}", ADVICE)
    if isinstance(error, HdfsError):
        return _of_refusal(error.exception or "", words, where)
    if isinstance(error, ValueError | KeyError | TypeError | IndexError | AttributeError):
        return _does_not_speak(where, words)
    return error


def _does_not_speak(where: str, words: str) -> LakeUnavailableError:
    return LakeUnavailableError(
        f"what answered for {where} does not speak WebHDFS: {words}",
        "look whether lake.webhdfs is the NameNode's HTTP address, and what stands between",
    )


def _of_refusal(kind: str, words: str, where: str) -> LakeError:
    """The LakeError for an exception of HDFS; an unknown exception is a LakeUnavailableError."""
    whole = f"{kind}: {words}" if kind else words
    is_elsewhere = any(name in whole for name in ELSEWHERE)
    if not is_elsewhere and (kind == "FileNotFoundException" or BELOW_A_FILE in words):
        return NotFoundError(f"nothing lies at {where}")
    if not is_elsewhere and kind == "FileAlreadyExistsException":
        return ConflictError(f"something lies at {where} already")
    if kind in NO_ROOM or any(part in words for part in ("No space left", "DiskOutOfSpace")):
        return LakeFullError(
            f"HDFS has no room for {where}: {whole}", "make room or raise the quota, then try again"
        )
    if not is_elsewhere and (kind in FINAL or kind.startswith("HTTP 4")):
        return LakeError(f"HDFS refused {where}: {whole}", "look at what HDFS says of that path")
    if "could only be written to" in words or "Failed to find datanode" in words:
        return LakeUnavailableError(
            f"no DataNode took {where}: {whole}",
            "look whether a DataNode runs and its disk has 1.2 GB free (`marquee status`, `marquee "
            "doctor`), then try again",
        )
    return LakeUnavailableError(f"HDFS cannot serve {where} now: {whole}", ADVICE)


PASSING = frozenset({404, 408, 425, 429})
"""HTTP statuses of a busy server; a NameNode that is starting responds 404."""
ELSEWHERE = (
    "SafeModeException",
    "StandbyException",
    "RetriableException",
    "does not have any open files",
)
"""Texts that name the true cause inside another exception. HDFS reports the last one, a lost
lease, as a FileNotFoundException."""
BELOW_A_FILE = "is not a directory"
"""HDFS's words about a path below a file; HDFS reports them as a missing permission."""
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
"""Exception classes for which a retry fails again; after any other class a retry may succeed."""
