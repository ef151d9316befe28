"""One title of the world, as `titles.jsonl` holds it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TypedDict


class Name(TypedDict):
    name_id: str
    name: str


class Money(TypedDict):
    amount: int
    currency: str


@dataclass(frozen=True)
class WorldTitle:
    """The public facts of one title; `quality`, `fame` and `scale` stay inside the generator."""

    movie_id: int
    title_id: str
    title: str
    type: str
    release_date: date
    runtime: int
    directors: tuple[Name, ...]
    writers: tuple[Name, ...]
    cast: tuple[Name, ...]
    genres: tuple[str, ...]
    rating: float
    vote_count: int
    budget: Money | None
    gross: Money | None
    country: str
    language: str
    certificate: str
    companies: tuple[str, ...]
    plot: str
    keywords: tuple[str, ...]

    @property
    def year(self) -> int:
        return self.release_date.year
