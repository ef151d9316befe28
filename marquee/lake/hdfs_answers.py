"""What an answer over WebHDFS says: HDFS's own word, a refusal of its, or somebody else's.

The library's errors keep neither the status nor, for 401, the text, and it takes every answer for
HDFS's own. `judged` reads each answer before it does; `named` gives what went wrong our name, with
HDFS's own sentence, and tells what is final from what a restart mends.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from hdfs.util import HdfsError
from urllib3.exceptions import HTTPError

from marquee.errors import (
    ConflictError,
    LakeError,
    LakeFullError,
    LakeUnavailableError,
    NotFoundError,
)

SAID = 500
"""How much of HDFS's own sentence is kept."""
LOOK = "look at NameNode and DataNode (`marquee status`), then try again"


def judged(response: requests.Response, **_: Any) -> None:
    """Read an answer before the library does; an error where it is none of HDFS's, or a refusal.

    The library goes to the next NameNode by itself where one is standing by or does not answer.
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
        words = _plain(response.text) or "without a word"
        raise _NotHdfsError(f"HTTP {response.status_code}: {words}", response=response)


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


def said(error: BaseException) -> str:
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


def named(error: Exception, where: str) -> Exception:
    """Our name for what HDFS, the library or the wire said of `where`, with its own sentence."""
    if isinstance(error, LakeError):
        return error
    words = said(error)
    if isinstance(error, _NotHdfsError):
        return _does_not_speak(where, words)
    if isinstance(error, requests.RequestException | HTTPError):
        return LakeUnavailableError(f"HDFS did not answer for {where}: {words}", LOOK)
    if isinstance(error, HdfsError):
        return _of_answer(error.exception or "", words, where)
    if isinstance(error, ValueError | KeyError | TypeError | IndexError | AttributeError):
        return _does_not_speak(where, words)
    return error


def _does_not_speak(where: str, words: str) -> LakeUnavailableError:
    return LakeUnavailableError(
        f"what answered for {where} does not speak WebHDFS: {words}",
        "look whether lake.webhdfs is the NameNode's HTTP address, and what stands between",
    )


def _of_answer(kind: str, words: str, where: str) -> LakeError:
    """Our name for a refusal of HDFS's; whatever is not known to be final may be mended."""
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
    if "could only be written to" in words:
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
