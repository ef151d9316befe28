"""The titles of the synthetic world: who made what when, what it is about, what it costs.

`make_world` calls it, before tastes and ratings are drawn (`world_ratings`). Names, titles and
plots are drawn from the words of `world_words.toml`.
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
    GENRES,
    LAST_RELEASE,
    Country,
    Money,
    Shape,
    draw_budget,
    median_cost,
)

WORDS: dict[str, list[str]] = tomllib.loads(
    Path(__file__).with_name("world_words.toml").read_text("utf-8")
)
"""Words by what they are for: given and family names, companies, what plots are about …"""


class Name(TypedDict):
    """Somebody credited, as `titles.jsonl` holds them."""

    name_id: str
    name: str


@dataclass(frozen=True)
class WorldTitle:
    """The public facts of one title; `quality`, `fame` and `scale` stay inside the generator."""

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
    """Titles in the order of their movie ids, with what only the generator knows of them."""

    rows: list[WorldTitle]
    quality: np.ndarray
    """[titles] standard normal: how good a title is."""
    fame: np.ndarray
    """[titles] standard normal: how widely it is known."""
    director: np.ndarray
    """[titles] the row of its first director."""


@dataclass(frozen=True)
class Director:
    """A director with a career, a country and a taste in genres."""

    name: Name
    country: Country
    favourites: tuple[str, ...]
    scale: float
    """How big this director's titles tend to be: about -0.6 (small) to 0.6 (big)."""
    first_year: int
    last_year: int


def make_titles(shape: Shape) -> WorldTitles:
    """Every title of the world; the same shape gives the same titles."""
    directors = _draw_directors(shape)
    rng = shape.generator("titles")
    quality = rng.normal(size=shape.titles)
    fame = 0.45 * quality + 0.9 * rng.normal(size=shape.titles)
    # Every director has one title before any has two, so all of them are seen.
    order = np.arange(shape.titles) % len(directors)
    rng.shuffle(order)
    writers = _draw_names(rng, max(4, shape.titles // 2), 6_000_001)
    actors = _draw_names(rng, max(8, shape.titles), 7_000_001)
    names = _draw_names_of_titles(rng, shape.titles)
    ids = _ids(rng, shape.titles)
    titles = [
        _title(
            _Core(names[k], *ids[k], float(quality[k]), float(fame[k])),
            directors[order[k]],
            _Credits(directors, writers, actors),
            rng,
            shape.budget_noise,
        )
        for k in range(shape.titles)
    ]
    return WorldTitles(titles, quality, fame, order)


def _draw_directors(shape: Shape) -> list[Director]:
    rng = shape.generator("directors")
    names = _draw_names(rng, shape.directors, 5_000_001)
    return [_director(name, rng) for name in names]


def _director(name: Name, rng: np.random.Generator) -> Director:
    share = np.array([c.share for c in COUNTRIES])
    last = min(LAST_RELEASE.year, int(rng.integers(FIRST_YEAR + 18, LAST_RELEASE.year + 14)))
    return Director(
        name=name,
        country=COUNTRIES[rng.choice(len(COUNTRIES), p=share / share.sum())],
        favourites=tuple(rng.choice(list(GENRES), size=2, replace=False).tolist()),
        scale=float(rng.choice([-0.6, 0.0, 0.55], p=[0.35, 0.35, 0.3]) + rng.normal(0, 0.06)),
        first_year=max(FIRST_YEAR, last - int(rng.integers(15, 30))),
        last_year=last,
    )


def _ids(rng: np.random.Generator, count: int) -> list[tuple[int, str]]:
    """Ascending movie ids with gaps, and seven-digit title ids without an order."""
    movie_ids = np.cumsum(rng.integers(1, 4, count)).tolist()
    numbers = rng.permutation(9 * count)[:count] + 100_000
    return [(m, f"tt{n:07d}") for m, n in zip(movie_ids, numbers.tolist(), strict=True)]


@dataclass(frozen=True)
class _Core:
    """What is drawn for all titles at once, of one of them."""

    title: str
    movie_id: int
    title_id: str
    quality: float
    fame: float


@dataclass(frozen=True)
class _Credits:
    """Everybody a title may credit."""

    directors: list[Director]
    writers: list[Name]
    actors: list[Name]


def _title(
    core: _Core, director: Director, people: _Credits, rng: np.random.Generator, noise: float
) -> WorldTitle:
    genres = _genres(rng, director.favourites)
    released = _release(rng, director)
    rating = round(float(np.clip(6.3 + 1.0 * core.quality + 0.2 * rng.normal(), 1.3, 9.4)), 1)
    kind = str(rng.choice(["movie", "tvSeries", "tvEpisode"], p=[0.955, 0.03, 0.015]))
    cost = median_cost(genres, director.scale, rating, released.year)
    money = draw_budget(cost, released.year, director.country, rng, noise)
    priced = kind == "movie" and rng.random() >= 0.06
    return WorldTitle(
        movie_id=core.movie_id,
        title_id=core.title_id,
        title=core.title,
        type=kind,
        release_date=released,
        runtime=_runtime(rng, genres, kind),
        directors=_with_guest(rng, director, people.directors),
        writers=_some(rng, people.writers, 1, 3),
        cast=_some(rng, people.actors, 3, 7),
        genres=genres,
        rating=rating,
        vote_count=int(10 ** (4.2 + 0.6 * core.fame + 0.1 * rng.normal())) + 5,
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
    """One to three genres; half of the time the first is one of the director's favourites."""
    names = list(GENRES)
    share = np.array(list(GENRES.values()))
    first = str(rng.choice(favourites)) if rng.random() < 0.5 else _one_genre(rng, names, share)
    if first == "Documentary":
        return (first,)
    others = {_one_genre(rng, names, share) for _ in range(rng.integers(0, 3))}
    return (first, *sorted(others - {first, "Documentary"}))


def _one_genre(rng: np.random.Generator, names: list[str], share: np.ndarray) -> str:
    return str(rng.choice(names, p=share / share.sum()))


def _release(rng: np.random.Generator, director: Director) -> date:
    """A day in the director's career, later years a little likelier."""
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
    """`count` people with ids from `first_id` on; no name repeats while the lists last."""
    given, family = WORDS["given"], WORDS["family"]
    pairs = rng.permutation(len(given) * len(family))
    return [
        Name(
            name_id=f"nm{first_id + k:07d}",
            name=f"{given[pair % len(given)]} {family[pair // len(given)]}",
        )
        for k, pair in enumerate(pairs[np.arange(count) % len(pairs)].tolist())
    ]


def _draw_names_of_titles(rng: np.random.Generator, count: int) -> list[str]:
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
    """One sentence: a hero, a task, a deadline."""
    hero, task, deadline = (str(rng.choice(WORDS[w])) for w in ("heroes", "tasks", "deadlines"))
    return f"A {hero} must {task} {deadline}."
