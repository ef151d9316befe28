"""What a film costs in this world: a few thresholds, and money of its country and era.

No linear model fits it: a director's scale counts for much except in a documentary or a horror
film, big action films jump in 1995, and of the films people praise the action films are the dear
ones and all others the cheap ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from replica.world.title import Money, WorldTitle

PRICE_GROWTH = 0.0135
"""log10 dollars a year by which money loses its worth (about 3.2 %)."""
PRAISED = 6.6
"""IMDb-like rating from which a film counts as praised."""


@dataclass(frozen=True)
class Country:
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


def budget(
    log_cost: float, year: int, country: Country, rng: np.random.Generator, noise: float
) -> Money:
    """The cost in the country's money of that year, rounded as producers round."""
    return _money(log_cost + rng.normal(0.0, noise), year, country)


def in_2020(title: WorldTitle) -> float:
    """log10 of 2020 dollars of a title's budget, which must be there."""
    assert title.budget is not None
    _, units = _rate(_COUNTRY[title.country], title.year)
    return math.log10(title.budget["amount"] / units) - PRICE_GROWTH * (title.year - 2020)


def at_home(log_cost: float, title: WorldTitle) -> Money:
    """A cost (log10 of 2020 dollars) in the money of a title's country and year."""
    return _money(log_cost, title.year, _COUNTRY[title.country])


def _money(log_cost: float, year: int, country: Country) -> Money:
    currency, units = _rate(country, year)
    dollars = 10 ** (log_cost + PRICE_GROWTH * (year - 2020))
    return Money(amount=_two_figures(dollars * units), currency=currency)


def _rate(country: Country, year: int) -> tuple[str, float]:
    """Currency, and its units a dollar."""
    return [(c, u) for first, c, u in country.money if first <= year][-1]


def _two_figures(amount: float) -> int:
    step = 10 ** (math.floor(math.log10(amount)) - 1)
    return int(round(amount / step) * step)
