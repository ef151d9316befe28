"""The three markup layouts, oldest first.

- `overview_top` (2014 to early 2016): microdata
- `title_wrapper_microdata` (2015 to 2018): microdata
- `title_wrapper_jsonld` (2018 to 2021): JSON-LD, else markup
"""

from __future__ import annotations

import re
from functools import cached_property
from html import unescape
from typing import Any, ClassVar

import orjson
from web_poet import field

from marquee.normalise.canonical_names import read_genres
from marquee.normalise.text import Unreadable, clean, read_json, unique
from scrapy_imdb.items import Person
from scrapy_imdb.pages.html_sections import Element, Section, first, text_of, xpath
from scrapy_imdb.pages.markup_page import WRITERS, MarkupPage, type_of
from scrapy_imdb.pages.next_data import value_at
from scrapy_imdb.pages.title_page import (
    RefusedPageError,
    date_reading,
    distinct_people,
    required,
    title_id_in,
)
from sources.title_cells import read_minutes

STORYLINE = (b'id="titleStoryLine"', (b'id="titleDetails"', b'id="titleDidYouKnow"'))
DETAILS = (b'id="titleDetails"', (b'id="titleDidYouKnow"', b'id="titleUserReviews', b"</body"))
CAST = (b'id="titleCast"', (b'id="titleStoryLine"', b'id="titleDetails"', b"</table"))
_LD_TYPES = {
    "movie": "movie",
    "tvseries": "tvSeries",
    "tvepisode": "tvEpisode",
    "videogame": "videoGame",
    "musicvideoobject": "musicVideo",
}
_SCRIPT = re.compile(rb"<script type=[\"']application/ld\+json[\"'][^<>]*>")
_find_name = xpath("//h1//*[@itemprop='name'][not(contains(@class,'title-extra'))]")
_find_extra = xpath("//h1//*[contains(@class,'title-extra')]")
_find_when = xpath("//h1//*[contains(@class,'nobr')]")
_find_plot = xpath("//p[@itemprop='description']")
_find_original = xpath("//*[contains(@class,'originalTitle')]")
_find_summary = xpath("//*[contains(@class,'summary_text')]")


class OverviewTopPage(MarkupPage):
    """2014 to early 2016: heading, rating and credits in the table cell `overview-top`."""

    LAYOUT: ClassVar[str] = "overview_top"
    SECTIONS: tuple[Section, ...] = (
        (b'id="overview-top"', (b'id="share-checkin"', b'id="maindetails_', b'id="titleCast"')),
        CAST,
        STORYLINE,
        DETAILS,
    )

    @field
    def title(self) -> str:
        return required(text_of(first(_find_name(self.root))), "title")

    @field
    def original_title(self) -> str | None:
        extra = first(_find_extra(self.root))
        return clean(extra.text or "").strip('" ') or None if extra is not None else None

    def year_element(self) -> Element:
        return first(_find_when(self.root))

    @field
    def plot(self) -> str | None:
        return plot_text(first(_find_plot(self.root)))


class TitleWrapperPage(MarkupPage):
    """2015 to 2018: heading in `title_wrapper`, credits in `plot_summary`, microdata."""

    LAYOUT: ClassVar[str] = "title_wrapper_microdata"
    SECTIONS: tuple[Section, ...] = (
        (b'class="title_bar_wrapper"', (b'class="slate', b'class="plot_summary_wrapper"')),
        (b'class="plot_summary_wrapper"', (b'class="titleReviewBar', b'id="titleCast"')),
        CAST,
        STORYLINE,
        DETAILS,
    )

    @field
    def title(self) -> str:
        h1 = self.heading()
        year = first(h1.xpath(".//*[@id='titleYear']"))
        shown = text_of(h1)
        return required(shown.removesuffix(text_of(year)).strip(), "title")

    @field
    def original_title(self) -> str | None:
        original = first(_find_original(self.root))
        return clean(original.text or "") or None if original is not None else None

    @field
    def plot(self) -> str | None:
        return plot_text(first(_find_summary(self.root)))


def plot_text(element: Element) -> str | None:
    """The text of a plot without links like `See full summary` and `Add a Plot`."""
    if element is None:
        return None
    for link in element.xpath(
        ".//a[not(contains(@href,'/name/') or contains(@href,'/title/tt'))]"
        " | .//a[contains(@href,'plotsummary')]"
    ):
        link.text = ""
    return text_of(element).rstrip("» ") or None


class TitleWrapperJsonldPage(TitleWrapperPage):
    """2018 to 2021: JSON-LD, where a single value stands without a list: `director`, `actor`."""

    LAYOUT: ClassVar[str] = "title_wrapper_jsonld"
    SECTIONS: tuple[Section, ...] = (*TitleWrapperPage.SECTIONS[:2], STORYLINE, DETAILS)

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
        return distinct_people([_person(entry) for entry in _as_list(self.data.get(key))])

    @field
    def title_id(self) -> str:
        own = title_id_in(str(self.data.get("url")))
        return own or str(super().title_id)

    @field
    def type(self) -> str:
        stated = _LD_TYPES.get(str(self.data.get("@type")).lower(), "movie")
        return type_of(self.page_title, stated, self.listed_genres())

    @field
    def original_title(self) -> str | None:
        shown = super().original_title
        return str(shown) if shown else _as_text(self.data.get("name"))

    def release_reading(self) -> str | Unreadable | None:
        return date_reading(_any_text(self.data.get("datePublished")))

    def stated_runtime(self) -> str | None:
        own = _any_text(self.data.get("duration"))
        return own if read_minutes(own) else super().stated_runtime() or own

    @field
    def directors(self) -> list[Person]:
        return self.stated_people("director")

    @field
    def writers(self) -> list[Person]:
        # `creator` also holds a series' creators; a block of writers shows that it holds writers.
        return self.stated_people("creator") if self.block(*WRITERS) is not None else []

    @field
    def cast(self) -> list[Person]:
        return self.stated_people("actor")

    def listed_genres(self) -> list[str]:
        return read_genres(w for w in map(_as_text, _as_list(self.data.get("genre"))) if w)

    def stated_rating(self) -> Any:
        return value_at(self.data, "aggregateRating", "ratingValue")

    def stated_votes(self) -> Any:
        return value_at(self.data, "aggregateRating", "ratingCount")

    @field
    def certificate(self) -> str | None:
        return _as_text(self.data.get("contentRating"))

    @field
    def keywords(self) -> list[str]:
        listed = _as_list(self.data.get("keywords"))
        return unique([clean(w) for entry in listed for w in (_as_text(entry) or "").split(",")])


def _loads(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:  # orjson refuses line breaks inside strings, as IMDb wrote in 2018
        return read_json(text)
    except (ValueError, RecursionError) as error:
        raise RefusedPageError(f"its JSON-LD is not JSON: {error}") from None


def _as_list(value: Any) -> list[Any]:
    """The value as a list: `[]` for None, `[value]` for a single value."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _as_text(value: Any) -> str | None:
    return clean(unescape(value)) or None if isinstance(value, str) else None


def _any_text(value: Any) -> str:
    """Any value as text; "" for None. The field's reader refuses a wrong one with a note."""
    return "" if value is None else clean(unescape(str(value)))


def _person(entry: Any) -> Person | None:
    if value_at(entry, "@type") == "Organization":
        return None
    name = _as_text(value_at(entry, "name"))
    found = re.search(r"nm\d{7,10}", str(value_at(entry, "url")))
    return Person(found.group() if found else None, name) if name else None
