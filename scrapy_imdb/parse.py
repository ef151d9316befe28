"""`python -m scrapy_imdb parse`: pages a person saved, as JSON lines."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import orjson

from marquee.normalise.text import encodable
from scrapy_imdb.items import as_record
from scrapy_imdb.pages import RefusedPageError
from scrapy_imdb.saved import PAGE_NAMES, read_saved, saved_files


def parse_pages(paths: Sequence[Path], out: IO[bytes], refusals: IO[str]) -> tuple[int, int]:
    """Write one line a page that can be read; name each other with its reason.

    Returns how many were read and how many refused.
    """
    read = refused = 0
    for path in saved_files(paths):
        try:
            line = orjson.dumps(encodable({"source": str(path)}) | as_record(read_saved(path)))
        except RefusedPageError as error:
            print(f"refused {path}: {error.message}", file=refusals)
            refused += 1
        else:
            out.write(line + b"\n")
            read += 1
    return read, refused


def run(paths: Sequence[Path], out: Path | None) -> int:
    """Exit status: 0 where at least one page was read, else 2."""
    try:
        with out.open("wb") if out else sys.stdout.buffer as stream:
            read, refused = parse_pages(paths, stream, sys.stderr)
            stream.flush()
    except OSError as error:
        if isinstance(error, BrokenPipeError):  # the reader of our output has seen enough
            return 0
        print(f"error: {out} cannot be written: {error.strerror}", file=sys.stderr)
        return 2
    if not read and not refused:
        print(f"error: no page there (names end in {', '.join(PAGE_NAMES)})", file=sys.stderr)
    if not read:
        return 2
    print(f"{read} pages read, {refused} refused", file=sys.stderr)
    return 0
