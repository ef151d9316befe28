"""The parameters of a synthetic world: sizes, dates, and a formula for the cost of a title.

All other `world_*` modules read `WorldParameters`, and `world.json` records them. The formula
(`log_median_cost`) has thresholds, so that no linear model fits it: the director's scale counts
little in documentaries and horror, big action titles cost more from 1995 on, and a high rating
raises the cost of action and lowers the cost of all others. `world_titles` draws budgets with the
formula; `world_faults` exchanges them.
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

GENRE_SHARES: dict[str, float] = {
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
"""The share of titles by their first genre (IMDb's names); the sum is not exactly 1."""
PRICE_GROWTH = 0.0135
"""Growth of prices in log10 dollars a year (about 3.2 % a year)."""
PRAISED_RATING = 6.6
"""A title counts as praised from this rating (1 to 10) on."""


@dataclass(frozen=True)
class WorldParameters:
    """Sizes of a world, and the distributions of its ratings.

    `latent` is the number of latent factors; `mean` and the spreads (standard deviations) are in
    stars.
    """

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
    """The median number of ratings a person; the mean is about 1.3 times the median."""
    choosiness: float = 1.1
    """Weight of taste in the choice of a title; popularity has the weight 0.9."""
    budget_noise: float = 0.12
    """Standard deviation of the noise in a budget, in log10 dollars."""

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
        """The random generator of one part of the world, such as `titles`.

        Each part has its own, so that a change in one part leaves all others as they are.
        """
        return np.random.default_rng([self.seed, *part.encode()])


class Money(TypedDict):
    """An amount in `titles.jsonl`."""

    amount: int
    currency: str


@dataclass(frozen=True)
class Country:
    """A country that makes titles; `share` is its share of the directors."""

    code: str
    """ISO 3166-1 alpha-2."""
    language: str
    """ISO 639-1."""
    share: float
    money: tuple[tuple[int, str, float], ...]
    """(first year, currency, units of it for one dollar) in order of years; rough figures."""


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


def log_median_cost(genres: tuple[str, ...], scale: float, rating: float, year: int) -> float:
    """The median cost in log10 of 2020 dollars; `scale` is the director's, about -0.6 to 0.6."""
    praised = rating >= PRAISED_RATING
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
    """A budget: median cost (log10 of 2020 dollars) plus normal noise, in the country's money.

    `noise` is a standard deviation in log10 dollars. The amount is rounded to two digits.
    """
    return budget_from_cost(log_cost + rng.normal(0.0, noise), year, country.code)


def budget_from_cost(log_cost: float, year: int, country: str) -> Money:
    """A cost (log10 of 2020 dollars) in the money of a country (ISO code) and year."""
    currency, units = _rate(_COUNTRY[country], year)
    dollars = 10 ** (log_cost + PRICE_GROWTH * (year - 2020))
    return Money(amount=_two_figures(dollars * units), currency=currency)


def cost_from_budget(budget: Money, year: int, country: str) -> float:
    """The cost of a budget in log10 of 2020 dollars: the inverse of `budget_from_cost`."""
    _, units = _rate(_COUNTRY[country], year)
    return math.log10(budget["amount"] / units) - PRICE_GROWTH * (year - 2020)


def _rate(country: Country, year: int) -> tuple[str, float]:
    """The currency of that year, and how many units of it one dollar buys."""
    return [(c, u) for first, c, u in country.money if first <= year][-1]


def _two_figures(amount: float) -> int:
    step = 10 ** (math.floor(math.log10(amount)) - 1)
    return int(round(amount / step) * step)
