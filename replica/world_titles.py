"""Draw the titles of the synthetic world: people, dates, genres, plots, budgets.

`make_world` calls `make_titles` before it draws ratings (`world_ratings`). Names, titles and plots
are made of the words in `world_words.toml`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TypedDict

import numpy as np

from replica.world_parameters import (
    COUNTRIES,
    FIRST_YEAR,
    GENRE_SHARES,
    LAST_RELEASE,
    Country,
    Money,
    WorldParameters,
    draw_budget,
    log_median_cost,
)

WORDS: dict[str, list[str]] = tomllib.loads(
    Path(__file__).with_name("world_words.toml").read_text("utf-8")
)
"""Lists of words by their use: `given` and `family` names, `companies`, `heroes` of plots …"""


class Name(TypedDict):
    """A credited person in `titles.jsonl`."""

    name_id: str
    name: str


@dataclass(frozen=True)
class WorldTitle:
    """One title as `titles.jsonl` publishes it."""

    movie_id: int
    title_id: str
    title: str
    type: str
    release_date: date
    runtime: int
    directors: tuple[Name, ...]
    writers: tuple[Name, ...]
    cast: tuple[Name, ...]
    genres: tuple[str, ...]
    rating: float
    vote_count: int
    budget: Money | None
    gross: Money | None
    country: str
    language: str
    certificate: str
    companies: tuple[str, ...]
    plot: str
    keywords: tuple[str, ...]

    @property
    def year(self) -> int:
        return self.release_date.year


@dataclass(frozen=True)
class WorldTitles:
    """Titles in the order of their movie ids, and what no file publishes of them."""

    rows: list[WorldTitle]
    quality: np.ndarray
    """[titles] standard normal: how good a title is."""
    fame: np.ndarray
    """[titles] standard normal: how widely it is known."""
    director: np.ndarray
    """[titles] the number of the first director, from 0."""


@dataclass(frozen=True)
class Director:
    """A director: country, favourite genres, size of titles, first and last year of work."""

    name: Name
    country: Country
    favourites: tuple[str, ...]
    scale: float
    """Size of this director's titles: about -0.6 (small) to 0.6 (big)."""
    first_year: int
    last_year: int


