"""A ratings release: read once, checked, counted, and loaded into the lake in one form.

`raw/ratings/<name>-<sha12>` holds two files of UTF-8, tabs and no quotes, each with a header:

    ratings.tsv   userId movieId rating timestamp     ids in one spelling, times in UTC seconds
    titles.tsv    movieId title genres titleId        one row a movie, one movie an IMDb id

Whatever comes after the loader reads these and nothing else. The folder is named by the digest of
the *source* bytes, the reader's version and the scale: another reader or scale loads the same
release anew, so that what is said of it is said by the scale that holds.
"""

from __future__ import annotations

import csv
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from marquee.clock import now
from marquee.digest import digest_file, digest_value
from marquee.errors import SourceError
from marquee.lake import Lake
from marquee.lake.manifest import Manifest
from marquee.names import iso
from sources.ratings_cells import (
    LIKE_IMDBS,
    MISSING,
    NEGATIVE_MOVIE,
    NEGATIVE_USER,
    NO_NUMBER,
    NO_STARS,
    NO_TIME,
    OUT_OF_TIME,
    Ids,
    Keeper,
    Stars,
    Times,
    named_by_imdb,
    outside,
    plain,
    title_id_of,
)
from sources.ratings_forms import RATINGS, TITLES, Cells, RatingsFolder, recognise
from sources.tables import Aside

READER = 2
"""The version of what is made of a release's bytes. Raise it with every change of that."""
RATINGS_FILE, TITLES_FILE = "ratings.tsv", "titles.tsv"
LISTED = (*TITLES, "titleId")
Scale = tuple[float, float]
ANY_SCALE: Scale = (-inf, inf)
YEAR_1971 = 31_536_000
"""Whose latest rating is older counts something else than seconds."""


@dataclass(frozen=True)
class Census:
    """What a release holds: its rows, the time of its last sound rating (UTC seconds), and which
    of `users` and `titles` it names by text instead of whole numbers."""

    rows: int
    last_time: int
    text_ids: tuple[str, ...] = ()


@dataclass
class Catalogue:
    """The titles a release lists, by id, in its order: title and genres; and their IMDb ids."""

    is_text: bool = False
    is_mostly_words: bool = False
    titles: dict[str, tuple[str, str]] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    """What was left out of it, in sentences."""

    def settle(self, rated: Mapping[str, int]) -> None:
        """Give an IMDb id that several movies name to the most rated, of equals the first."""
        claims: dict[str, list[str]] = {}
        for movie, title_id in self.links.items():
            claims.setdefault(title_id, []).append(movie)
        shared = {t: movies for t, movies in claims.items() if len(movies) > 1}
        for movies in shared.values():
            for movie in set(movies) - {max(movies, key=lambda m: rated.get(m, 0))}:
                del self.links[movie]
        if shared:
            some = [f"{t} by {', '.join(m[:3])}" for t, m in list(shared.items())[:3]]
            self.notes.append(
                f"{len(shared)} IMDb ids are named by more than one movie ({'; '.join(some)}): "
                "the most rated keeps it"
            )

    def rows(self) -> Iterator[Cells]:
        """`LISTED`."""
        for movie, (title, genres) in self.titles.items():
            yield movie, title, genres, self.links.get(movie, "")


