"""The three React layouts: `react_urql` (2021-22), `next_data` (2022-23), `next_data_v2` (2024-).

All hold two GraphQL answers in `__NEXT_DATA__`: one for the top of the page, one for the main
column. The layouts differ in the place of the answers and in the grouping of credits.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar

from web_poet import HttpResponse, field

from marquee.normalise.canonical_names import country_code, read_genres
from marquee.normalise.dates import date_of
from marquee.normalise.text import Unreadable, unique
from scrapy_imdb.items import Person
from scrapy_imdb.pages.next_data import (
    Node,
    PageState,
    as_list,
    as_text,
    cached_answers,
    next_data,
    nodes,
    person,
    value_at,
)
from scrapy_imdb.pages.title_page import (
    MoneyReading,
    TitlePage,
    date_reading,
    distinct_people,
    read_count,
    required,
    stated_money,
    title_id_in,
    unreadable,
)

COUNTRIES = (("countriesDetails", "countries"), ("countriesOfOrigin", "countries"))
LANGUAGES = ("spokenLanguages", "spokenLanguages")


class ReactPage(TitlePage):
    """Reads the GraphQL answers: the main column's, which is fuller, before the top's."""

    @cached_property
    def state(self) -> PageState:
        """The page's data; `react_page` sets it in advance, so it is decoded once."""
        return next_data(self.response)

    @cached_property
    def answers(self) -> list[Node]:
        """The answers about this title, the fullest first."""
        return [self.state.main, self.state.above]

    def stated(self, *path: str | int) -> Node:
        """The value at `path` in the first answer where it is not null."""
        found = (value_at(answer, *path) for answer in self.answers)
        return next((value for value in found if value is not None), None)

    def stated_or_fault(self, *path: str) -> Node:
        """The value at `path`, or a text that shows why there is none.

        Where `ratingsSummary` is 7 instead of an object, the text is `ratingsSummary: 7`. The
        field's reader refuses it with a note.
        """
        if (found := self.stated(*path)) is not None:
            return found
        inner = ((path[end - 1], self.stated(*path[:end])) for end in range(1, len(path)))
        wrong = ((n, v) for n, v in inner if v is not None and not isinstance(v, dict))
        return next((f"{name}: {value}" for name, value in wrong), None)

    def read_codes(
        self, read: Callable[[str], str | None], *paths: tuple[str, ...]
    ) -> tuple[list[str], list[str]]:
        """Known codes and unknown entries at the first of `paths` that holds any."""
        listed: Node = next(filter(None, (self.stated_or_fault(*path) for path in paths)), [])
        if not isinstance(listed, list):
            return [], [str(listed)]
        entries: list[Node] = listed
        ids = [value_at(entry, "id") if isinstance(entry, dict) else entry for entry in entries]
        found = [(one, read(text) if (text := as_text(one)) else None) for one in ids]
        unknown = [str(one) for one, code in found if one is not None and not code]
        return unique([code or "" for _, code in found]), unknown

    def credits(self, role: str) -> list[Person]:
        """People of a role: `director` or `writer`."""
        groups = as_list(self.stated(f"{role}s"))
        principal = as_list(self.stated("principalCredits"))
        groups = groups or [g for g in principal if value_at(g, "category", "id") == role]
        return distinct_people([person(c) for g in groups for c in as_list(value_at(g, "credits"))])

    @field
    def title_id(self) -> str:
        stated = (as_text(self.stated("meta", "canonicalId")), as_text(self.stated("id")))
        own = next(filter(None, (title_id_in(text or "") for text in stated)), None)
        return required(own, "title id")

    @field
    def title(self) -> str:
        return required(as_text(self.stated("titleText", "text")), "title")

    @field
    def original_title(self) -> str | None:
        return as_text(self.stated("originalTitleText", "text"))

    @field
    def type(self) -> str | None:
        return as_text(self.stated("titleType", "id"))

    @field
    def year(self) -> int | None:
        return read_count(self.stated("releaseYear", "year"))

    @field
    def end_year(self) -> int | None:
        return read_count(self.stated("releaseYear", "endYear"))

    def other_readings(self) -> dict[str, Unreadable | None]:
        year, end_year = (self.stated_or_fault("releaseYear", name) for name in ("year", "endYear"))
        return {
            "type": unreadable(
                self.stated_or_fault("titleType", "id"), lambda _: self.type, "is no text"
            ),
            "year": unreadable(year, read_count, "is no year"),
            "end_year": unreadable(end_year, read_count, "is no year")
            if end_year != year
            else None,
        }

    def release_reading(self) -> str | Unreadable | None:
        stated = [self.stated("releaseDate", part) for part in ("year", "month", "day")]
        read = [read_count(part) for part in stated]
        year, month, day = read
        whole = self.stated_or_fault("releaseDate")
        if not isinstance(whole, dict):
            return date_reading("" if whole is None else str(whole))
        if any(part is not None and number is None for part, number in zip(stated, read)):
            return Unreadable("-".join(map(str, stated)), "is no date")
        return date_of(year, month, day) if any(read) else None

    def stated_runtime(self) -> str | None:
        seconds = self.stated_or_fault("runtime", "seconds")
        return None if seconds is None else f"{seconds} s"

    @field
    def directors(self) -> list[Person]:
        return self.credits("director")

    @field
    def writers(self) -> list[Person]:
        return self.credits("writer")

    @field
    def cast(self) -> list[Person]:
        return distinct_people([person(node) for node in nodes(self.stated("cast"))])

    @field
    def genres(self) -> list[str]:
        listed = as_list(self.stated("genres", "genres"))
        plain = (as_text(value_at(g, "id")) or as_text(value_at(g, "text")) for g in listed)
        return read_genres(genre for genre in plain if genre)

    def stated_rating(self) -> Any:
        return self.stated_or_fault("ratingsSummary", "aggregateRating")

    def stated_votes(self) -> Any:
        return self.stated_or_fault("ratingsSummary", "voteCount")

    def budget_reading(self) -> MoneyReading:
        return self.money("productionBudget", "budget")

    def gross_reading(self) -> tuple[MoneyReading, str | None]:
        world = self.money("worldwideGross", "total")
        return (world, "world") if world else (self.money("lifetimeGross", "total"), "US, CA")

    def money(self, *path: str) -> MoneyReading:
        """A `Money` node: amount and currency code."""
        node = self.stated_or_fault(*path)
        return (
            None
            if node is None
            else stated_money(value_at(node, "amount"), value_at(node, "currency"))
        )

    @field
    def countries(self) -> list[str]:
        return self.read_codes(country_code, *COUNTRIES)[0]

    def unknown_codes(self) -> dict[str, list[str]]:
        return {
            "countries": self.read_codes(country_code, *COUNTRIES)[1],
            "languages": self.read_codes(str, LANGUAGES)[1],
        }

    @field
    def languages(self) -> list[str]:
        return self.read_codes(str, LANGUAGES)[0]

    @field
    def certificate(self) -> str | None:
        return as_text(self.stated("certificate", "rating"))

    @field
    def companies(self) -> list[str]:
        found = nodes(self.stated("production"))
        return unique([as_text(value_at(n, "company", "companyText", "text")) or "" for n in found])

    @field
    def plot(self) -> str | None:
        return as_text(self.stated("plot", "plotText", "plainText"))

    @field
    def keywords(self) -> list[str]:
        listed = self.stated("keywords") or self.stated("storylineKeywords")
        return unique([as_text(value_at(node, "text")) or "" for node in nodes(listed)])


