"""A ratings release: checked, counted, and loaded into the lake as MovieLens' three CSV files."""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from marquee.clock import now
from marquee.errors import SourceError
from marquee.lake import Lake
from marquee.lake.manifest import Manifest
from marquee.names import iso
from marquee.sources.ratings_files import Cells
from marquee.sources.ratings_forms import LINKS, RATINGS, TITLES, RatingsFolder, recognise

YEAR_2100 = 4_102_444_800  # a later moment is nonsense
MILLISECONDS_FROM = 100_000_000_000  # as spark_apps.ratings.judging recognises them
LONGEST_WHOLE = 19  # digits of a 64-bit number


@dataclass(frozen=True)
class Census:
    """What a release holds: its rows, the time of its last sound rating (UTC seconds), and which
    of `users` and `titles` it names by text instead of whole numbers."""

    rows: int
    last_time: int
    text_ids: tuple[str, ...] = ()


def take_census(folder: Path) -> Census:
    """Read every row once; SourceError naming file, reason and remedy."""
    return count_release(recognise(folder))


def count_release(release: RatingsFolder) -> Census:
    """The census of a recognised release.

    Ids are text where more than half of the rows name no whole number: in a release of numbers a
    stray word is a broken row, in a release of words a stray number is a name.
    """
    rows, last, users, titles = 0, 0, 0, 0
    for user, movie, _, time in release.ratings():
        rows += 1
        users += not is_whole(user)
        titles += not is_whole(movie)
        if time.isdecimal() and last < (seconds := _seconds(int(time))) < YEAR_2100:
            last = seconds
    _refuse_empty(release, rows)
    counts = {"users": users, "titles": titles}
    return Census(rows, last, tuple(name for name, n in counts.items() if 2 * n > rows))


def is_whole(text: str) -> bool:
    """Whether an id is a whole number of 64 bits, to a digit."""
    digits = text.strip(" ").removeprefix("-")
    return digits.isdecimal() and digits.isascii() and len(digits) <= LONGEST_WHOLE


def load_release(lake: Lake, folder: Path, name: str) -> tuple[str, Manifest]:
    """Publish a release as `raw/ratings/<name>-<sha12>`; loading it twice is a no-op."""
    release = recognise(folder)
    census = count_release(release)
    with tempfile.TemporaryDirectory(prefix="marquee-ratings-") as scratch:
        linked = write_standard(release, Path(scratch))
        digest = Manifest.of_folder(Path(scratch)).digest
        path = f"raw/ratings/{name}-{digest[:12]}"
        facts = {"last_time": census.last_time, "loaded_at": iso(now()), "linked": linked}
        facts |= {"form": release.form.name}
        facts |= {"text_ids": list(census.text_ids)} if census.text_ids else {}
        return path, lake.publish(Path(scratch), path, rows=census.rows, **facts)


def write_standard(release: RatingsFolder, target: Path) -> int:
    """`ratings.csv movies.csv links.csv` in `target`, copied where the release has them as they
    should be (one without links gets a file of none); how many titles are linked."""
    plain = release.plain_files
    for name, path in (plain or {}).items():
        shutil.copyfile(path, target / name)
    if plain is None:
        _write(target / "ratings.csv", RATINGS, release.ratings())
        _write(target / "movies.csv", TITLES, release.titles())
    if not (target / "links.csv").exists():
        return _write(target / "links.csv", (*LINKS, "tmdbId"), ((*x, "") for x in release.links()))
    return sum(1 for _ in release.links())


def write_candidates(folder: Path, target: Path) -> int:
    """Write which titles are worth a page, `title_id,rated_count`, most rated first; how many."""
    linked = linked_titles(folder)
    ratings = recognise(folder).ratings() if linked else ()
    counts = Counter(movie for _, movie, *_ in ratings)
    rows = [(counts[movie], title) for movie, title in linked.items()]
    rows.sort(key=lambda row: (-row[0], row[1]))
    target.parent.mkdir(parents=True, exist_ok=True)
    _write(target, ("title_id", "rated_count"), ((title, str(count)) for count, title in rows))
    return len(rows)


def linked_titles(folder: Path) -> dict[str, str]:
    """The release's own ids of titles to IMDb's, wherever it links the two."""
    links = recognise(folder).links()
    return {movie: f"tt{int(i):07d}" for movie, i in links if i.isdecimal()}


def _write(path: Path, header: Cells, rows: Iterable[Cells]) -> int:
    counter = count()
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        # Rows first: when they end, the counter has not moved past them.
        writer.writerows(row for row, _ in zip(rows, counter))
    return next(counter)


def _refuse_empty(release: RatingsFolder, rows: int) -> None:
    """Links may be absent, but a file of them that is there is checked like the others."""
    form, folder = release.form, release.folder
    names = {form.ratings.file: rows, form.titles.file: any(True for _ in release.titles())}
    any(True for _ in release.links())
    for name, has_rows in names.items():
        if not has_rows:
            raise SourceError(f"{folder / name} holds no rows", "give a whole release")


def _seconds(time: int) -> int:
    return time // 1000 if time >= MILLISECONDS_FROM else time
