"""Read a whole ratings release: every row in canonical spelling, checked and counted.

`ratings_release` writes the result to the lake; benchmarks read it as arrays. One pass reads the
ratings (`RatingsPass`), one the list of titles (`read_listed_titles`). A second pass follows where
the start of a file suggests the wrong kind of id. A refused row is counted under its reason, with
examples.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path

from marquee.errors import SourceError
from sources.ratings_cells import (
    MISSING,
    NEGATIVE_MOVIE,
    NEGATIVE_USER,
    NO_NUMBER,
    NO_STARS,
    NO_TIME,
    OUT_OF_TIME,
    IdSpellings,
    Spellings,
    StarSpellings,
    TimeSpellings,
    outside,
)
from sources.ratings_forms import (
    RATING_COLUMNS,
    ListedTitles,
    RatingsFolder,
    Row,
    read_listed_titles,
)
from sources.tables import RowsAside

Scale = tuple[float, float]
ANY_SCALE: Scale = (-inf, inf)
YEAR_1971 = 31_536_000
"""UTC seconds; times that all lie before are probably no seconds, but days like 20050402."""


def read_release(
    release: RatingsFolder, scale: Scale = ANY_SCALE, target: Path | None = None
) -> ReleaseContent:
    """Read a whole release, and write its ratings to `target` in the lake's form.

    A column of ids is text where more than half of its ids are no whole numbers. In a column of
    numbers a word is a fault; in a column of text a number is a name. The first batch suggests the
    kind of each column. Where the whole file shows another kind, the release is read again. Raises
    SourceError where no row is a rating, no title is listed, or the two files share no title.
    """
    start = RatingsPass(release)
    next(start.batches(), None)
    ratings, listed = start, read_listed_titles(release)
    text_ids = _columns_of_text_ids(start, listed)
    for _ in range(2):
        if listed.is_text != ("titles" in text_ids):
            listed = read_listed_titles(release, "titles" in text_ids)
        ratings = RatingsPass(release, text_ids, listed.titles, scale)
        _write_ratings(ratings, target)
        found = _columns_of_text_ids(ratings, listed)
        if found == text_ids:
            break
        text_ids = found
    _refuse_empty(release, listed, ratings)
    listed.resolve_shared_links(ratings.rated)
    content = ReleaseContent(Census(ratings.rows, ratings.times.last, text_ids), listed, ratings)
    _refuse_unrelated_files(release, content)
    return content


@dataclass(frozen=True)
class Census:
    """The numbers of a release."""

    rows: int
    last_time: int
    """UTC seconds of the last valid rating."""
    text_ids: tuple[str, ...] = ()
    """Those of `users` and `titles` whose ids are text instead of whole numbers."""


@dataclass(frozen=True)
class ReleaseContent:
    """The result of reading a release."""

    census: Census
    listed: ListedTitles
    ratings: RatingsPass

    def notes(self) -> list[str]:
        """Refused rows, left-out rows and doubtful times, in sentences for a person."""
        found = [f"ratings refused: {note}" for note in self.ratings.notes()]
        if self.census.rows and self.census.last_time < YEAR_1971:
            found.append(
                f"the latest time is {self.census.last_time}, in 1970: times count seconds since "
                "then; write a day as 2005-04-02, not as 20050402"
            )
        if self.ratings.torn.count:
            found.append(f"rows of ratings left out: {self.ratings.torn}")
        unlisted = [movie for movie in self.rated_movies() if movie not in self.listed.titles]
        if unlisted:
            rows = sum(self.ratings.rated[movie] for movie in unlisted)
            found.append(
                f"{len(unlisted)} of {len(self.rated_movies())} rated titles are not in the list "
                f"of titles ({rows} ratings; {', '.join(unlisted[:3])}): they have no name"
            )
        return found + self.listed.notes

    def rated_movies(self) -> list[str]:
        """The valid ids of movies with a rating."""
        return [m for m in self.ratings.rated if m not in self.ratings.movies.faults]


class RatingsPass:
    """One pass over a release's ratings: its rows in canonical spelling, and their counts.

    `text_ids`: those of `users` and `titles` whose ids are text; `listed`: the listed movie ids.
    """

    def __init__(
        self,
        release: RatingsFolder,
        text_ids: Sequence[str] = (),
        listed: Iterable[str] = (),
        scale: Scale = ANY_SCALE,
    ) -> None:
        self.release = release
        self.users = IdSpellings(NEGATIVE_USER, "users" in text_ids)
        self.movies = IdSpellings(NEGATIVE_MOVIE, "titles" in text_ids, listed)
        self.stars, self.times = StarSpellings(scale), TimeSpellings()
        self.rules = (
            *(MISSING, NO_NUMBER, NEGATIVE_MOVIE, NEGATIVE_USER, NO_STARS),
            *(outside(*scale), NO_TIME, OUT_OF_TIME),
        )
        self.rows = 0
        self.rated: Counter[str] = Counter()
        """Movie id to its number of ratings."""
        self.refused: dict[str, RowsAside] = {}
        """Rows that are no ratings, by the first rule that they break."""
        self.torn = RowsAside()

    def batches(self) -> Iterator[list[list[str]]]:
        """Batches of the four columns of `RATING_COLUMNS`, refused rows included."""
        columns_of: tuple[Spellings, ...] = (self.users, self.movies, self.stars, self.times)
        for lines, columns in self.release.ratings(self.torn):
            batch = [of.canonical(column) for of, column in zip(columns_of, columns)]
            self.rows += len(lines)
            self.rated.update(batch[1])
            faults = [of.faults for of in columns_of]
            if any(faults):
                self._refuse(lines, batch, faults)
            yield batch

    def valid_rows(self) -> Iterator[Row]:
        """The rows that are ratings, one by one."""
        for batch in self.batches():
            faults = [of.faults for of in (self.users, self.movies, self.stars, self.times)]
            for row in zip(*batch):
                if not any(map(dict.__contains__, faults, row)):
                    yield row

    def _refuse(
        self,
        lines: Sequence[int],
        batch: Sequence[Sequence[str]],
        faults: Sequence[Mapping[str, str]],
    ) -> None:
        faulty = [pair for pair in zip(batch, faults) if pair[1]]
        bad = {at for column, of in faulty for at, value in enumerate(column) if value in of}
        for at in sorted(bad):
            reasons = [of[column[at]] for column, of in faulty if column[at] in of]
            first = min(reasons, key=self.rules.index)
            row = ",".join(column[at] for column in batch)
            self.refused.setdefault(first, RowsAside()).add(lines[at], f"({row[:100]})")

    @property
    def refused_rows(self) -> int:
        """The number of rows that are no ratings."""
        return sum(aside.count for aside in self.refused.values())

    def notes(self) -> list[str]:
        """The reasons of refused rows in sentences, the most frequent first."""
        often = sorted(self.refused.items(), key=lambda pair: -pair[1].count)
        return [f"{why}: {aside}" for why, aside in often]


def _columns_of_text_ids(ratings: RatingsPass, listed: ListedTitles) -> tuple[str, ...]:
    users = ("users",) if ratings.users.is_mostly_words else ()
    is_text = ratings.movies.is_mostly_words or listed.is_mostly_words
    return (*users, "titles") if is_text else users


def _write_ratings(ratings: RatingsPass, target: Path | None) -> None:
    if target is None:
        for _ in ratings.batches():
            pass
        return
    with target.open("w", encoding="utf-8", newline="") as out:
        out.write("\t".join(RATING_COLUMNS) + "\n")
        for columns in ratings.batches():
            out.write("\n".join(map("\t".join, zip(*columns))) + "\n")


def _refuse_empty(release: RatingsFolder, listed: ListedTitles, ratings: RatingsPass) -> None:
    """Raise SourceError where a file holds no usable row."""
    files = release.files
    path = files[release.form.ratings.file]
    if not ratings.rows:
        raise _nothing_in(path, ratings.torn)
    if not listed.titles:
        notes = f" ({'; '.join(listed.notes)})" if listed.notes else ""
        raise SourceError(
            f"{files[release.form.titles.file]} holds no rows{notes}", "give a whole release"
        )
    if ratings.refused_rows == ratings.rows:
        raise SourceError(
            f"{path}: none of its {ratings.rows} rows is a rating: {'; '.join(ratings.notes())}",
            "mend the file, or set the scale ([ratings] lowest, highest); "
            "docs/guides/ratings.md says what a rating is",
        )


def _nothing_in(path: Path, torn: RowsAside) -> SourceError:
    why = f" that can be read: {torn}" if torn.count else ""
    return SourceError(f"{path} holds no rows{why}", "give a whole release")


def _refuse_unrelated_files(release: RatingsFolder, content: ReleaseContent) -> None:
    """Raise SourceError where the two files have no title in common."""
    listed, rated = content.listed.titles, content.rated_movies()
    if not any(movie in listed for movie in rated):
        path = release.files[release.form.titles.file]
        raise SourceError(
            f"{path} lists none of the {len(rated)} rated titles: it lists "
            f"{', '.join(list(listed)[:3])}, and rated are {', '.join(rated[:3])}",
            "both files must name titles by the same ids",
        )
