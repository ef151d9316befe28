"""Identifiers: digests of content, names that are safe in paths, and whole-number ids of names.

A digest identifies a value, a file or a folder of code by its content. Each run is a folder in the
lake, so the name of a run must be legal in HDFS and in Spark. Spark's ALS accepts only whole
numbers as ids, so people of our own API, and users and titles with text ids, get numbers.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from math import inf
from pathlib import Path
from typing import Any

from marquee.errors import LakeError, SourceError

CODE_SUFFIXES = frozenset({".py", ".csv", ".json", ".jsonl", ".toml", ".tsv"})
"""Suffixes of the files that decide a result: code, and the data tables beside it."""

LONGEST_STEP, LONGEST_PATH = 255, 3_000
"""Bytes of UTF-8 in a name and in a path. Linux and HDFS allow longer paths; the difference is
room for the root folder before the path."""


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys and no spaces, so that equal values have equal bytes.

    Raises ValueError for NaN.
    """
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def digest_bytes(data: bytes) -> str:
    """sha256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def digest_value(value: Any) -> str:
    """sha256 of a value's canonical JSON."""
    return digest_bytes(canonical_json(value))


def digest_file(path: Path) -> str:
    """sha256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest_code(paths: Iterable[Path]) -> str:
    """Twelve hexadecimal characters of a sha256 over all code and data files below `paths`."""
    files = sorted(
        (path.name, file.relative_to(path).as_posix(), file)
        for path in paths
        for file in ([path] if path.is_file() else path.rglob("*"))
        if file.suffix in CODE_SUFFIXES and file.is_file()
    )
    return digest_value([[room, name, digest_file(file)] for room, name, file in files])[:12]


def run_slug(run_id: str) -> str:
    """A run id made safe for a path: a slug and eight characters of its hash.

    The result never starts with `_` or `.`. It holds no `%`, `:` or `+`, because HDFS refuses these
    characters and Spark unescapes them.
    """
    slug = re.sub(r"[^A-Za-z0-9]+", "-", run_id).strip("-").lower()[:60] or "run"
    return f"{slug}-{hashlib.sha256(run_id.encode()).hexdigest()[:8]}"


def run_name(text: str) -> str:
    """`text` itself; SourceError where it does not have the form of a `run_slug`."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,99}", text):
        raise SourceError(
            f"{_short(text)} is not the name of a run",
            "name it as its folder below runs/ in the lake: a to z, digits, hyphens; at most 100",
        )
    return text


def checked_path(path: str, what: str = "a path") -> str:
    """`path` itself; LakeError where it could leave the folder that it is relative to.

    A valid path is relative and `/`-separated, has no empty, `.` or `..` step, and is short enough
    for a file system.
    """
    steps = path.split("/")
    if {"", ".", ".."}.intersection(steps) or re.search(r"[\\\x00-\x1f\x7f]", path):
        raise LakeError(
            f"{what} {_short(path)} does not name a place inside its folder",
            "names are relative, without '..', empty steps, backslashes or control characters",
        )
    refuse_long(path, what)
    return path


def refuse_long(path: str, what: str) -> None:
    """Raise LakeError where the path, or a name in the path, is too long for a file system."""
    if _bytes(path) > LONGEST_PATH or max(map(_bytes, path.split("/"))) > LONGEST_STEP:
        raise LakeError(
            f"{what} {_short(path)} is no name a file can bear",
            f"a name is at most {LONGEST_STEP} bytes of UTF-8 long, a path {LONGEST_PATH}",
        )


def _bytes(name: str) -> float:
    """Bytes in UTF-8; infinite for half a surrogate pair, because UTF-8 cannot encode it."""
    try:
        return len(name.encode())
    except UnicodeEncodeError:
        return inf


def _short(name: str) -> str:
    """A name in quotes, cut to 100 characters."""
    return repr(name if len(name) <= 100 else f"{name[:100]}…")


def person_id(name: str) -> int:
    """The user id of a person of our own API, from the first 62 bits of the name's sha256.

    The id is negative, so it differs from every id of MovieLens. Among a million people, two share
    an id with a probability of about 1e-7.
    """
    return -1 - (int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 2)


def text_id(text: str) -> int:
    """The id of a user or title with a text id, from the first 53 bits of the text's sha256.

    The id is never negative. JavaScript's numbers hold 53 bits exactly. Among 100,000 names, two
    share an id with a probability of about 5e-7; then `prepare_ratings` refuses the release.
    """
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 11
