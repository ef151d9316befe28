"""What an amount of money is worth in US dollars, and in dollars of another year.

`RateTable` converts between currencies by annual average exchange rates: `data/rates.csv`, units
of the currency per dollar; `data/sources.csv` names the publisher of each figure and what it was
checked against. `PriceIndex` converts between years by US consumer prices: `data/cpi.csv`, annual
averages of the CPI-U. `data/SOURCES.md` describes both.

A year's average exists only once the year is over. So a table is read *as of* a year and holds
earlier years alone: a model of that year has not seen the future. Preparation of titles, the budget
model and its answers use both tables.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files

DOLLAR = "USD"
MOST_YEARS_BEYOND = 5
"""A currency's last rate stands for so many later years; beyond them there is none."""
PLAUSIBLE_BUDGET = (100.0, 1e9)
"""Dollars of the release year. Outside of these the currency or the number was misread: no title
has cost a billion."""


def is_plausible_budget(dollars: float) -> bool:
    """Whether a budget in dollars of the release year can be believed; NaN cannot."""
    least, most = PLAUSIBLE_BUDGET
    return least <= dollars <= most


@dataclass(frozen=True)
class Dollars:
    """An amount in US dollars, and the year whose rate was used."""

    amount: float
    rate_year: int
    is_exact: bool
    """False where the requested year is beyond the table and its last rate was used."""


@dataclass(frozen=True)
class Coverage:
    """The years one currency has rates for, and who published them."""

    first: int
    last: int
    years: int
    sources: tuple[str, ...]


@dataclass(frozen=True)
class RateTable:
    """Units per dollar by currency and year; `sources` in the same shape."""

    rates: Mapping[str, Mapping[int, float]]
    sources: Mapping[str, Mapping[int, str]] = field(default_factory=dict)

    @classmethod
    def load(cls, as_of_year: int) -> RateTable:
        """The table as it stood in `as_of_year`: averages of earlier years only."""
        rates: dict[str, dict[int, float]] = {}
        sources: dict[str, dict[int, str]] = {}
        for row in _rows("rates.csv"):
            currency, year = row["currency"], int(row["year"])
            if year < as_of_year:
                rates.setdefault(currency, {})[year] = float(row["per_dollar"])
                sources.setdefault(currency, {})[year] = row["source"]
        return cls(rates, sources)

    def knows(self, currency: str) -> bool:
        """Whether any rate of this ISO 4217 code is in the table."""
        return currency == DOLLAR or currency in self.rates

    def dollars(self, amount: float, currency: str, year: int) -> Dollars | None:
        """Convert at `year`'s average rate; None where the table has no rate to use.

        The last rate stands for up to `MOST_YEARS_BEYOND` later years. A year before the first
        rate, or in a gap, has none: older rates belong to another regime or another unit of
        account.
        """
        if currency == DOLLAR:
            return Dollars(amount, year, True)
        by_year = self.rates.get(currency, {})
        last = max(by_year, default=year)
        used = last if last < year <= last + MOST_YEARS_BEYOND else year
        rate = by_year.get(used)
        return None if rate is None else Dollars(amount / rate, used, used == year)

    def coverage(self) -> dict[str, Coverage]:
        """The years and publishers of each currency, by its code."""
        return {
            currency: Coverage(
                min(years), max(years), len(years), tuple(sorted(set(years.values())))
            )
            for currency, years in sorted(self.sources.items())
        }


@dataclass(frozen=True)
class PriceIndex:
    """A price level for every year from `first` to `last`; years outside take the nearest."""

    levels: Mapping[int, float]

    @classmethod
    def load(cls, as_of_year: int) -> PriceIndex:
        """The index as it stood in `as_of_year`: averages of earlier years only.

        Before the second year of the table there is no earlier one; its first year then stands.
        """
        every = {int(row["year"]): float(row["index"]) for row in _rows("cpi.csv")}
        known = {year: level for year, level in every.items() if year < as_of_year}
        first = min(every)
        return cls(known or {first: every[first]})

    @property
    def first(self) -> int:
        return min(self.levels)

    @property
    def last(self) -> int:
        """The newest year with a level: the natural price year."""
        return max(self.levels)

    def nearest(self, year: int) -> int:
        """The year whose level stands for `year`: itself, or the table's first or last."""
        return min(max(year, self.first), self.last)

    def level(self, year: int) -> float:
        """The price level of `year`, or of the nearest year known."""
        return self.levels[self.nearest(year)]

    def factor(self, from_year: int, to_year: int) -> float:
        """What a dollar of `from_year` is worth in dollars of `to_year`."""
        return self.level(to_year) / self.level(from_year)

    def factors(self, to_year: int) -> dict[int, float]:
        """`factor` of every year of the table; any other year takes the factor of `nearest`."""
        return {year: self.factor(year, to_year) for year in sorted(self.levels)}


def rate_sources() -> dict[str, dict[str, str]]:
    """Publisher, dataset, licence and what it was checked against, by a rate's `source`."""
    return {row.pop("source"): row for row in _rows("sources.csv")}


def _rows(name: str) -> list[dict[str, str]]:
    text = files("marquee.prices").joinpath(f"data/{name}").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
