"""A made-up ratings release of any size, in the shape of MovieLens 32M.

MovieLens 32M has 200,948 people and 87,585 titles. The rest of its shape is assumed and was not
compared with the release: at least 20 ratings a person, 159 on average, 73 in the median; half of
all people rated the first title. At 32 million rows this module gives 44 % for the first title. The
head and the tail were set by hand beside ml-latest-small, which has more titles with one rating
(35 % against 10 %) and less in its first hundredth. Smaller releases keep the ratings a person and
have fewer titles, by the power that leads to the 9,724 of ml-latest-small.
`python -m bench.made_up_ratings --rows N [--compare FOLDER]` prints the curve beside a real one.

Every person has one of eight tastes for kinds of titles. People rate in sittings: 20 seconds
between two ratings, weeks between two sittings. Stars are the title's quality, the person's mood,
the taste and noise. All is drawn from one seed, people by people, so memory does not grow with
the rows.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

FULL_ROWS, FULL_PEOPLE, FULL_TITLES = 32_000_204, 200_948, 87_585
TITLE_POWER = 0.38  # from 87,585 titles at 32 million rows to ml-latest-small's at 100,836
FEWEST_A_PERSON, MEDIAN_A_PERSON, SPREAD = 20, 73, 1.39
HEAD, HEAD_SLOPE = 65, 1.05
TAIL, TAIL_SLOPE = 9_000 / FULL_TITLES, 2.47
FEWEST_EXPECTED = 2.0
"""Ratings that the least popular title gets, on average."""
KINDS, TASTES = ("Action", "Comedy", "Documentary", "Drama", "Horror", "Romance", "Sci-Fi"), 8
PEOPLE_AT_ONCE = 2_000
HEAVY = 1_000
"""From so many ratings on, a person's titles are drawn exactly, with a key for every title."""
SECONDS_BETWEEN, A_SITTING, FORTNIGHT = 20, 60, 14 * 86_400
YEAR = 365 * 86_400
START, JOINING_YEARS, MOST_YEARS = 900_000_000, 20, 5

