"""US consumer prices by year, to state dollars of one year in dollars of another.

`data/cpi.csv` holds the annual averages of the CPI-U (`data/SOURCES.md`).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True)
class PriceIndex:
    """A price level for every year from `first` to `last`; years outside take the nearest."""

    levels: Mapping[int, float]

    @classmethod
    def load(cls, as_of_year: int) -> PriceIndex:
        """The index as it stood in `as_of_year`: averages of earlier years only.

        Before the second year of the table there is no earlier one; its first year then stands.
        """
        text = files("marquee.money").joinpath("data/cpi.csv").read_text(encoding="utf-8")
        every = {int(r["year"]): float(r["index"]) for r in csv.DictReader(text.splitlines())}
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
