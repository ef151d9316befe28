"""A ratings release: three files with MovieLens' headers, checked before anything is loaded."""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from marquee.errors import SourceError
from marquee.lake import Lake
from marquee.lake.manifest import Manifest
from marquee.names import iso, now

HEADERS = {
    "ratings.csv": ("userId", "movieId", "rating", "timestamp"),
    "movies.csv": ("movieId", "title", "genres"),
    "links.csv": ("movieId", "imdbId"),
}
SEEN_RECENTLY = 4_102_444_800  # 2100-01-01: a larger number is milliseconds, or nonsense


@dataclass(frozen=True)
class Census:
    """What a release holds: its rows, and the time of its last sound rating (UTC seconds)."""

    rows: int
    last_time: int


def take_census(folder: Path) -> Census:
    """Check headers and count rows; SourceError naming file, reason and remedy."""
    for name in HEADERS:
        if not any(True for _ in read_rows(folder, name)):
            raise SourceError(f"{folder / name} holds no rows", "give a whole release")
    rows, last = 0, 0
    for row in read_rows(folder, "ratings.csv"):
        rows += 1
        text = row["timestamp"]
        if text.isdecimal() and last < int(text) < SEEN_RECENTLY:
            last = int(text)
    return Census(rows, last)


def read_rows(folder: Path, name: str) -> Iterator[dict[str, str]]:
    """The rows of one file by column name; SourceError where it is not such a file."""
    path = folder / name
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, restval="")
            missing = [c for c in HEADERS[name] if c not in (reader.fieldnames or ())]
            if missing:
                raise SourceError(
                    f"{path} has no column {', '.join(missing)}",
                    f"its first line must name {', '.join(HEADERS[name])}",
                )
            yield from reader
    except FileNotFoundError:
        raise SourceError(f"{path} is missing", f"a release holds {', '.join(HEADERS)}") from None
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{path} is not UTF-8 (byte {error.start})",
            f"convert it: iconv -f latin1 -t utf-8 {name}",
        ) from None
    except csv.Error as error:
        raise SourceError(f"{path} is not a CSV file: {error}", "export it again") from None


def load_release(lake: Lake, folder: Path, name: str) -> tuple[str, Manifest]:
    """Publish a release as `raw/ratings/<name>-<sha12>`; loading it twice is a no-op."""
    census = take_census(folder)
    with tempfile.TemporaryDirectory(prefix="marquee-ratings-") as scratch:
        for file in HEADERS:
            shutil.copyfile(folder / file, Path(scratch) / file)
        digest = Manifest.of_folder(Path(scratch)).digest
        path = f"raw/ratings/{name}-{digest[:12]}"
        facts = {"last_time": census.last_time, "loaded_at": iso(now())}
        return path, lake.publish(Path(scratch), path, rows=census.rows, **facts)


def write_candidates(folder: Path, target: Path) -> int:
    """Write which titles are worth a page, `title_id,rated_count`, most rated first; how many."""
    counts = Counter(row["movieId"] for row in read_rows(folder, "ratings.csv"))
    rows = [(counts[movie], title) for movie, title in linked_titles(folder).items()]
    rows.sort(key=lambda row: (-row[0], row[1]))
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["title_id", "rated_count"])
        writer.writerows((title, count) for count, title in rows)
    return len(rows)


def linked_titles(folder: Path) -> dict[str, str]:
    """MovieLens' number to IMDb's title id, wherever the release links the two."""
    linked = {row["movieId"]: row["imdbId"] for row in read_rows(folder, "links.csv")}
    return {movie: f"tt{int(i):07d}" for movie, i in linked.items() if i.isdecimal()}