FEWEST_ROWS = 2_000
"""With fewer, a person may rate nearly all titles, and drawing different ones takes for ever."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def number_of_rows(text: str) -> int:
    """The value of `--rows`; ArgumentTypeError unless it is a whole number from FEWEST_ROWS on."""
    if not text.strip().isdecimal() or int(text) < FEWEST_ROWS:
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number from {FEWEST_ROWS} on")
    return int(text)


@dataclass(frozen=True)
class MadeUpWorld:
    """The people and the titles behind a release."""

    rows: int
    seed: int

    @property
    def people(self) -> int:
        """As many for each rating as in MovieLens 32M."""
        return max(2, round(self.rows * FULL_PEOPLE / FULL_ROWS))

    @property
    def titles(self) -> int:
        """See TITLE_POWER; never more than a fifth of the rows."""
        return max(2, min(self.rows // 5, round(FULL_TITLES * self.share**TITLE_POWER)))

    @property
    def share(self) -> float:
        return self.rows / FULL_ROWS

    @cached_property
    def weights(self) -> Floats:
        """How often each title is chosen, [titles], the most rated first."""
        place = np.arange(self.titles)
        head = (1 + place / HEAD) ** -HEAD_SLOPE
        drawn = head * (1 + place / (TAIL * self.titles)) ** -TAIL_SLOPE
        return drawn + FEWEST_EXPECTED * drawn.sum() / self.rows

    @cached_property
    def kinds(self) -> Ints:
        """The kind of each title, [titles]."""
        return np.random.default_rng([self.seed, 1]).integers(0, len(KINDS), self.titles)

    @cached_property
    def liking(self) -> Floats:
        """Stars that each taste adds to a title of each kind, [TASTES, KINDS]."""
        return np.random.default_rng([self.seed, 2]).normal(0, 0.5, (TASTES, len(KINDS)))

    @cached_property
    def quality(self) -> Floats:
        """Stars of each title before taste and noise; popular titles are a little better."""
        drawn = np.random.default_rng([self.seed, 3]).normal(0, 0.4, self.titles)
        popular = np.log(self.weights / self.weights[-1])
        return 3.1 + 0.6 * popular / max(popular[0], 1e-9) + drawn

    @cached_property
    def counts(self) -> Ints:
        """How many titles each person rates, [people]; they add up to `rows`."""
        drawn = np.random.default_rng([self.seed, 4]).lognormal(
            np.log(MEDIAN_A_PERSON - FEWEST_A_PERSON), SPREAD, self.people
        )
        most = self.titles // 2
        least = min(FEWEST_A_PERSON, self.rows // self.people)
        for _ in range(60):  # the cut at both ends moves the sum
            found = np.clip(np.round(drawn), 0, max(0, most - least)).astype(np.int64) + least
            drawn *= 1 + (self.rows - found.sum()) / max(1, (found - least).sum())
        missing, who = int(self.rows - found.sum()), np.argsort(-found, kind="stable")
        places = who[: abs(missing)] if missing > 0 else who[len(who) // 4 :][: abs(missing)]
        found[places] += np.sign(missing)
        found[who[0]] += self.rows - found.sum()
        return found

    def blocks(self) -> Iterator[tuple[Ints, Ints, Floats, Ints]]:
        """Ids of people and titles (from 1 on), stars and times, person by person, in blocks."""
        for first in range(0, self.people, PEOPLE_AT_ONCE):
            rng = np.random.default_rng([self.seed, 5, first])
            counts = self.counts[first : first + PEOPLE_AT_ONCE]
            tastes = rng.integers(0, TASTES, len(counts))
            users, titles = self._titles_of(rng, counts, tastes)
            stars = self._stars(rng, users, titles, tastes)
            yield first + users + 1, titles + 1, stars, self._times(rng, counts)

    def _titles_of(self, rng: np.random.Generator, counts: Ints, tastes: Ints) -> tuple[Ints, Ints]:
        """Rows of people in the block and different titles for each, in the order of watching."""
        found = [np.empty(0, np.int64)] * len(counts)
        for taste in range(TASTES):
            weights = self.weights * np.exp(self.liking[taste][self.kinds])
            ends = np.cumsum(weights / weights.sum())
            for person in np.flatnonzero(tastes == taste):
                found[person] = _drawn(rng, int(counts[person]), weights, ends)
        return np.repeat(np.arange(len(counts)), counts), np.concatenate(found)

    def _stars(self, rng: np.random.Generator, users: Ints, titles: Ints, tastes: Ints) -> Floats:
        mood = rng.normal(0, 0.4, len(tastes))
        liked = self.liking[tastes[users], self.kinds[titles]]
        exact = self.quality[titles] + mood[users] + liked + rng.normal(0, 0.8, len(users))
        return np.clip(np.round(2 * exact) / 2, 0.5, 5.0)

    def _times(self, rng: np.random.Generator, counts: Ints) -> Ints:
        """UTC seconds: a first sitting in JOINING_YEARS, then sittings weeks apart."""
        joined = START + rng.integers(0, JOINING_YEARS * YEAR, len(counts))
        place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        sitting = place // A_SITTING
        gaps = rng.integers(FORTNIGHT // 2, 2 * FORTNIGHT, len(counts))
        gaps = np.minimum(gaps, MOST_YEARS * YEAR // (1 + counts // A_SITTING))
        return (
            np.repeat(joined, counts) + place * SECONDS_BETWEEN + sitting * np.repeat(gaps, counts)
        )


def _drawn(rng: np.random.Generator, n: int, weights: Floats, ends: Floats) -> Ints:
    """`n` different titles; those of large weight tend to come first.

    Heavy people: the n smallest of Exponential / weight (Efraimidis and Spirakis 2006). Others:
    draws until n are different, which has the same distribution.
    """
    if n >= HEAVY:
        keys = rng.exponential(size=len(weights)) / weights
        least = np.argpartition(keys, n - 1)[:n]
        return least[np.argsort(keys[least])]
    found = np.empty(0, np.int64)
    while len(found) < n:
        more = np.searchsorted(ends, rng.random(2 * (n - len(found)) + 8), side="right")
        both = np.concatenate([found, np.minimum(more, len(weights) - 1)])
        found = both[np.sort(np.unique(both, return_index=True)[1])]
    return found[:n]


def write_release(folder: Path, rows: int, seed: int) -> None:
    """Made-up `ratings.csv`, `movies.csv` and `links.csv`."""
    folder.mkdir(parents=True)
    world = MadeUpWorld(rows, seed)
    names = ("userId", "movieId", "rating", "timestamp")
    kinds = (pa.int64(), pa.int64(), pa.float64(), pa.int64())
    options = pa.csv.WriteOptions(quoting_style="none")
    schema = pa.schema(list(zip(names, kinds)))
    with pa.csv.CSVWriter(folder / "ratings.csv", schema, write_options=options) as out:
        for block in world.blocks():
            out.write_table(pa.table(dict(zip(names, block))))
    with (folder / "movies.csv").open("w") as out, (folder / "links.csv").open("w") as links:
        out.write("movieId,title,genres\n")
        links.write("movieId,imdbId,tmdbId\n")
        for m, kind in enumerate(world.kinds.tolist(), 1):
            out.write(f"{m},Film {m} ({1950 + m % 70}),{KINDS[kind]}|{KINDS[m % len(KINDS)]}\n")
            links.write(f"{m},{m:07d},\n")


# The curve


def curve(users: Ints, titles: Ints) -> dict[str, Any]:
    """The figures by which two releases are compared, from the ids of their rows."""
    by_person = np.sort(np.unique(users, return_counts=True)[1])[::-1]
    by_title = np.sort(np.unique(titles, return_counts=True)[1])[::-1]
    return {
        "rows": len(users),
        "people": len(by_person),
        "rated titles": len(by_title),
        "ratings a person: least": int(by_person[-1]),
        "ratings a person: median": float(np.median(by_person)),
        "ratings a person: mean": round(float(by_person.mean()), 1),
        "ratings a person: most": int(by_person[0]),
        "share of people who rated the first title": round(by_title[0] / len(by_person), 3),
        "people of the median title": float(np.median(by_title)),
        "share of ratings in the first 1 % of titles": _share(by_title, 0.01),
        "share of ratings in the first 10 % of titles": _share(by_title, 0.1),
        "titles with one rating": round(float((by_title == 1).mean()), 3),
    }


def _share(counts: Ints, part: float) -> float:
    return round(float(counts[: max(1, int(part * len(counts)))].sum() / counts.sum()), 3)


def main() -> int:
    """Print the curve of the made-up rows, beside a real release's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_836)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--compare", type=Path, help="a ratings release")
    options = parser.parse_args()
    blocks = list(MadeUpWorld(options.rows, options.seed).blocks())
    found = [curve(*(np.concatenate([b[n].astype(np.int32) for b in blocks]) for n in (0, 1)))]
    if options.compare:
        from scoring.recommender.ratings_files import read_any_release

        real = read_any_release(options.compare).ratings
        found.append(curve(real.user_ids, real.movie_ids))
    for name in found[0]:
        print(f"{name:46}" + "".join(f"{one[name]:>14,}" for one in found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
