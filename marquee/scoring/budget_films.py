"""Films with a budget, read from a split of the titles: what baselines and evaluation work on."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq

from marquee.errors import ContractError
from marquee.money import PriceIndex
from marquee.scoring.budget_features import Film, Stages

COLUMNS = [
    "title_id", "title", "year", "directors", "director_names", "genres", "rating", "budget_usd",
]  # fmt: skip
FEWEST_OF_A_GENRE = 3


def read_films(folder: Path, price_year: int) -> list[Film]:
    """The films of a folder of Parquet, oldest first, budgets in log10 dollars of `price_year`.

    `above_time` is filled in from these films alone. ContractError where a column is missing or a
    budget is not there.
    """
    try:
        rows = pq.read_table(folder, columns=COLUMNS).to_pylist()
    except (OSError, ValueError, KeyError) as error:
        raise ContractError(f"{folder} holds no titles: {error}", "prepare them again") from None
    if any(row["budget_usd"] is None or row["year"] is None for row in rows):
        raise ContractError(f"{folder} holds titles without budget or year", "split them again")
    prices = PriceIndex.load(price_year + 1)
    films = [_film(row, prices, price_year) for row in rows]
    return with_deviations(sorted(films, key=lambda f: (f.year, f.title_id)))


def _film(row: dict[str, object], prices: PriceIndex, price_year: int) -> Film:
    year, dollars = int(str(row["year"])), float(str(row["budget_usd"]))
    return Film(
        title_id=str(row["title_id"]),
        title=str(row["title"]),
        year=year,
        directors=_words(row["directors"]),
        director_names=_words(row["director_names"]),
        genres=_words(row["genres"]),
        rating=None if row["rating"] is None else float(str(row["rating"])),
        log_budget=math.log10(dollars * prices.factor(year, price_year)),
        above_time=None,
    )


def _words(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def with_deviations(films: Sequence[Film]) -> list[Film]:
    """Each film with its budget less the mean of all films of earlier years (None in the first).

    `films` are in order of years.
    """
    found: list[Film] = []
    earlier: list[float] = []
    this_year: list[float] = []
    year = None
    for film in films:
        if film.year != year:
            earlier += this_year
            this_year, year = [], film.year
        above = film.log_budget - math.fsum(earlier) / len(earlier) if earlier else None
        found.append(replace(film, above_time=above))
        this_year.append(film.log_budget)
    return found


def fit_stages(films: Sequence[Film], director_smoothing: float) -> Stages:
    """The feature stages of these films."""
    counts = Counter(genre for film in films for genre in set(film.genres))
    genres = sorted(genre for genre, count in counts.items() if count >= FEWEST_OF_A_GENRE)
    years = [film.year for film in films]
    return Stages(tuple(genres), min(years), max(years), director_smoothing, rating_step=0.0)