def make_titles(parameters: WorldParameters) -> WorldTitles:
    """All titles of the world; the same parameters give the same titles."""
    directors = _draw_directors(parameters)
    rng = parameters.generator("titles")
    quality = rng.normal(size=parameters.titles)
    fame = 0.45 * quality + 0.9 * rng.normal(size=parameters.titles)
    # Round robin: every director has at least one title.
    order = np.arange(parameters.titles) % len(directors)
    rng.shuffle(order)
    writers = _draw_names(rng, max(4, parameters.titles // 2), 6_000_001)
    actors = _draw_names(rng, max(8, parameters.titles), 7_000_001)
    names = _draw_title_names(rng, parameters.titles)
    ids = _ids(rng, parameters.titles)
    titles = [
        _title(
            _TitleDraws(names[k], *ids[k], float(quality[k]), float(fame[k])),
            directors[order[k]],
            _People(directors, writers, actors),
            rng,
            parameters.budget_noise,
        )
        for k in range(parameters.titles)
    ]
    return WorldTitles(titles, quality, fame, order)


def _draw_directors(parameters: WorldParameters) -> list[Director]:
    rng = parameters.generator("directors")
    names = _draw_names(rng, parameters.directors, 5_000_001)
    return [_director(name, rng) for name in names]


def _director(name: Name, rng: np.random.Generator) -> Director:
    share = np.array([c.share for c in COUNTRIES])
    last = min(LAST_RELEASE.year, int(rng.integers(FIRST_YEAR + 18, LAST_RELEASE.year + 14)))
    return Director(
        name=name,
        country=COUNTRIES[rng.choice(len(COUNTRIES), p=share / share.sum())],
        favourites=tuple(rng.choice(list(GENRE_SHARES), size=2, replace=False).tolist()),
        scale=float(rng.choice([-0.6, 0.0, 0.55], p=[0.35, 0.35, 0.3]) + rng.normal(0, 0.06)),
        first_year=max(FIRST_YEAR, last - int(rng.integers(15, 30))),
        last_year=last,
    )


def _ids(rng: np.random.Generator, count: int) -> list[tuple[int, str]]:
    """Ascending movie ids with gaps, and title ids in random order."""
    movie_ids = np.cumsum(rng.integers(1, 4, count)).tolist()
    numbers = rng.permutation(9 * count)[:count] + 100_000
    return [(m, f"tt{n:07d}") for m, n in zip(movie_ids, numbers.tolist(), strict=True)]


@dataclass(frozen=True)
class _TitleDraws:
    """Fields of one title that are drawn for all titles together."""

    title: str
    movie_id: int
    title_id: str
    quality: float
    fame: float


@dataclass(frozen=True)
class _People:
    """All people whom a title may credit."""

    directors: list[Director]
    writers: list[Name]
    actors: list[Name]


def _title(
    draws: _TitleDraws, director: Director, people: _People, rng: np.random.Generator, noise: float
) -> WorldTitle:
    genres = _genres(rng, director.favourites)
    released = _release(rng, director)
    rating = round(float(np.clip(6.3 + 1.0 * draws.quality + 0.2 * rng.normal(), 1.3, 9.4)), 1)
    kind = str(rng.choice(["movie", "tvSeries", "tvEpisode"], p=[0.955, 0.03, 0.015]))
    cost = log_median_cost(genres, director.scale, rating, released.year)
    money = draw_budget(cost, released.year, director.country, rng, noise)
    priced = kind == "movie" and rng.random() >= 0.06
    return WorldTitle(
        movie_id=draws.movie_id,
        title_id=draws.title_id,
        title=draws.title,
        type=kind,
        release_date=released,
        runtime=_runtime(rng, genres, kind),
        directors=_with_guest(rng, director, people.directors),
        writers=_some(rng, people.writers, 1, 3),
        cast=_some(rng, people.actors, 3, 7),
        genres=genres,
        rating=rating,
        vote_count=int(10 ** (4.2 + 0.6 * draws.fame + 0.1 * rng.normal())) + 5,
        budget=money if priced else None,
        gross=_gross(rng, money) if priced and rng.random() < 0.8 else None,
        country=director.country.code,
        language=director.country.language,
        certificate=_certificate(rng, genres),
        companies=tuple(
            rng.choice(WORDS["companies"], size=rng.integers(1, 3), replace=False).tolist()
        ),
        plot=_draw_plot(rng),
        keywords=tuple(rng.choice(WORDS["keywords"], size=4, replace=False).tolist()),
    )


def _genres(rng: np.random.Generator, favourites: tuple[str, ...]) -> tuple[str, ...]:
    """One to three genres; in half of the titles the first is one of the director's favourites."""
    names = list(GENRE_SHARES)
    share = np.array(list(GENRE_SHARES.values()))
    first = str(rng.choice(favourites)) if rng.random() < 0.5 else _one_genre(rng, names, share)
    if first == "Documentary":
        return (first,)
    others = {_one_genre(rng, names, share) for _ in range(rng.integers(0, 3))}
    return (first, *sorted(others - {first, "Documentary"}))


def _one_genre(rng: np.random.Generator, names: list[str], share: np.ndarray) -> str:
    return str(rng.choice(names, p=share / share.sum()))


def _release(rng: np.random.Generator, director: Director) -> date:
    """A day in the director's career; later years are a little more likely."""
    span = director.last_year - director.first_year
    year = director.first_year + int(span * rng.random() ** 0.8 + 0.5)
    return min(date(year, 1, 1) + timedelta(days=int(rng.integers(0, 365))), LAST_RELEASE)


def _with_guest(
    rng: np.random.Generator, director: Director, directors: list[Director]
) -> tuple[Name, ...]:
    guest = directors[rng.integers(len(directors))].name
    if rng.random() < 0.05 and guest != director.name:
        return (director.name, guest)
    return (director.name,)


def _some(rng: np.random.Generator, pool: list[Name], low: int, high: int) -> tuple[Name, ...]:
    count = int(rng.integers(low, high + 1))
    chosen = rng.choice(len(pool), size=min(count, len(pool)), replace=False)
    return tuple(pool[k] for k in chosen)


def _runtime(rng: np.random.Generator, genres: tuple[str, ...], kind: str) -> int:
    middle = 45 if kind != "movie" else 122 if "Action" in genres else 104
    return int(max(20, rng.normal(middle, 12)))


def _certificate(rng: np.random.Generator, genres: tuple[str, ...]) -> str:
    if {"Family", "Animation"}.intersection(genres):
        return str(rng.choice(["G", "PG"]))
    if {"Horror", "Crime"}.intersection(genres):
        return "R"
    return str(rng.choice(["PG", "PG-13", "R"], p=[0.2, 0.5, 0.3]))


def _gross(rng: np.random.Generator, money: Money) -> Money:
    amount = money["amount"] * 10 ** rng.normal(0.25, 0.4)
    return Money(amount=int(amount), currency=money["currency"])


def _draw_names(rng: np.random.Generator, count: int, first_id: int) -> list[Name]:
    """`count` people with ids from `first_id` on; names repeat only after all pairs are used."""
    given, family = WORDS["given"], WORDS["family"]
    pairs = rng.permutation(len(given) * len(family))
    return [
        Name(
            name_id=f"nm{first_id + k:07d}",
            name=f"{given[pair % len(given)]} {family[pair // len(given)]}",
        )
        for k, pair in enumerate(pairs[np.arange(count) % len(pairs)].tolist())
    ]


def _draw_title_names(rng: np.random.Generator, count: int) -> list[str]:
    """Titles in four patterns; some begin with an article, which MovieLens moves to the end."""
    qualities, things = WORDS["qualities"], WORDS["things"]
    pairs = rng.permutation(len(qualities) * len(things))[np.arange(count) % 4000]
    return [
        _pattern(int(k), qualities[p % len(qualities)], things[p // len(qualities)], rng)
        for k, p in zip(rng.integers(0, 4, count), pairs.tolist(), strict=True)
    ]


def _pattern(kind: int, quality: str, thing: str, rng: np.random.Generator) -> str:
    if kind == 0:
        return f"The {quality} {thing}"
    if kind == 1:
        return f"{quality} {thing}"
    if kind == 2:
        return f"The {thing} of {rng.choice(WORDS['things'])}"
    return f"{thing}, {quality}" if rng.random() < 0.2 else f"A {quality} {thing}"


def _draw_plot(rng: np.random.Generator) -> str:
    """One sentence, such as `A ferry captain must outrun a rumour on the longest night …`."""
    hero, task, deadline = (str(rng.choice(WORDS[w])) for w in ("heroes", "tasks", "deadlines"))
    return f"A {hero} must {task} {deadline}."
