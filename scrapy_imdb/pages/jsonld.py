"""The layout `title_wrapper_jsonld` (2018-21): JSON-LD first, then the markup around it."""

from __future__ import annotations

import re
from functools import cached_property
from html import unescape
from typing import Any, ClassVar

import orjson
from web_poet import field

from marquee.normalise.genres import read_genres
from marquee.normalise.text import Unreadable, clean, read_json, unique
from scrapy_imdb.items import Person
from scrapy_imdb.pages import values
from scrapy_imdb.pages.html import Section
from scrapy_imdb.pages.kinds import type_of
from scrapy_imdb.pages.markup import DETAILS, STORY, WRITERS
from scrapy_imdb.pages.microdata import TitleWrapperPage
from scrapy_imdb.pages.refusal import RefusedPageError
from scrapy_imdb.pages.state import dig, distinct
from scrapy_imdb.pages.title_page import date_reading
from sources.title_record import minutes

_SCRIPT = re.compile(rb"<script type=[\"']application/ld\+json[\"'][^<>]*>")


class TitleWrapperJsonldPage(TitleWrapperPage):
    """One value and a list of one are written differently: `director` may be either."""

    LAYOUT: ClassVar[str] = "title_wrapper_jsonld"
    SECTIONS: tuple[Section, ...] = (*TitleWrapperPage.SECTIONS[:2], STORY, DETAILS)

    @cached_property
    def data(self) -> dict[str, Any]:
        """The JSON-LD object; RefusedPageError where it is cut or broken."""
        opening = _SCRIPT.search(self.body)
        end = self.body.find(b"</script", opening.end()) if opening else -1
        if opening is None or end < 0:
            raise RefusedPageError("its JSON-LD is missing or cut off")
        data = _loads(self.body[opening.end() : end])
        if not isinstance(data, dict):
            raise RefusedPageError("its JSON-LD is not an object")
        return data

    def stated_people(self, key: str) -> list[Person]:
        return distinct([_person(entry) for entry in _many(self.data.get(key))])

    @field
    def title_id(self) -> str:
        own = values.title_id_in(str(self.data.get("url")))
        return own or str(super().title_id)

    @field
    def type(self) -> str:
        return type_of(self.kind, str(self.data.get("@type")), self.listed_genres())

    @field
    def original_title(self) -> str | None:
        shown = super().original_title
        return str(shown) if shown else _word(self.data.get("name"))

    def release_reading(self) -> str | Unreadable | None:
        return date_reading(_spelled(self.data.get("datePublished")))

    def stated_runtime(self) -> str | None:
        own = _spelled(self.data.get("duration"))
        return own if minutes(own) else super().stated_runtime() or own

    @field
    def directors(self) -> list[Person]:
        return self.stated_people("director")

    @field
    def writers(self) -> list[Person]:
        # A series' creators stand there too; writers only where the page has a block of them.
        return self.stated_people("creator") if self.block(*WRITERS) is not None else []

    @field
    def cast(self) -> list[Person]:
        return self.stated_people("actor")

    def listed_genres(self) -> list[str]:
        return read_genres(w for w in map(_word, _many(self.data.get("genre"))) if w)

    def stated_rating(self) -> Any:
        return dig(self.data, "aggregateRating", "ratingValue")

    def stated_votes(self) -> Any:
        return dig(self.data, "aggregateRating", "ratingCount")

    @field
    def certificate(self) -> str | None:
        return _word(self.data.get("contentRating"))

    @field
    def keywords(self) -> list[str]:
        listed = _many(self.data.get("keywords"))
        return unique([clean(w) for entry in listed for w in (_word(entry) or "").split(",")])


def _loads(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:  # line breaks inside strings, which IMDb wrote in 2018, and other things orjson refuses
        return read_json(text)
    except (ValueError, RecursionError) as error:
        raise RefusedPageError(f"its JSON-LD is not JSON: {error}") from None


def _many(value: Any) -> list[Any]:
    """One value, a list of them, or nothing."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _word(value: Any) -> str | None:
    return clean(unescape(value)) or None if isinstance(value, str) else None


def _spelled(value: Any) -> str:
    """What stands where a text should, whatever it is."""
    return "" if value is None else clean(unescape(str(value)))


def _person(entry: Any) -> Person | None:
    if dig(entry, "@type") == "Organization":
        return None
    name = _word(dig(entry, "name"))
    found = re.search(r"nm\d{7,10}", str(dig(entry, "url")))
    return Person(found.group() if found else None, name) if name else None
