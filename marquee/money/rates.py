"""Annual average exchange rates, and the conversion into US dollars they allow.

The table is `data/rates.csv` (units of the currency per dollar); `data/SOURCES.md` says where each
figure comes from. A year's average exists only once the year is over, so a table is read *as of* a
year: later rows do not exist yet, and a later amount uses the last rate known, saying so.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

DOLLAR = "USD"


@dataclass(frozen=True)
class Dollars:
    """An amount in US dollars, and the year whose rate was used."""

    amount: float
    rate_year: int
    is_exact: bool  # False: the year asked for is beyond the table


@dataclass(frozen=True)
class RateTable:
    """Units per dollar by currency and year."""

    rates: Mapping[str, Mapping[int, float]]

    @classmethod
    def load(cls, as_of_year: int) -> RateTable:
        """The table as it stood in `as_of_year`: averages of earlier years only."""
        rates: dict[str, dict[int, float]] = {}
        text = files("marquee.money").joinpath("data/rates.csv").read_text(encoding="utf-8")
        for row in csv.DictReader(text.splitlines()):
            if int(row["year"]) < as_of_year:
                rates.setdefault(row["currency"], {})[int(row["year"])] = float(row["per_dollar"])
        return cls(rates)

    def knows(self, currency: str) -> bool:
        """Whether any rate of this ISO 4217 code is in the table."""
        return currency == DOLLAR or currency in self.rates

    def dollars(self, amount: float, currency: str, year: int) -> Dollars | None:
        """Convert at `year`'s average rate; None where the table has no rate to use.

        A year after the table's last one uses the last; a year before its first, or in a gap, has
        no honest rate: older rates belong to another regime or another unit of account.
        """
        if currency == DOLLAR:
            return Dollars(amount, year, True)
        by_year = self.rates.get(currency, {})
        last = max(by_year, default=year)
        used = min(year, last)
        rate = by_year.get(used)
        return None if rate is None else Dollars(amount / rate, used, used == year)