class RatingsPass:
    """One pass over a release's ratings: each row as it is kept, and what there is of them."""

    def __init__(
        self,
        release: RatingsFolder,
        kinds: Sequence[str] = (),
        listed: Iterable[str] = (),
        scale: Scale = ANY_SCALE,
    ) -> None:
        self.release = release
        self.users = Ids(NEGATIVE_USER, "users" in kinds)
        self.movies = Ids(NEGATIVE_MOVIE, "titles" in kinds, listed)
        self.stars, self.times = Stars(scale), Times()
        self.rules = (
            *(MISSING, NO_NUMBER, NEGATIVE_MOVIE, NEGATIVE_USER, NO_STARS),
            *(outside(*scale), NO_TIME, OUT_OF_TIME),
        )
        self.rows = 0
        self.rated: Counter[str] = Counter()
        """How often each movie is rated."""
        self.refused: dict[str, Aside] = {}
        """Rows that are no ratings, by the first rule they break."""
        self.torn = Aside()

    def batches(self) -> Iterator[list[list[str]]]:
        """The four columns of `RATINGS`, many rows at a time; refused rows too, as they came."""
        keepers: tuple[Keeper, ...] = (self.users, self.movies, self.stars, self.times)
        for lines, columns in self.release.ratings(self.torn):
            kept = [keeper.keep(column) for keeper, column in zip(keepers, columns)]
            self.rows += len(lines)
            self.rated.update(kept[1])
            faults = [keeper.faults for keeper in keepers]
            if any(faults):
                self._refuse(lines, kept, faults)
            yield kept

    def sound(self) -> Iterator[Cells]:
        """The rows that are ratings, one by one."""
        for kept in self.batches():
            faults = [k.faults for k in (self.users, self.movies, self.stars, self.times)]
            for row in zip(*kept):
                if not any(map(dict.__contains__, faults, row)):
                    yield row

    def _refuse(
        self,
        lines: Sequence[int],
        kept: Sequence[Sequence[str]],
        faults: Sequence[Mapping[str, str]],
    ) -> None:
        some = [pair for pair in zip(kept, faults) if pair[1]]
        bad = {at for column, of in some for at, value in enumerate(column) if value in of}
        for at in sorted(bad):
            found = [of[column[at]] for column, of in some if column[at] in of]
            first = min(found, key=self.rules.index)
            row = ",".join(column[at] for column in kept)
            self.refused.setdefault(first, Aside()).add(lines[at], f"({row[:100]})")

    @property
    def refused_rows(self) -> int:
        """How many rows are no ratings."""
        return sum(aside.count for aside in self.refused.values())

    def notes(self) -> list[str]:
        """What is no rating, in sentences, the most frequent reason first."""
        often = sorted(self.refused.items(), key=lambda pair: -pair[1].count)
        return [f"{why}: {aside}" for why, aside in often]


@dataclass(frozen=True)
class Reading:
    """A release as it was read."""

    census: Census
    catalogue: Catalogue
    ratings: RatingsPass

    def notes(self) -> list[str]:
        """Everything that a person should know of the release, in sentences."""
        found = [f"ratings refused: {note}" for note in self.ratings.notes()]
        if self.census.rows and self.census.last_time < YEAR_1971:
            found.append(
                f"the latest time is {self.census.last_time}, in 1970: times count seconds since "
                "then; write a day as 2005-04-02, not as 20050402"
            )
        if self.ratings.torn.count:
            found.append(f"rows of ratings left out: {self.ratings.torn}")
        unlisted = [movie for movie in self.sound_movies() if movie not in self.catalogue.titles]
        if unlisted:
            rows = sum(self.ratings.rated[movie] for movie in unlisted)
            found.append(
                f"{len(unlisted)} of {len(self.sound_movies())} rated titles are not in the list "
                f"of titles ({rows} ratings; {', '.join(unlisted[:3])}): they have no name"
            )
        return found + self.catalogue.notes

    def sound_movies(self) -> list[str]:
        """The ids of rated movies."""
        return [m for m in self.ratings.rated if m not in self.ratings.movies.faults]


def take_census(folder: Path, scale: Scale = ANY_SCALE) -> Census:
    """Read every row once; SourceError naming file, reason and remedy."""
    return read_release(recognise(folder), scale).census


def load_release(
    lake: Lake, folder: Path, name: str, scale: Scale = ANY_SCALE
) -> tuple[str, Manifest]:
    """Publish a release as `raw/ratings/<name>-<sha12>`; loading it twice is a no-op.

    The manifest's facts: `last_time`, `loaded_at`, `linked` (titles with an IMDb id), `form`,
    `text_ids` where there are any, `reader`, `scale`, and `notes`, what a person should know.
    SourceError where no row is a rating, with counts by reason and three examples of each.
    """
    release = recognise(folder)
    path = f"raw/ratings/{name}-{source_digest(release, scale)[:12]}"
    if lake.exists(path):
        return path, lake.manifest(path)
    with tempfile.TemporaryDirectory(prefix="marquee-ratings-") as scratch:
        found = read_release(release, scale, Path(scratch) / RATINGS_FILE)
        _write(Path(scratch) / TITLES_FILE, LISTED, found.catalogue.rows())
        census = found.census
        facts = {"last_time": census.last_time, "loaded_at": iso(now())}
        facts |= {"linked": len(found.catalogue.links), "form": release.form.name}
        facts |= {"text_ids": list(census.text_ids)} if census.text_ids else {}
        facts |= {"reader": READER, "scale": _finite(scale), "notes": found.notes()}
        return path, lake.publish(Path(scratch), path, rows=census.rows, **facts)


