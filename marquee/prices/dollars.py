"""Conversion of amounts to US dollars, and of dollars to dollars of another year.

`RateTable` converts between currencies by annual average exchange rates. `data/rates.csv` holds
units of the currency per dollar. `data/sources.csv` names the publisher and the check of each rate.
`PriceIndex` converts between years by annual averages of the US consumer price index CPI-U, from
`data/cpi.csv`. `data/SOURCES.md` describes both tables.

The average of a year exists only after the year. So `load(as_of_year)` reads only earlier years,
and a model of that year uses no future rates. `prepare_titles`, the budget model and its answers
use both tables.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files

DOLLAR = "USD"
MOST_YEARS_BEYOND = 5
"""The number of years after a currency's last rate for which the last rate is used."""
PLAUSIBLE_BUDGET = (100.0, 1e9)
"""Dollars of the release year. A budget outside of these bounds is a parsing error: no title has
cost a billion."""


def is_plausible_budget(dollars: float) -> bool:
    """Whether a budget in dollars of the release year is within `PLAUSIBLE_BUDGET`; NaN is not."""
    least, most = PLAUSIBLE_BUDGET
    return least <= dollars <= most


@dataclass(frozen=True)
class Dollars:
    """An amount in US dollars, and the year of the exchange rate."""

    amount: float
    rate_year: int
    is_exact: bool
    """False where the rate is of an earlier year, because the table has none for the requested
    year."""


@dataclass(frozen=True)
class Coverage:
    """The first and the last year, the number and the publishers of one currency's rates."""

    first: int
    last: int
    years: int
    sources: tuple[str, ...]


@dataclass(frozen=True)
class RateTable:
    """Units per dollar, and the source of each rate, both by currency and year."""

    rates: Mapping[str, Mapping[int, float]]
    sources: Mapping[str, Mapping[int, str]] = field(default_factory=dict)

    @classmethod
    def load(cls, as_of_year: int) -> RateTable:
        """The rates of years before `as_of_year`."""
        rates: dict[str, dict[int, float]] = {}
        sources: dict[str, dict[int, str]] = {}
        for row in _rows("rates.csv"):
            currency, year = row["currency"], int(row["year"])
            if year < as_of_year:
                rates.setdefault(currency, {})[year] = float(row["per_dollar"])
                sources.setdefault(currency, {})[year] = row["source"]
        return cls(rates, sources)

    def knows(self, currency: str) -> bool:
        """Whether the table has a rate of this ISO 4217 code; true for the dollar."""
        return currency == DOLLAR or currency in self.rates

    def dollars(self, amount: float, currency: str, year: int) -> Dollars | None:
        """`amount` in US dollars at the average rate of `year`; None without a rate.

        The last rate also holds for `MOST_YEARS_BEYOND` later years. A year before the first rate
        or in a gap gives None, because the currency may have had another unit then.
        """
        if currency == DOLLAR:
            return Dollars(amount, year, True)
        by_year = self.rates.get(currency, {})
        last = max(by_year, default=year)
        used = last if last < year <= last + MOST_YEARS_BEYOND else year
        rate = by_year.get(used)
        return None if rate is None else Dollars(amount / rate, used, used == year)

    def coverage(self) -> dict[str, Coverage]:
        """The years and publishers of each currency's rates, by ISO 4217 code."""
        return {
            currency: Coverage(
                min(years), max(years), len(years), tuple(sorted(set(years.values())))
            )
            for currency, years in sorted(self.sources.items())
        }


@dataclass(frozen=True)
class PriceIndex:
    """Price levels by year; a year outside of the table has the level of the nearest year."""

    levels: Mapping[int, float]

    @classmethod
    def load(cls, as_of_year: int) -> PriceIndex:
        """The levels of years before `as_of_year`, or the table's first level if there are none."""
        every = {int(row["year"]): float(row["index"]) for row in _rows("cpi.csv")}
        known = {year: level for year, level in every.items() if year < as_of_year}
        first = min(every)
        return cls(known or {first: every[first]})

    @property
    def first(self) -> int:
        return min(self.levels)

    @property
    def last(self) -> int:
        """The newest year of the table."""
        return max(self.levels)

    def nearest(self, year: int) -> int:
        """`year`, limited to the table's first and last year."""
        return min(max(year, self.first), self.last)

    def level(self, year: int) -> float:
        """The price level of `nearest(year)`."""
        return self.levels[self.nearest(year)]

    def factor(self, from_year: int, to_year: int) -> float:
        """The worth of one dollar of `from_year`, in dollars of `to_year`."""
        return self.level(to_year) / self.level(from_year)

    def factors(self, to_year: int) -> dict[int, float]:
        """`factor(year, to_year)` for every year of the table."""
        return {year: self.factor(year, to_year) for year in sorted(self.levels)}


def rate_sources() -> dict[str, dict[str, str]]:
    """Publisher, dataset, licence and check of each source, by the `source` of a rate."""
    return {row.pop("source"): row for row in _rows("sources.csv")}


def _rows(name: str) -> list[dict[str, str]]:
    text = files("marquee.prices").joinpath(f"data/{name}").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
