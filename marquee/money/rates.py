"""Annual average exchange rates, and the conversion into US dollars they allow.

The table is `data/rates.csv` (units of the currency per dollar); `data/sources.csv` says who
published each figure and what it was checked against. A year's average exists only once the year
is over, so a table is read *as of* a year: later rows do not exist yet, and a later amount uses
the last rate known, saying so.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files

DOLLAR = "USD"
MOST_YEARS_BEYOND = 5
"""How far after a currency's last rate that rate still stands; later there is none."""


@dataclass(frozen=True)
class Dollars:
    """An amount in US dollars, and the year whose rate was used."""

    amount: float
    rate_year: int
    is_exact: bool  # False: the year asked for is beyond the table


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

        Up to `MOST_YEARS_BEYOND` years after the table's last one the last is used. A year before
        its first, or in a gap, has no honest rate: older rates belong to another regime or another
        unit of account.
        """
        if currency == DOLLAR:
            return Dollars(amount, year, True)
        by_year = self.rates.get(currency, {})
        last = max(by_year, default=year)
        used = last if last < year <= last + MOST_YEARS_BEYOND else year
        rate = by_year.get(used)
        return None if rate is None else Dollars(amount / rate, used, used == year)

    def coverage(self) -> dict[str, Coverage]:
        """What is known of each currency, by its code."""
        return {
            currency: Coverage(
                min(years), max(years), len(years), tuple(sorted(set(years.values())))
            )
            for currency, years in sorted(self.sources.items())
        }


def rate_sources() -> dict[str, dict[str, str]]:
    """Publisher, dataset, licence and what it was checked against, by a rate's `source`."""
    return {row.pop("source"): row for row in _rows("sources.csv")}


def _rows(name: str) -> list[dict[str, str]]:
    text = files("marquee.money").joinpath(f"data/{name}").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
