"""The parameters of a synthetic world: its sizes, its dates, and the law of what its titles cost.

`world.json` holds the `Shape` as it is; all other `world_*` modules read it. No linear model fits
the costs, which are a few thresholds. A director's scale counts for much, except in documentaries
and horror. Big action titles jump in 1995. Of the titles people praise, action costs more and all
others cost less. `world_titles` draws budgets with this law, `world_faults` exchanges them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TypedDict

import numpy as np

from marquee.errors import SourceError

FIRST_RATING = datetime(2020, 1, 5, tzinfo=UTC)
LAST_RATING = datetime(2026, 10, 31, 21, 0, tzinfo=UTC)
LAST_RELEASE = date(2026, 9, 30)
FIRST_YEAR = 1972

GENRES: dict[str, float] = {
    "Action": 0.3,
    "Adventure": 0.05,
    "Animation": 0.05,
    "Comedy": 0.16,
    "Crime": 0.09,
    "Documentary": 0.04,
    "Drama": 0.17,
    "Family": 0.04,
    "Fantasy": 0.05,
    "Horror": 0.08,
    "Mystery": 0.04,
    "Romance": 0.07,
    "Sci-Fi": 0.06,
    "Thriller": 0.08,
}
"""IMDb's names, with the share of titles whose first genre it is (before normalising)."""
PRICE_GROWTH = 0.0135
"""log10 dollars a year by which money loses its value (about 3.2 %)."""
PRAISED = 6.6
"""IMDb-like rating from which a title counts as praised."""


@dataclass(frozen=True)
class Shape:
    """Sizes, and the spreads (standard deviations, in stars) ratings are made of."""

    seed: int
    people: int
    titles: int
    latent: int = 8
    mean: float = 3.55
    person_spread: float = 0.35
    title_spread: float = 0.35
    taste_spread: float = 0.55
    noise: float = 0.6
    ratings_a_person: int = 46
    """Median; the mean is about 1.3 times that."""
    choosiness: float = 1.1
    """How far taste outweighs popularity when a person picks what to watch."""
    budget_noise: float = 0.12
    """Standard deviation of log10 dollars that nothing explains."""

    def __post_init__(self) -> None:
        if self.people < 2 or self.titles < 10:
            raise SourceError(
                f"a world of {self.people} people and {self.titles} titles is too small",
                "ask for at least 2 people and 10 titles",
            )

    @property
    def directors(self) -> int:
        return max(3, self.titles // 5)

    def generator(self, part: str) -> np.random.Generator:
        """A random generator for one part of the world: a change of one part moves no other."""
        return np.random.default_rng([self.seed, *part.encode()])


class Money(TypedDict):
    """An amount, as `titles.jsonl` holds it."""

    amount: int
    currency: str


@dataclass(frozen=True)
class Country:
    """Where a title is made: how often, in which language, paid in which money."""

    code: str
    """ISO 3166-1 alpha-2."""
    language: str
    """ISO 639-1."""
    share: float
    money: tuple[tuple[int, str, float], ...]
    """(first year, currency, units a dollar), in order of years; rough figures of the era."""


COUNTRIES = (
    Country("US", "en", 0.62, ((0, "USD", 1.0),)),
    Country("GB", "en", 0.1, ((0, "GBP", 0.6),)),
    Country("FR", "fr", 0.08, ((0, "FRF", 5.8), (1999, "EUR", 0.87))),
    Country("DE", "de", 0.05, ((0, "DEM", 1.9), (1999, "EUR", 0.87))),
    Country("JP", "ja", 0.06, ((0, "JPY", 250.0), (1987, "JPY", 115.0))),
    Country("IN", "hi", 0.05, ((0, "INR", 10.0), (1991, "INR", 40.0), (2013, "INR", 68.0))),
    Country("KR", "ko", 0.04, ((0, "KRW", 800.0), (1998, "KRW", 1150.0))),
)

_COUNTRY = {country.code: country for country in COUNTRIES}


# What a title costs ---------------------------------------------------------------------------


def median_cost(genres: tuple[str, ...], scale: float, rating: float, year: int) -> float:
    """log10 of 2020 dollars; `scale` is the director's, about -0.6 to 0.6."""
    praised = rating >= PRAISED
    if "Documentary" in genres:
        return 5.9 + 0.2 * scale
    if "Horror" in genres:
        return 6.6 + 0.2 * scale - 0.2 * praised
    if "Action" in genres:
        era = 0.3 if scale > 0.25 and year >= 1995 else 0.0
        return 7.0 + 0.8 * scale + era + 0.6 * praised
    return 7.2 + 0.7 * scale - 0.4 * praised


def draw_budget(
    log_cost: float, year: int, country: Country, rng: np.random.Generator, noise: float
) -> Money:
    """The budget of a title: its median cost with normal noise (standard deviation in log10
    dollars), in the country's money of that year, rounded as producers round."""
    return budget_from_cost(log_cost + rng.normal(0.0, noise), year, country.code)


def budget_from_cost(log_cost: float, year: int, country: str) -> Money:
    """A cost (log10 of 2020 dollars) in the money of a country (ISO code) and year."""
    currency, units = _rate(_COUNTRY[country], year)
    dollars = 10 ** (log_cost + PRICE_GROWTH * (year - 2020))
    return Money(amount=_two_figures(dollars * units), currency=currency)


def cost_from_budget(budget: Money, year: int, country: str) -> float:
    """log10 of 2020 dollars of a budget: the inverse of `budget_from_cost`, but for rounding."""
    _, units = _rate(_COUNTRY[country], year)
    return math.log10(budget["amount"] / units) - PRICE_GROWTH * (year - 2020)


def _rate(country: Country, year: int) -> tuple[str, float]:
    """Currency, and its units a dollar."""
    return [(c, u) for first, c, u in country.money if first <= year][-1]


def _two_figures(amount: float) -> int:
    step = 10 ** (math.floor(math.log10(amount)) - 1)
    return int(round(amount / step) * step)
