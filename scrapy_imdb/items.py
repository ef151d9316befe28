"""The record of one title page, in one form for every layout and language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from marquee.normalise.amounts import Money

PARSER_VERSION = "3"
"""Raise it with every change that gives another item for the same page."""
PEOPLE = ("directors", "writers", "cast")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody credited on a page."""

    name_id: str | None
    """IMDb's id, like `nm0905154`; None where the page has no link for the name."""
    name: str
    """As credited, white space normalised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleItem:
    """One title as one page stated it at one moment."""

    title_id: str
    """`tt` and seven to ten digits, like `tt0133093`. A crawled page keeps the requested id, which
    ratings use."""
    merged_into: str | None = None
    """The page's own id where the site merged the requested title into another, else None."""
    title: str
    """The displayed title, in the page's language."""
    original_title: str | None = None
    """The original title; equal to `title` where the page states that both agree."""
    type: str | None = None
    """IMDb's own id of the kind of title: `movie`, `short`, `tvMovie`, `tvSeries`,
    `tvMiniSeries`, `tvEpisode`, `tvSpecial`, `tvShort`, `video`, `videoGame`, `musicVideo` …"""
    year: int | None = None
    """Year of release, or the first year of a series."""
    end_year: int | None = None
    """Last year of a series that has ended."""
    release_date: str | None = None
    """ISO 8601, as exact as the page is: `1999-03-31`, `1999-03` or `1999`."""
    runtime: int | None = None
    """Minutes."""
    directors: list[Person]
    """In page order, each once; empty where the page names none."""
    writers: list[Person]
    """In page order, each once; a page may list only some."""
    cast: list[Person]
    """The cast that the page lists, in billing order."""
    genres: list[str]
    """Canonical English, like `Sci-Fi`; in page order."""
    rating: float | None = None
    """Weighted mean of the votes, 1.0 to 10.0."""
    vote_count: int | None = None
    """The number of votes; 0 only where the page states it."""
    budget: Money | None = None
    """Production budget in the stated currency; positive."""
    gross: Money | None = None
    """Box office of the widest area that the page states."""
    gross_area: str | None = None
    """The area of `gross`: `world`, or the page's words for it (`USA`, `UK`)."""
    countries: list[str]
    """ISO 3166-1 alpha-2 codes of the countries of origin, like `US`."""
    languages: list[str]
    """ISO 639-1 codes of the spoken languages, like `en`; else three letters."""
    certificate: str | None = None
    """Age certificate as shown to this reader's country, like `PG-13`."""
    companies: list[str]
    """Production companies, in page order; a page may list only some."""
    plot: str | None = None
    """The short plot, in the page's language."""
    keywords: list[str]
    """The few plot keywords that the page shows."""
    notes: list[str]
    """One note for each unusable value, like `rating: is not between 1 and 10 (76)`."""
    source_url: str
    """The address of the page."""
    fetched_at: str | None = None
    """When the page was fetched, UTC, like `2026-01-04T03:00:12Z`; None where unknown."""
    layout: str
    """The key of its page object in `scrapy_imdb.pages.LAYOUTS`."""
    parser_version: str = PARSER_VERSION
    """`PARSER_VERSION` of the code that read the page."""


def as_record(item: TitleItem) -> dict[str, Any]:
    """The item as a JSON object."""
    record: dict[str, Any] = {name: getattr(item, name) for name in TitleItem.__slots__}
    for role in PEOPLE:
        record[role] = [{"name_id": p.name_id, "name": p.name} for p in record[role]]
    for money in ("budget", "gross"):
        value = record[money]
        record[money] = value and {"amount": value.amount, "currency": value.currency}
    return record


def with_fields(item: TitleItem, changed: Mapping[str, Any]) -> TitleItem:
    """The item with changed fields; `changed` holds them in the form of `as_record`."""
    fields = dict(changed)
    for role in PEOPLE:
        if role in fields:
            fields[role] = [Person(**person) for person in fields[role]]
    for money in ("budget", "gross"):
        if fields.get(money):
            fields[money] = Money(**fields[money])
    return replace(item, **fields)
