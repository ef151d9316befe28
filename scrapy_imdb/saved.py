"""Pages a person saved: files, folders of files, plain or gzipped. Reads, never trusts."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from web_poet import HttpResponse

from scrapy_imdb.items import TitleItem
from scrapy_imdb.pages import RefusedPageError, read_page
from scrapy_imdb.pages.html import LARGEST_PAGE

PAGE_NAMES = (".html", ".htm", ".xhtml", ".gz")
"""How names of pages end; other files of a folder are not looked at."""


def saved_files(paths: Iterable[Path]) -> Iterator[Path]:
    """Files as given, and every page below a folder, sorted; a missing path is given back too."""
    for path in paths:
        if path.is_dir():
            found = (p for p in path.rglob("*") if p.name.lower().endswith(PAGE_NAMES))
            yield from sorted(p for p in found if p.is_file())
        else:
            yield path


def read_saved(path: Path) -> TitleItem:
    """The item of one saved page; RefusedPageError says why there is none."""
    return read_page(HttpResponse(path.absolute().as_uri(), body=_bytes(path)))


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as stream:
            return stream.read(LARGEST_PAGE + 1)  # one more, so that a larger page is noticed
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise RefusedPageError(f"the gzip file is damaged or cut off ({error})") from None
    except OSError as error:
        raise RefusedPageError(f"cannot be opened ({error.strerror or error})") from None
