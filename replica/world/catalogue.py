"""The titles: who directed what when, what it is about, what it cost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from replica.world.budgets import budget, median_cost
from replica.world.genres import draw_genres
from replica.world.people import Director, draw_directors, draw_names
from replica.world.shape import LAST_RELEASE, Shape
from replica.world.title import Money, Name, WorldTitle
from replica.world.words import (
    COMPANIES,
    DEADLINES,
    HEROES,
    KEYWORDS,
    QUALITIES,
    TASKS,
    THINGS,
)


@dataclass(frozen=True)
class Catalogue:
    """Titles in the order of their movie ids, with what only the generator knows of them."""

    titles: list[WorldTitle]
    quality: np.ndarray
    """[titles] standard normal: how good a title is."""
    fame: np.ndarray
    """[titles] standard normal: how widely it is known."""
    director: np.ndarray
    """[titles] the row of its first director."""


def make_catalogue(shape: Shape) -> Catalogue:
    directors = draw_directors(shape)
    rng = shape.stream("titles")
    quality = rng.normal(size=shape.titles)
    fame = 0.45 * quality + 0.9 * rng.normal(size=shape.titles)
    # Every director has one title before any has two, so all of them are seen.
    order = np.arange(shape.titles) % len(directors)
    rng.shuffle(order)
    writers = draw_names(rng, max(4, shape.titles // 2), 6_000_001)
    actors = draw_names(rng, max(8, shape.titles), 7_000_001)
    names = _titles(rng, shape.titles)
    ids = _ids(rng, shape.titles)
    titles = [
        _title(
            _Seed(names[k], *ids[k], float(quality[k]), float(fame[k])),
            directors[order[k]],
            _Pools(directors, writers, actors),
            rng,
            shape.budget_noise,
        )
        for k in range(shape.titles)
    ]
    return Catalogue(titles, quality, fame, order)


@dataclass(frozen=True)
class _Seed:
    title: str
    movie_id: int
    title_id: str
    quality: float
    fame: float


@dataclass(frozen=True)
class _Pools:
    directors: list[Director]
    writers: list[Name]
    actors: list[Name]


def _title(
    seed: _Seed, director: Director, pools: _Pools, rng: np.random.Generator, noise: float
) -> WorldTitle:
    genres = draw_genres(rng, director.favourites)
    released = _release(rng, director)
    rating = round(float(np.clip(6.3 + 1.0 * seed.quality + 0.2 * rng.normal(), 1.3, 9.4)), 1)
    kind = str(rng.choice(["movie", "tvSeries", "tvEpisode"], p=[0.955, 0.03, 0.015]))
    cost = median_cost(genres, director.scale, rating, released.year)
    money = budget(cost, released.year, director.country, rng, noise)
    priced = kind == "movie" and rng.random() >= 0.06
    return WorldTitle(
        movie_id=seed.movie_id,
        title_id=seed.title_id,
        title=seed.title,
        type=kind,
        release_date=released,
        runtime=_runtime(rng, genres, kind),
        directors=_with_guest(rng, director, pools.directors),
        writers=_some(rng, pools.writers, 1, 3),
        cast=_some(rng, pools.actors, 3, 7),
        genres=genres,
        rating=rating,
        vote_count=int(10 ** (4.2 + 0.6 * seed.fame + 0.1 * rng.normal())) + 5,
        budget=money if priced else None,
        gross=_gross(rng, money) if priced and rng.random() < 0.8 else None,
        country=director.country.code,
        language=director.country.language,
        certificate=_certificate(rng, genres),
        companies=tuple(rng.choice(COMPANIES, size=rng.integers(1, 3), replace=False).tolist()),
        plot=_plot(rng),
        keywords=tuple(rng.choice(KEYWORDS, size=4, replace=False).tolist()),
    )


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


def _plot(rng: np.random.Generator) -> str:
    hero, task, deadline = (str(rng.choice(words)) for words in (HEROES, TASKS, DEADLINES))
    return f"A {hero} must {task} {deadline}."


def _titles(rng: np.random.Generator, count: int) -> list[str]:
    """Names in four patterns; some begin with an article, which MovieLens moves to the end."""
    pairs = rng.permutation(len(QUALITIES) * len(THINGS))[np.arange(count) % 4000]
    return [
        _pattern(int(k), QUALITIES[p % len(QUALITIES)], THINGS[p // len(QUALITIES)], rng)
        for k, p in zip(rng.integers(0, 4, count), pairs.tolist(), strict=True)
    ]


def _pattern(kind: int, quality: str, thing: str, rng: np.random.Generator) -> str:
    if kind == 0:
        return f"The {quality} {thing}"
    if kind == 1:
        return f"{quality} {thing}"
    if kind == 2:
        return f"The {thing} of {rng.choice(THINGS)}"
    return f"{thing}, {quality}" if rng.random() < 0.2 else f"A {quality} {thing}"


def _ids(rng: np.random.Generator, count: int) -> list[tuple[int, str]]:
    """Ascending movie ids with gaps, and seven-digit title ids without an order."""
    movie_ids = np.cumsum(rng.integers(1, 4, count)).tolist()
    numbers = rng.permutation(9 * count)[:count] + 100_000
    return [(m, f"tt{n:07d}") for m, n in zip(movie_ids, numbers.tolist(), strict=True)]
