"""Which currency an amount is in where its source does not say.

Every currency the film's countries used that year is a candidate, and the dollar, and the euro
beside it in Europe. Each is weighed by how often budgets of such films are stated in it, times how
plausible the amount then is as a film's cost (a normal in log10 dollars of 2015). The best
candidate's share of all the weight is the confidence. A pound film's 5,000,000 stays in doubt (two
readings, a factor of 1.6 apart); a Korean film's 12,215,500,000 does not.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from marquee.money.prices import PriceIndex
from marquee.money.rates import DOLLAR, RateTable

CERTAIN = 0.98
"""The least confidence at which a reading may be used."""
PRICE_YEAR = 2015
MOST = 400e6
"""Dollars of 2015; no film cost more. What would have is not in that currency."""
LEAST = 100.0
"""Dollars of 2015; home-made films cost hundreds."""
AT_HOME, ABROAD = (7.3, 0.8), (6.6, 0.65)
"""Mean and deviation of log10 cost in dollars of 2015: American films, and all others."""
OWN, DOLLARS, EUROS, OTHERS = 0.6, 0.35, 0.1, 0.005
"""How often a film not American has its budget stated in its own money, in dollars, in euro where
its neighbours pay in euro, in euro elsewhere."""
_EUROPE = "AL AM BG CH CY CZ DK EE GB GE HR HU IS LT LV MK MT NO PL RO RS RU SE SI SK TR UA"
EUROPE = frozenset(_EUROPE.split())
EURO = "EUR"


@dataclass(frozen=True)
class Reading:
    """The likeliest currency, its share of the weight from 0 to 1, and a sentence for people."""

    currency: str | None
    confidence: float
    reason: str

    @property
    def is_certain(self) -> bool:
        return self.confidence >= CERTAIN


def read_unlabelled(
    amount: float, countries: Sequence[str], year: int | None, rates: RateTable, prices: PriceIndex
) -> Reading:
    """The currency of `amount` for a film of these countries (ISO 3166-1) released in `year`."""
    if not countries:
        return Reading(None, 0.0, "no country says the currency")
    if year is None and {*countries} != {"US"}:
        return Reading(None, 0.0, "no year says which currency circulated")
    year = PRICE_YEAR if year is None else year  # America's has been the dollar all along
    weights = {}
    for currency, prior in _priors(countries, year).items():
        real = _real_dollars(amount, currency, year, rates, prices)
        if real is None:
            return Reading(None, 0.0, f"no exchange rate for {currency} in {year} to compare with")
        weights[currency] = prior * _density(real, set(countries) == {"US"})
    return _weighed(weights, amount, countries)


def currencies_of(country: str, year: int) -> list[str]:
    """What circulated in a country in a year; two where one replaced the other."""
    return [code for code, first, last in _circulation().get(country, ()) if first <= year <= last]


def _priors(countries: Sequence[str], year: int) -> dict[str, float]:
    """How likely each currency is before the amount is looked at."""
    own = [code for country in countries for code in currencies_of(country, year)]
    if len(own) < len(countries):
        own.append("?")  # a country whose money of that year we do not know
    if set(own) == {DOLLAR}:
        return {DOLLAR: 1.0}
    is_european = any(country in EUROPE for country in countries) and year >= 1999
    priors = {DOLLAR: DOLLARS}
    if year >= 1999:
        priors[EURO] = EUROS if is_european else OTHERS
    for code in own:
        priors[code] = priors.get(code, 0.0) + OWN / len(own)
    return priors


def _real_dollars(
    amount: float, currency: str, year: int, rates: RateTable, prices: PriceIndex
) -> float | None:
    dollars = rates.dollars(amount, currency, year)
    return None if dollars is None else dollars.amount * prices.factor(year, PRICE_YEAR)


def _density(dollars: float, is_american: bool) -> float:
    if not LEAST <= dollars <= MOST:
        return 0.0
    mean, deviation = AT_HOME if is_american else ABROAD
    return math.exp(-(((math.log10(dollars) - mean) / deviation) ** 2) / 2)


def _weighed(weights: dict[str, float], amount: float, countries: Sequence[str]) -> Reading:
    best, total = max(weights, key=lambda code: weights[code]), sum(weights.values())
    where = f"{amount:,.0f} of a film of {', '.join(countries)}"
    if not total:
        return Reading(None, 0.0, f"{where} is plausible in none of {', '.join(weights)}")
    share = weights[best] / total
    if share >= CERTAIN:
        return Reading(best, share, f"{where} is {best}")
    others = ", ".join(code for code in weights if weights[code] and code != best)
    return Reading(best, share, f"{where} may be {best} ({share:.0%}) or {others}")


@cache
def _circulation() -> dict[str, list[tuple[str, int, int]]]:
    text = files("marquee.money").joinpath("data/circulation.csv").read_text(encoding="utf-8")
    found: dict[str, list[tuple[str, int, int]]] = {}
    for row in csv.DictReader(text.splitlines()):
        entry = row["currency"], int(row["first"]), int(row["last"] or 9999)
        found.setdefault(row["country"], []).append(entry)
    return found
