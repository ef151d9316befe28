"""The contracts of Marquee's datasets (the table of ARCHITECTURE.md, in code)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from marquee.contracts.contract import Column, Contract

FIRST_FILM = 1874  # "Passage de Venus", the oldest title IMDb lists


def _is_title_id(value: str) -> bool:
    return re.fullmatch(r"tt\d{7,10}", value) is not None


def _is_year(value: int) -> bool:
    return FIRST_FILM <= value <= 2100


def _is_score(value: float) -> bool:
    return 1.0 <= value <= 10.0


def _is_money(value: Mapping[str, object]) -> bool:
    amount, currency = value.get("amount"), value.get("currency")
    return (
        isinstance(amount, int | float)
        and amount > 0
        and re.fullmatch(r"[A-Z]{3}", str(currency)) is not None
    )


RATINGS = Contract(
    "ratings",
    1,
    ("user_id", "movie_id"),
    (
        Column("user_id", "bigint", nullable=False),
        Column("movie_id", "bigint", nullable=False),
        Column("rating", "double", nullable=False),
        Column("time", "bigint", nullable=False),
    ),
)

TITLES = Contract(
    "titles",
    2,
    ("movie_id", "title_id"),
    (
        Column("movie_id", "bigint"),
        Column("title_id", "string"),
        Column("title", "string", nullable=False),
        Column("year", "int"),
        Column("release_date", "string"),
        Column("directors", "array<string>", nullable=False),
        Column("director_names", "array<string>", nullable=False),
        Column("genres", "array<string>", nullable=False),
        Column("rating", "double"),
        Column("vote_count", "bigint"),
        Column("budget_amount", "double"),
        Column("budget_currency", "string"),
        Column("budget_usd", "double"),
        Column("countries", "array<string>", nullable=False),
        Column("type", "string"),
        Column("budget_confidence", "double"),
        Column("writers", "array<string>", nullable=False),
        Column("cast", "array<string>", nullable=False),
        Column("companies", "array<string>", nullable=False),
        Column("languages", "array<string>", nullable=False),
        Column("keywords", "array<string>", nullable=False),
        Column("runtime", "int"),
        Column("certificate", "string"),
        Column("plot", "string"),
    ),
)

FEEDBACK = Contract(
    "feedback",
    3,
    ("person", "movie_id", "time", "seq"),
    (
        Column("person", "string", False, lambda v: v.startswith("p-"), "does not start with p-"),
        Column("movie_id", "bigint"),  # null: the person takes back all they have said until now
        Column("rating", "double"),
        Column("time", "bigint", nullable=False),
        Column("seq", "bigint"),
        Column("effective_time", "bigint"),
    ),
)

TITLE_ITEM = Contract(
    "title_item",
    2,
    ("title_id",),
    (
        Column("title_id", "string", False, _is_title_id, "is not like tt0123456"),
        Column("title", "string", True, lambda v: bool(v.strip()), "is empty"),
        Column("type", "string"),
        Column("year", "int", True, _is_year, "is not a film's year"),
        Column("release_date", "string"),
        Column("directors", "array<record>", nullable=False),
        Column("genres", "array<string>", nullable=False),
        Column("rating", "double", True, _is_score, "is not between 1 and 10"),
        Column("vote_count", "bigint", True, lambda v: v >= 0, "is negative"),
        Column("budget", "record", True, _is_money, "is not an amount in an ISO 4217 currency"),
        Column("countries", "array<string>", nullable=False),
        Column("source_url", "string"),
        Column("fetched_at", "string"),
        Column("layout", "string"),
    ),
)

CONTRACTS = {c.name: c for c in (RATINGS, TITLES, FEEDBACK, TITLE_ITEM)}
