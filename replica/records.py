"""What the site knows about a title, whatever it was loaded from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from marquee.errors import SourceError
from marquee.normalise.countries import country_code, language_code


@dataclass(frozen=True, slots=True)
class Credit:
    """Somebody credited."""

    name_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Record:
    """One title. Countries and languages are ISO codes; money is an amount and a currency."""

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
    """The titles of a world folder, by title id; SourceError names the line that is wrong."""
    return {record.title_id: record for record in _lines(folder / "titles.jsonl")}


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
                yield record_of(json.loads(line))
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise SourceError(
                    f"{path} line {number} is not a title: {error}", "make the world again"
                ) from None


def record_of(value: Mapping[str, Any]) -> Record:
    """A record from one object of `titles.jsonl`."""
    plain = {f.name: value[f.name] for f in fields(Record) if value.get(f.name) is not None}
    for role in ("directors", "writers", "cast"):
        plain[role] = tuple(Credit(p["name_id"], p["name"]) for p in plain.get(role, ()))
    for money in ("budget", "gross"):
        if money in plain:
            plain[money] = (plain[money]["amount"], plain[money]["currency"])
    for listed in ("genres", "companies", "keywords"):
        plain[listed] = tuple(plain.get(listed, ()))
    plain["countries"] = codes(country_code, plain.get("countries", ()))
    plain["languages"] = codes(language_code, plain.get("languages", ()))
    return Record(**plain)


def codes(read: Any, names: Any) -> tuple[str, ...]:
    """ISO codes of names or codes; a name nobody knows is left off."""
    return tuple(dict.fromkeys(code for code in map(read, names) if code))