def source_digest(release: RatingsFolder, scale: Scale = ANY_SCALE) -> str:
    """The digest of the release's own bytes, and of what reads and judges them."""
    files = {name: digest_file(path) for name, path in release.files.items()}
    judged = [] if scale == ANY_SCALE else [_finite(scale)]
    return digest_value([READER, files, *judged])


def _finite(scale: Scale) -> list[float] | None:
    return None if scale == ANY_SCALE else list(scale)


def read_release(
    release: RatingsFolder, scale: Scale = ANY_SCALE, target: Path | None = None
) -> Reading:
    """Read a release whole, and write its ratings to `target` as the lake keeps them.

    Ids are text where more than half of the rows of ratings, or of the list of titles, that have
    an id name no whole number: in a release of numbers a stray word is a broken row, in a release
    of words a stray number is a name. Only the end of the file settles that; where the start
    misled, the release is read a second time.
    """
    start = RatingsPass(release)
    next(start.batches(), None)
    ratings, catalogue = start, read_catalogue(release)
    kinds = _kinds(start, catalogue)
    for _ in range(2):
        if catalogue.is_text != ("titles" in kinds):
            catalogue = read_catalogue(release, "titles" in kinds)
        ratings = RatingsPass(release, kinds, catalogue.titles, scale)
        _keep(ratings, target)
        found = _kinds(ratings, catalogue)
        if found == kinds:
            break
        kinds = found
    _refuse_useless(release, catalogue, ratings)
    catalogue.settle(ratings.rated)
    reading = Reading(Census(ratings.rows, ratings.times.last, kinds), catalogue, ratings)
    _refuse_strangers(release, reading)
    return reading


def _kinds(ratings: RatingsPass, catalogue: Catalogue) -> tuple[str, ...]:
    users = ("users",) if ratings.users.is_mostly_words else ()
    is_text = ratings.movies.is_mostly_words or catalogue.is_mostly_words
    return (*users, "titles") if is_text else users


def _keep(ratings: RatingsPass, target: Path | None) -> None:
    if target is None:
        for _ in ratings.batches():
            pass
        return
    with target.open("w", encoding="utf-8", newline="") as out:
        out.write("\t".join(RATINGS) + "\n")
        for columns in ratings.batches():
            out.write("\n".join(map("\t".join, zip(*columns))) + "\n")


def read_catalogue(release: RatingsFolder, is_text: bool = False) -> Catalogue:
    """The titles a release lists and their links, each key once; the first row counts."""
    found, ids = Catalogue(is_text), Ids(NEGATIVE_MOVIE, is_text)
    torn, nameless, again, untitled = Aside(), Aside(), Aside(), Aside()
    for line, (movie, title, genres) in release.titles(torn):
        [kept] = ids.keep([movie])
        if kept in ids.faults:
            nameless.add(line, f"'{movie[:40]}': {ids.faults[kept]}")
        elif kept in found.titles:
            again.add(line, f"lists {kept} again")
        else:
            found.titles[kept] = plain(title), plain(genres)
            if not plain(title):
                untitled.add(line, f"names {kept} only")
    found.is_mostly_words = ids.is_mostly_words
    name = release.form.titles.file
    for aside, what in ((torn, "torn"), (nameless, "without an id"), (again, "listed already")):
        if aside.count:
            found.notes.append(f"rows of {name} left out, {what}: {aside}")
    if untitled.count:
        found.notes.append(f"movies without a title, called by their id: {untitled}")
    _read_links(release, is_text, found)
    return found


