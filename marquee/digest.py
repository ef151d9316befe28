"""Fingerprints: of files, of values, of code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

COMPUTES = frozenset({".py", ".csv", ".json", ".jsonl", ".toml", ".tsv"})
"""Endings of what decides a result: code, and the tables it reads. Notes do not."""


def canonical_json(value: Any) -> bytes:
    """One spelling for one value: sorted keys, no spaces, no NaN."""
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def digest_bytes(data: bytes) -> str:
    """sha256, in hexadecimal, as every digest here."""
    return hashlib.sha256(data).hexdigest()


def digest_value(value: Any) -> str:
    """sha256 of a value's canonical JSON."""
    return digest_bytes(canonical_json(value))


def digest_file(path: Path) -> str:
    """sha256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest_code(places: Iterable[Path]) -> str:
    """Twelve characters that change with any file of code or data among or below `places`."""
    files = sorted(
        (place.name, path.relative_to(place).as_posix(), path)
        for place in places
        for path in ([place] if place.is_file() else place.rglob("*"))
        if path.suffix in COMPUTES and path.is_file()
    )
    return digest_value([[room, name, digest_file(path)] for room, name, path in files])[:12]
