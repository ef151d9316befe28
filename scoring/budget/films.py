"""Films with a budget, read from a split of the titles: what baselines and evaluation work on."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq

from marquee.errors import ContractError
from marquee.money import PriceIndex
from scoring.budget.features import Film, Stages

COLUMNS = [
    "title_id", "title", "year", "directors", "director_names", "genres", "rating", "budget_usd",
]  # fmt: skip
FEWEST_OF_A_GENRE = 3
RECENT, STEADY = 10, 5.0
"""Years that say what is usual, and how many films the mean of all time counts as."""


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
    if wrong := [row for row in rows if not 0 < row["budget_usd"] < math.inf]:
        raise ContractError(
            f"the budget of {wrong[0]['title_id']} in {folder}, {wrong[0]['budget_usd']}, is no "
            "amount of money",
            "split the titles again",
        )
    prices = PriceIndex.load(price_year + 1)
    films = [_film(row, prices, price_year) for row in rows]
    return with_deviations(sorted(films, key=lambda f: (f.year, f.title_id)))


def read_dollars(folder: Path) -> dict[str, float]:
    """Dollars of the release year by title id, as the split states them."""
    rows = pq.read_table(folder, columns=["title_id", "budget_usd"]).to_pylist()
    return {str(row["title_id"]): float(row["budget_usd"]) for row in rows}


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
    """Each film with its budget less what was usual before its year (None in the first).

    Usual is the mean of the ten years before, with the mean of all earlier years counted as
    STEADY further films. `films` are in order of years.
    """
    yearly: dict[int, list[float]] = {}
    for film in films:
        yearly.setdefault(film.year, []).append(film.log_budget)
    usual = {year: _usual(yearly, year) for year in yearly}
    return [replace(film, above_time=_above(film, usual[film.year])) for film in films]


def _above(film: Film, usual: float | None) -> float | None:
    return None if usual is None else film.log_budget - usual


def _usual(yearly: Mapping[int, Sequence[float]], year: int) -> float | None:
    earlier = [value for made, values in yearly.items() if made < year for value in values]
    if not earlier:
        return None
    recent = [v for made, vs in yearly.items() if year - RECENT <= made < year for v in vs]
    mean = math.fsum(earlier) / len(earlier)
    return (math.fsum(recent) + STEADY * mean) / (len(recent) + STEADY)


def fit_stages(films: Sequence[Film], director_smoothing: float) -> Stages:
    """The feature stages of these films."""
    counts = Counter(genre for film in films for genre in set(film.genres))
    genres = sorted(genre for genre, count in counts.items() if count >= FEWEST_OF_A_GENRE)
    years = [film.year for film in films]
    return Stages(tuple(genres), min(years), max(years), director_smoothing, rating_step=0.0)
