"""The likeliest currency of an amount whose source names no currency.

The candidates are the dollar, the euro, and the currencies of the title's countries in its year.
The prior of a candidate is the frequency of budgets in that currency. The likelihood of a candidate
is a normal density of the cost in log10 dollars of 2015. The confidence is the posterior
probability of the best candidate. Examples: 5,000,000 for a British title has a low confidence,
because pounds and dollars differ only by a factor of 1.6; 12,215,500,000 for a Korean title has a
high confidence. The readers of title sources call this module for amounts without a currency.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from marquee.prices.dollars import DOLLAR, PriceIndex, RateTable

CERTAIN = 0.98
"""The least confidence of a currency that a reader uses."""
PRICE_YEAR = 2015
HIGHEST_COST = 400e6
"""Dollars of 2015; no title cost more, so a higher cost excludes the candidate."""
LOWEST_COST = 100.0
"""Dollars of 2015; the cheapest titles cost hundreds."""
AT_HOME, ABROAD = (7.3, 0.8), (6.6, 0.65)
"""Mean and standard deviation of log10 cost in dollars of 2015, of American and of other titles."""
PRIOR_OWN, PRIOR_DOLLAR, PRIOR_EURO, PRIOR_EURO_ABROAD = 0.6, 0.35, 0.1, 0.005
"""Prior weights for titles that are not American: the title's own currency, the dollar, the euro in
Europe, the euro elsewhere."""
_EUROPE = "AL AM BG CH CY CZ DK EE GB GE HR HU IS LT LV MK MT NO PL RO RS RU SE SI SK TR UA"
EUROPE = frozenset(_EUROPE.split())
EURO = "EUR"


@dataclass(frozen=True)
class InferredCurrency:
    """The likeliest currency, its posterior probability, and a sentence for people."""

    currency: str | None
    confidence: float
    reason: str

    @property
    def is_certain(self) -> bool:
        return self.confidence >= CERTAIN


def infer_currency(
    amount: float, countries: Sequence[str], year: int | None, rates: RateTable, prices: PriceIndex
) -> InferredCurrency:
    """The currency of `amount` for a title of these countries (ISO 3166-1) released in `year`.

    The result has no currency, only a reason, where countries, year or exchange rates are missing.
    """
    if not countries:
        return InferredCurrency(None, 0.0, "no country says the currency")
    if year is None and {*countries} != {"US"}:
        return InferredCurrency(None, 0.0, "no year says which currency circulated")
    year = PRICE_YEAR if year is None else year  # America's has been the dollar all along
    weights = {}
    for currency, prior in _priors(countries, year).items():
        real = _real_dollars(amount, currency, year, rates, prices)
        if real is None:
            return InferredCurrency(
                None, 0.0, f"no exchange rate for {currency} in {year} to compare with"
            )
        weights[currency] = prior * _density(real, set(countries) == {"US"})
    return _posterior(weights, amount, countries)


def currencies_of(country: str, year: int) -> list[str]:
    """The currencies of a country in a year; two in the year of a change of currency."""
    return [code for code, first, last in _circulation().get(country, ()) if first <= year <= last]


def _priors(countries: Sequence[str], year: int) -> dict[str, float]:
    """The prior weight of each currency."""
    own = [code for country in countries for code in currencies_of(country, year)]
    if len(own) < len(countries):
        own.append("?")  # the circulation table lacks a country in that year
    if set(own) == {DOLLAR}:
        return {DOLLAR: 1.0}
    is_european = any(country in EUROPE for country in countries) and year >= 1999
    priors = {DOLLAR: PRIOR_DOLLAR}
    if year >= 1999:
        priors[EURO] = PRIOR_EURO if is_european else PRIOR_EURO_ABROAD
    for code in own:
        priors[code] = priors.get(code, 0.0) + PRIOR_OWN / len(own)
    return priors


def _real_dollars(
    amount: float, currency: str, year: int, rates: RateTable, prices: PriceIndex
) -> float | None:
    dollars = rates.dollars(amount, currency, year)
    return None if dollars is None else dollars.amount * prices.factor(year, PRICE_YEAR)


def _density(dollars: float, is_american: bool) -> float:
    if not LOWEST_COST <= dollars <= HIGHEST_COST:
        return 0.0
    mean, deviation = AT_HOME if is_american else ABROAD
    return math.exp(-(((math.log10(dollars) - mean) / deviation) ** 2) / 2)


def _posterior(
    weights: dict[str, float], amount: float, countries: Sequence[str]
) -> InferredCurrency:
    best, total = max(weights, key=lambda code: weights[code]), sum(weights.values())
    amount_of = f"{amount:,.0f} of a film of {', '.join(countries)}"
    if not total:
        return InferredCurrency(
            None, 0.0, f"{amount_of} is plausible in none of {', '.join(weights)}"
        )
    share = weights[best] / total
    if share >= CERTAIN:
        return InferredCurrency(best, share, f"{amount_of} is {best}")
    others = ", ".join(code for code in weights if weights[code] and code != best)
    return InferredCurrency(best, share, f"{amount_of} may be {best} ({share:.0%}) or {others}")


@cache
def _circulation() -> dict[str, list[tuple[str, int, int]]]:
    text = files("marquee.prices").joinpath("data/circulation.csv").read_text(encoding="utf-8")
    found: dict[str, list[tuple[str, int, int]]] = {}
    for row in csv.DictReader(text.splitlines()):
        entry = row["currency"], int(row["first"]), int(row["last"] or 9999)
        found.setdefault(row["country"], []).append(entry)
    return found