def _read_links(release: RatingsFolder, is_text: bool, found: Catalogue) -> None:
    """Add the links of listed titles; titles named by IMDb's own ids need no file for that."""
    torn, unread, other, unlisted = Aside(), Aside(), Aside(), Aside()
    ids = Ids(NEGATIVE_MOVIE, is_text, found.titles)
    for line, (movie, text) in release.links(torn):
        kept, title_id = ids[movie], title_id_of(text)
        if not plain(text):
            continue
        if kept not in found.titles:
            unlisted.add(line, f"links {movie[:40]}")
        elif title_id is None:
            unread.add(line, f"'{text[:40]}'")
        elif found.links.setdefault(kept, title_id) != title_id:
            other.add(line, f"links {kept} to {title_id}, not {found.links[kept]}")
    for place, movie in enumerate(found.titles, 1):
        if title_id := named_by_imdb(movie):
            found.links.setdefault(movie, title_id)
        elif LIKE_IMDBS.fullmatch(movie) and movie not in found.links:
            unread.add(place, f"'{movie[:40]}'", "title")
    why = {"torn": torn, "no IMDb id": unread, "another id for the same movie": other}
    why["of a movie that is not listed"] = unlisted
    found.notes += [
        f"links left out, {what}: {aside}" for what, aside in why.items() if aside.count
    ]


def _refuse_useless(release: RatingsFolder, catalogue: Catalogue, ratings: RatingsPass) -> None:
    """Raise SourceError where a file holds no row, or none that can be used."""
    files = release.files
    path = files[release.form.ratings.file]
    if not ratings.rows:
        raise _nothing_in(path, ratings.torn)
    if not catalogue.titles:
        notes = f" ({'; '.join(catalogue.notes)})" if catalogue.notes else ""
        raise SourceError(
            f"{files[release.form.titles.file]} holds no rows{notes}", "give a whole release"
        )
    if ratings.refused_rows == ratings.rows:
        raise SourceError(
            f"{path}: none of its {ratings.rows} rows is a rating: {'; '.join(ratings.notes())}",
            "mend the file, or set the scale ([ratings] lowest, highest); "
            "docs/guides/ratings.md says what a rating is",
        )


def _nothing_in(path: Path, torn: Aside) -> SourceError:
    why = f" that can be read: {torn}" if torn.count else ""
    return SourceError(f"{path} holds no rows{why}", "give a whole release")


def _refuse_strangers(release: RatingsFolder, reading: Reading) -> None:
    """Raise SourceError where the two files have no title in common."""
    listed, rated = reading.catalogue.titles, reading.sound_movies()
    if not any(movie in listed for movie in rated):
        path = release.files[release.form.titles.file]
        raise SourceError(
            f"{path} lists none of the {len(rated)} rated titles: it lists "
            f"{', '.join(list(listed)[:3])}, and rated are {', '.join(rated[:3])}",
            "both files must name titles by the same ids",
        )


def write_candidates(folder: Path, target: Path) -> int:
    """Write which titles are worth a page, `title_id,rated_count`, most rated first; how many."""
    rows: list[tuple[int, str]] = []
    if found := _read_if_linked(folder):
        rated = found.ratings.rated
        rows = [(rated[movie], title) for movie, title in found.catalogue.links.items()]
    rows.sort(key=lambda row: (-row[0], row[1]))
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("title_id", "rated_count"))
        writer.writerows((title, count) for count, title in rows)
    return len(rows)


def linked_titles(folder: Path) -> dict[str, str]:
    """The release's own ids of titles to IMDb's, as `load_release` links the two."""
    found = _read_if_linked(folder)
    return found.catalogue.links if found else {}


def _read_if_linked(folder: Path) -> Reading | None:
    """The release as the loader reads it; None where no title is linked, whatever its ids are.

    Whether ids are numbers or text, the ratings say too: the list of titles alone does not tell
    which of them are linked.
    """
    release = recognise(folder)
    if not any(read_catalogue(release, is_text).links for is_text in (False, True)):
        return None
    return read_release(release)


def _write(path: Path, header: Cells, rows: Iterable[Cells]) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        out.writelines("\t".join(row) + "\n" for row in (header, *rows))
