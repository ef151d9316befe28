"""The contracts of Marquee's datasets: ratings, titles, feedback and crawled title items.

Spark jobs check a dataset when they read and write it. The crawl checks each title item.
ARCHITECTURE.md shows the same tables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from marquee.contract import Column, Contract
from marquee.normalise.currencies import CODES
from marquee.normalise.dates import FIRST_FILM, LAST_YEAR, date_of

MOST_GENRES = 12
"""IMDb lists at most a handful of genres for a title; a longer list is a parsing error."""
LONGEST_RUNTIME = 60_000
"""Minutes; the longest title on IMDb runs 51,420."""
MOST_VOTES = 2**63 - 1


def _is_title_id(value: str) -> bool:
    return re.fullmatch(r"tt\d{7,10}", value) is not None


def _is_year(value: int) -> bool:
    return FIRST_FILM <= value <= LAST_YEAR


def _is_date(value: str) -> bool:
    """Whether `value` is like `1999-03-31`, `1999-03` or `1999` and on the calendar."""
    parts = re.fullmatch(r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?", value, re.ASCII)
    return parts is not None and date_of(*parts.groups()) == value


def _is_runtime(value: int) -> bool:
    return 1 <= value <= LONGEST_RUNTIME


def _is_count(value: int) -> bool:
    return 0 <= value <= MOST_VOTES


def _are_genres(value: Sequence[str]) -> bool:
    return len(value) <= MOST_GENRES


def _is_score(value: float) -> bool:
    return 1.0 <= value <= 10.0


def _is_money(value: Mapping[str, object]) -> bool:
    amount, confidence = value.get("amount"), value.get("confidence")
    is_share = confidence is None or (isinstance(confidence, int | float) and 0 <= confidence <= 1)
    is_amount = isinstance(amount, int | float) and not isinstance(amount, bool)
    return is_amount and 0 < amount < 1e18 and value.get("currency") in CODES and is_share  # type: ignore[operator]


def _is_person(value: Mapping[str, object]) -> bool:
    """Whether `value` has an IMDb id or a name, or both."""
    stated = [value.get(name) for name in ("name_id", "name")]
    return any(stated) and all(one is None or isinstance(one, str) for one in stated)


def _is_word(value: str) -> bool:
    return bool(value.strip())


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
        Column("writer_names", "array<string>"),
        Column("cast_names", "array<string>"),
    ),
    unique=("movie_id", "title_id"),
)

FEEDBACK = Contract(
    "feedback",
    3,
    ("person", "movie_id", "time", "seq"),
    (
        Column("person", "string", False, lambda v: v.startswith("p-"), "does not start with p-"),
        Column("movie_id", "bigint"),  # null: the person withdraws all ratings until now
        Column("rating", "double"),
        Column("time", "bigint", nullable=False),
        Column("seq", "bigint"),
        Column("effective_time", "bigint"),
        Column("server", "string", required=False),  # who numbered a line that a topic brought
    ),
)

TITLE_ITEM = Contract(
    "title_item",
    3,
    ("title_id",),
    (
        Column("title_id", "string", False, _is_title_id, "is not like tt0123456"),
        Column("title", "string", True, _is_word, "is empty"),
        Column("original_title", "string", required=False),
        Column("type", "string", True, _is_word, "is empty"),
        Column("year", "int", True, _is_year, "is not a film's year"),
        Column("end_year", "int", True, _is_year, "is not a film's year", required=False),
        Column("release_date", "string", True, _is_date, "is no ISO date"),
        Column("runtime", "int", True, _is_runtime, "is no film's minutes", required=False),
        Column("directors", "array<record>", nullable=False, entry_check=_is_person),
        Column("writers", "array<record>", False, required=False, entry_check=_is_person),
        Column("cast", "array<record>", False, required=False, entry_check=_is_person),
        Column("genres", "array<string>", False, _are_genres, "are too many", entry_check=_is_word),
        Column("rating", "double", True, _is_score, "is not between 1 and 10"),
        Column("vote_count", "bigint", True, _is_count, "is no count"),
        Column("budget", "record", True, _is_money, "is not an amount in an ISO 4217 currency"),
        Column("gross", "record", True, _is_money, "is not an amount of money", required=False),
        Column("gross_area", "string", required=False),
        Column("countries", "array<string>", nullable=False, entry_check=_is_word),
        Column("languages", "array<string>", False, required=False, entry_check=_is_word),
        Column("companies", "array<string>", False, required=False, entry_check=_is_word),
        Column("keywords", "array<string>", False, required=False, entry_check=_is_word),
        Column("certificate", "string", required=False),
        Column("plot", "string", required=False),
        Column("source_url", "string"),
        Column("fetched_at", "string"),
        Column("layout", "string"),
    ),
)

CONTRACTS = {c.name: c for c in (RATINGS, TITLES, FEEDBACK, TITLE_ITEM)}
