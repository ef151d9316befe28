"""Titles as files: gzipped JSON lines, one record a line."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from marquee.errors import SourceError
from marquee.normalise.text import encodable
from sources.title_record import Record


def read_lines(paths: Iterable[Path]) -> Iterator[Record]:
    """Objects of gzipped JSON lines; SourceError names the file and line that is none."""
    for path in paths:
        number = 0
        try:
            with gzip.open(path, "rt", encoding="utf-8") as stream:
                for line in stream:
                    record = json.loads(line)
                    if not isinstance(record, dict):
                        raise ValueError("not an object")
                    yield record
                    number += 1
        except (OSError, EOFError, zlib.error, ValueError) as error:
            raise SourceError(
                f"{path} is damaged after line {number}: {error}", "run the crawl task again"
            ) from None


def write_lines(path: Path, records: Iterable[Mapping[str, Any]]) -> int:
    """Gzipped JSON lines, the same bytes for the same records; how many there were."""
    count = 0
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as stream:
        for record in records:
            stream.write(line_of(record))
            count += 1
    return count


def line_of(record: Mapping[str, Any]) -> bytes:
    """A record's one spelling as a line, whatever its texts hold."""
    text = json.dumps(record, ensure_ascii=False, sort_keys=True)
    return bytes(encodable(text).encode()) + b"\n"
