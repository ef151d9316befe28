"""The titles of the website: records, their sources, and names in the language of a page.

`python -m replica serve` loads records from a world's `titles.jsonl` or from IMDB 5000's CSV.
`site_pages` renders a record in a `PageLanguage`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from marquee.errors import SourceError
from marquee.normalise.canonical_names import (
    COUNTRY_NAMES,
    LANGUAGE_NAMES,
    country_code,
    language_code,
)
from sources.titles_imdb5000 import read_imdb5000

IMDB5000_ROLES = ("directors", "cast")
_GENRES = {
    "Adventure": "Abenteuer",
    "Biography": "Biografie",
    "Comedy": "Komödie",
    "Crime": "Kriminalfilm",
    "Documentary": "Dokumentarfilm",
    "Family": "Familie",
    "History": "Geschichte",
    "Music": "Musik",
    "News": "Nachrichten",
    "Romance": "Liebesfilm",
    "Short": "Kurzfilm",
    "Sci-Fi": "Science-Fiction",
    "War": "Krieg",
}
_COUNTRIES = {
    "US": "Vereinigte Staaten",
    "GB": "Vereinigtes Königreich",
    "DE": "Deutschland",
    "FR": "Frankreich",
    "IN": "Indien",
    "KR": "Südkorea",
}
_TYPES = {"movie": "Film", "tvSeries": "Fernsehserie", "tvMovie": "Fernsehfilm"}
_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "INR": "₹"}
_ROLES = {
    "director": ("Director", "Directors", "Regie", "Regie"),
    "writer": ("Writer", "Writers", "Drehbuch", "Drehbuch"),
    "cast": ("Star", "Stars", "Hauptbesetzung", "Hauptbesetzung"),
}


@dataclass(frozen=True, slots=True)
class Credit:
    """A person credited on a title."""

    name_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Record:
    """One title. Countries and languages are ISO codes; money is (amount, currency)."""

    title_id: str
    title: str
    original_title: str = ""
    type: str = "movie"
    year: int | None = None
    release_date: str | None = None
    runtime: int | None = None
    directors: tuple[Credit, ...] = ()
    writers: tuple[Credit, ...] = ()
    cast: tuple[Credit, ...] = ()
    genres: tuple[str, ...] = ()
    rating: float | None = None
    vote_count: int | None = None
    budget: tuple[float, str] | None = None
    gross: tuple[float, str] | None = None
    gross_is_world: bool = True
    countries: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    certificate: str | None = None
    companies: tuple[str, ...] = ()
    plot: str | None = None
    keywords: tuple[str, ...] = ()

    @property
    def original(self) -> str:
        return self.original_title or self.title


def load_world(folder: Path) -> dict[str, Record]:
    """The titles of a world's folder by title id; SourceError names the first wrong line."""
    return {record.title_id: record for record in _lines(folder / "titles.jsonl")}


def load_imdb5000(path: Path) -> dict[str, Record]:
    """The titles of IMDB 5000's CSV by title id; a budget of uncertain currency is None."""
    found = list(read_imdb5000(path))
    ids = _name_ids(found)
    for item in found:
        for role in IMDB5000_ROLES:
            item[role] = [{**p, "name_id": ids[p["name"]]} for p in item[role]]
        item["gross_is_world"] = False
    return {item["title_id"]: record_from_json(item) for item in found}


def _lines(path: Path) -> Iterator[Record]:
    try:
        stream = path.open(encoding="utf-8")
    except OSError:
        raise SourceError(
            f"{path} cannot be opened", "make a world with: python -m replica make-world"
        ) from None
    with stream:
        for number, line in enumerate(stream, 1):
            try:
                yield record_from_json(json.loads(line))
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise SourceError(
                    f"{path} line {number} is not a title: {error}", "make the world again"
                ) from None


def record_from_json(value: Mapping[str, Any]) -> Record:
    """The record of one object of `titles.jsonl`."""
    plain = {f.name: value[f.name] for f in fields(Record) if value.get(f.name) is not None}
    for role in ("directors", "writers", "cast"):
        plain[role] = tuple(Credit(p["name_id"], p["name"]) for p in plain.get(role, ()))
    for money in ("budget", "gross"):
        if money in plain:
            plain[money] = (plain[money]["amount"], plain[money]["currency"])
    for listed in ("genres", "companies", "keywords"):
        plain[listed] = tuple(plain.get(listed, ()))
    plain["countries"] = _codes(country_code, plain.get("countries", ()))
    plain["languages"] = _codes(language_code, plain.get("languages", ()))
    return Record(**plain)


def _codes(read: Any, names: Any) -> tuple[str, ...]:
    """The ISO codes of names or codes; unknown names are left out."""
    return tuple(dict.fromkeys(code for code in map(read, names) if code))


def _name_ids(items: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Made-up name ids, one for each name: the CSV has none."""
    names = sorted(
        {person["name"] for item in items for role in IMDB5000_ROLES for person in item[role]}
    )
    return {name: f"nm9{number:07d}" for number, name in enumerate(names)}


@dataclass(frozen=True)
class PageLanguage:
    """Names, numbers and money in the language of a page: `en` or `de`."""

    language: str

    @property
    def is_german(self) -> bool:
        return self.language == "de"

    @property
    def locale(self) -> str:
        return "de-DE" if self.is_german else "en-US"

    def genre(self, name: str) -> str:
        return _GENRES.get(name, name) if self.is_german else name

    def country(self, code: str) -> str:
        return (_COUNTRIES.get(code) if self.is_german else None) or COUNTRY_NAMES.get(code, code)

    def spoken(self, code: str) -> str:
        return LANGUAGE_NAMES.get(code, code)

    def type(self, type_id: str) -> str:
        return _TYPES.get(type_id, type_id) if self.is_german else type_id

    def role(self, name: str, count: int) -> str:
        one, many, einer, viele = _ROLES[name]
        return (einer if count == 1 else viele) if self.is_german else (one if count == 1 else many)

    def count(self, number: int) -> str:
        """`1,234` in English, `1.234` in German."""
        text = f"{number:,}"
        return text.replace(",", ".") if self.is_german else text

    def score(self, number: float) -> str:
        text = f"{number:.1f}"
        return text.replace(".", ",") if self.is_german else text

    def money(self, amount: float, currency: str) -> str:
        """`$65,000,000` or `JPY 2,400,000,000` in English, `65.000.000 $` in German."""
        sign, figure = _SIGNS.get(currency, currency), self.count(round(amount))
        if self.is_german:
            return f"{figure}\u00a0{sign}"
        return f"{sign}\u00a0{figure}" if sign == currency else f"{sign}{figure}"

    @property
    def estimated(self) -> str:
        return "(geschätzt)" if self.is_german else "(estimated)"
