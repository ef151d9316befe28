"""Identifiers: digests of content, names that are safe in paths, and numbers that stand for names.

A digest identifies a value, a file or the code that computes by its content. Runs are folders in
the lake, so their names must be legal in HDFS and in Spark. People of our own API, and users and
titles that a release names by text, get whole numbers, because ALS takes no other ids.
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

COMPUTES = frozenset({".py", ".csv", ".json", ".jsonl", ".toml", ".tsv"})
"""Suffixes of the files that decide a result: code, and the tables it reads."""


LONGEST_STEP, LONGEST_PATH = 255, 3_000
"""Bytes of UTF-8: the limits of Linux and HDFS, less room for the folder a path is relative to."""


def canonical_json(value: Any) -> bytes:
    """One spelling for one value: sorted keys, no spaces, no NaN."""
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def digest_bytes(data: bytes) -> str:
    """sha256 in hexadecimal, like every digest here."""
    return hashlib.sha256(data).hexdigest()


def digest_value(value: Any) -> str:
    """sha256 of a value's canonical JSON."""
    return digest_bytes(canonical_json(value))


def digest_file(path: Path) -> str:
    """sha256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest_code(paths: Iterable[Path]) -> str:
    """Twelve characters that change with any file of code or data among or below `paths`."""
    files = sorted(
        (path.name, file.relative_to(path).as_posix(), file)
        for path in paths
        for file in ([path] if path.is_file() else path.rglob("*"))
        if file.suffix in COMPUTES and file.is_file()
    )
    return digest_value([[room, name, digest_file(file)] for room, name, file in files])[:12]


def run_slug(run_id: str) -> str:
    """A run id made safe for a path: a slug and eight characters of its hash.

    It never starts with `_` or `.`, and holds no `%`, `:` or `+`: HDFS refuses them and Spark
    unescapes them.
    """
    slug = re.sub(r"[^A-Za-z0-9]+", "-", run_id).strip("-").lower()[:60] or "run"
    return f"{slug}-{hashlib.sha256(run_id.encode()).hexdigest()[:8]}"


def run_name(text: str) -> str:
    """`text` itself, where `run_slug` could have made it; SourceError where it could not."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,99}", text):
        raise SourceError(
            f"{_short(text)} is not the name of a run",
            "name it as its folder below runs/ in the lake: a to z, digits, hyphens; at most 100",
        )
    return text


def inside(path: str, what: str = "a path") -> str:
    """The path itself, where it stays inside the folder it is relative to; else LakeError.

    Such a path is `/`-separated, normalised, neither empty nor absolute, and short enough for a
    file system.
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
    """Raise LakeError where the path, or a name in it, is too long for a file system."""
    if _bytes(path) > LONGEST_PATH or max(map(_bytes, path.split("/"))) > LONGEST_STEP:
        raise LakeError(
            f"{what} {_short(path)} is no name a file can bear",
            f"a name is at most {LONGEST_STEP} bytes of UTF-8 long, a path {LONGEST_PATH}",
        )


def _bytes(name: str) -> float:
    """Length in UTF-8; infinite for a name with half a surrogate pair, which UTF-8 cannot write."""
    try:
        return len(name.encode())
    except UnicodeEncodeError:
        return inf


def _short(name: str) -> str:
    """A name as a sentence shows it."""
    return repr(name if len(name) <= 100 else f"{name[:100]}…")


def person_id(name: str) -> int:
    """The user id of a person of our own API: negative, and so never one of MovieLens'.

    It is the first 62 bits of the name's sha256. Two of a million people share an id with a
    probability of about 1e-7.
    """
    return -1 - (int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 2)


def text_id(text: str) -> int:
    """The id of a user or title that its release names by text: never negative.

    It is the first 53 bits of the text's sha256, which a browser's numbers hold exactly. Two of
    100,000 names share an id with a probability of about 5e-7; prepare_ratings refuses the release
    where it happens.
    """
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 11