class NextDataPage(ReactPage):
    """`__NEXT_DATA__` with `directors` and `principalCredits` (2022-23)."""

    LAYOUT: ClassVar[str] = "next_data"


class ReactUrqlPage(ReactPage):
    """The first React pages (2021-22): the answers lie as texts in an urql cache."""

    LAYOUT: ClassVar[str] = "react_urql"

    @cached_property
    def answers(self) -> list[Node]:
        title_id = self.state.title_id or title_id_in(str(self.response.url))
        found = cached_answers(self.state.cache, title_id)
        return sorted(found, key=lambda answer: "productionBudget" not in answer)


class NextDataV2Page(ReactPage):
    """`__NEXT_DATA__` with `principalCreditsV2` (2024-): credits grouped by opaque ids."""

    LAYOUT: ClassVar[str] = "next_data_v2"

    # Role to IMDb's id of its group, the same in all languages. Words follow, in case ids change.
    GROUPS: ClassVar[dict[str, tuple[str, ...]]] = {
        "director": ("ace5cb4c-8708-4238-9542-04641e7c8171", "director", "regie", "regisseur"),
        "writer": ("c84ecaff-add5-4f2e-81db-102a41881fe3", "writer", "drehbuch", "autor"),
    }

    def credits(self, role: str) -> list[Person]:
        listed = [*as_list(self.stated("principalCreditsV2")), *as_list(self.stated("crewV2"))]
        groups = [group for group in listed if self._is_group(group, role)]
        fullest = max(groups, key=lambda g: len(as_list(value_at(g, "credits"))), default=None)
        return distinct_people([person(credit) for credit in as_list(value_at(fullest, "credits"))])

    def _is_group(self, group: Node, role: str) -> bool:
        own, *words = self.GROUPS[role]
        text = (as_text(value_at(group, "grouping", "text")) or "").lower()
        return own in str(value_at(group, "grouping", "groupingId")) or text.startswith(
            tuple(words)
        )

    @field
    def cast(self) -> list[Person]:
        groups = as_list(self.stated("castV2"))
        listed = [person(c) for group in groups[:1] for c in as_list(value_at(group, "credits"))]
        return distinct_people(listed)


def react_page(response: HttpResponse, mark: int) -> ReactPage | None:
    """The page object of a React title page, or None for another kind of page.

    `mark`: the position of `STATE_MARK` in the body.
    """
    state = next_data(response, mark)
    page: ReactPage
    if isinstance(state.above, dict):
        page = (NextDataV2Page if "principalCreditsV2" in state.above else NextDataPage)(response)
    elif isinstance(state.cache, dict) and state.page.startswith("/title/["):
        page = ReactUrqlPage(response)
    else:
        return None
    page.state = state
    return page
