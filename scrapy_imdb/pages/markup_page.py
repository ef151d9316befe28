"""Base class of the three markup layouts (2014-2021): labelled blocks, links and microdata.

`read_page_title` reads a title's type and years from the page's `<title>`. `markup_layouts` holds
the layouts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from html import unescape
from typing import Any

from web_poet import field

from marquee.normalise.amounts import read_money
from marquee.normalise.canonical_names import country_code, read_genres
from marquee.normalise.text import Unreadable, clean, unique
from scrapy_imdb.items import Person
from scrapy_imdb.pages.html_sections import (
    Element,
    Section,
    cut,
    first,
    parse,
    text_of,
    utf8_body,
    xpath,
)
from scrapy_imdb.pages.title_page import (
    MoneyReading,
    RefusedPageError,
    TitlePage,
    date_reading,
    distinct_people,
    required,
    title_id_in,
)
from sources.title_cells import read_minutes

_PAGE_TITLE = re.compile(rb"<title>(.{0,2000}?)</title>", re.DOTALL)
_OWN_ID = re.compile(
    rb"<(?:link rel=[\"']canonical[\"'] href|meta property=[\"'](?:og:url|pageId)[\"'] content)"
    rb"=[\"'][^\"'<>]{0,200}?(tt\d{7,10})"
)
_NAME_ID = re.compile(r"/name/(nm\d{7,10})")
_COUNTRY = re.compile(r"(?:country_of_origin=|countries=|/country/)([a-z]{2,4})\b")
_LANGUAGE = re.compile(r"(?:primary_language=|languages=|/language/)([a-z]{2,3})\b")
_YEAR = re.compile(r"\b(?:18|19|20)\d\d\b")
WRITERS = ("Writer", "Writers", "Drehbuch")

_find_labels = xpath("//h4")
_find_itemprops = xpath("//*[@itemprop]")
_find_links = xpath(".//a[@href]")
_find_durations = xpath("//time[@datetime]")
_find_heading = xpath("//h1")
_find_year = xpath("//h1//a[contains(@href,'/year/')] | //*[@id='titleYear']")


class MarkupPage(TitlePage):
    """Reads microdata, else links and labelled blocks."""

    SECTIONS: tuple[Section, ...] = ()

    @cached_property
    def body(self) -> bytes:
        return utf8_body(self.response)

    @cached_property
    def root(self) -> Element:
        """The sections that hold facts, as one tree."""
        try:
            return parse(cut(self.body, self.SECTIONS))
        except ValueError as error:
            raise RefusedPageError(str(error)) from None

    @cached_property
    def labels(self) -> dict[str, Element]:
        """Label to the `h4` of its block: `Budget`, `Gross USA`, `Director`."""
        found = {text_of(h4).rstrip(":").strip(): h4 for h4 in reversed(_find_labels(self.root))}
        return {label: h4 for label, h4 in found.items() if label}

    @cached_property
    def page_title(self) -> PageTitle:
        found = _PAGE_TITLE.search(self.body)
        return read_page_title(unescape(found.group(1).decode("utf-8", "replace")) if found else "")

    def block(self, *names: str) -> Element:
        """The block with one of these labels, or None."""
        label = next((self.labels[name] for name in names if name in self.labels), None)
        return None if label is None else label.getparent()

    @cached_property
    def itemprops(self) -> dict[str, list[Element]]:
        """Microdata elements by their property, in page order."""
        found: dict[str, list[Element]] = {}
        for element in _find_itemprops(self.root):
            found.setdefault(element.get("itemprop"), []).append(element)
        return found

    def itemprop(self, name: str) -> list[Element]:
        return self.itemprops.get(name, [])

    def links(self, element: Element, pattern: str) -> list[Element]:
        """Links below an element whose address holds `pattern`."""
        found = [] if element is None else _find_links(element)
        return [a for a in found if pattern in a.get("href")]

    def people(self, blocks: Sequence[Element]) -> list[Person]:
        """The people that are linked below the blocks."""
        found = (a for block in blocks for a in self.links(block, "/name/nm"))
        return distinct_people([_person(a) for a in found])

    @field
    def title_id(self) -> str:
        found = _OWN_ID.search(self.body)
        own = found.group(1).decode() if found else title_id_in(str(self.response.url))
        return required(own, "title id")

    @field
    def type(self) -> str:
        return type_of(self.page_title, "movie", self.listed_genres())

    @field
    def year(self) -> int | None:
        found = _YEAR.search(" ".join(text_of(e) for e in _find_year(self.root)))
        heading = None if found else _YEAR.search(text_of(self.year_element()))
        return int((found or heading).group()) if found or heading else self.page_title.year  # type: ignore[union-attr]

    def year_element(self) -> Element:
        """The element in the heading with the year of a series or an episode, or None."""
        return None

    @field
    def end_year(self) -> int | None:
        return self.page_title.end_year

    def release_reading(self) -> str | Unreadable | None:
        published = first(self.itemprop("datePublished"))
        return date_reading(None if published is None else published.get("content"))

    def stated_runtime(self) -> str | None:
        times: list[str] = [t.get("datetime").strip() for t in _find_durations(self.root)]
        lengths = [time for time in times if time[:1] in ("P", "p")]  # the others are dates
        return next((length for length in lengths if read_minutes(length)), first(lengths) or None)

    @field
    def directors(self) -> list[Person]:
        blocks = self.itemprop("director") or [self.block("Director", "Directors", "Regie")]
        return self.people(blocks)

    @field
    def writers(self) -> list[Person]:
        return self.people([self.block(*WRITERS)])

    @field
    def cast(self) -> list[Person]:
        return self.people(self.itemprop("actor") or self.itemprop("actors"))

    def listed_genres(self) -> list[str]:
        """Genres of the storyline, which lists all, else of the heading, which lists three."""
        storyline = self.links(self.block("Genres", "Genre"), "genre")
        heading = [e for e in self.itemprop("genre") if e.tag == "span"]
        return read_genres(text_of(e) for e in (storyline or heading))

    @field
    def genres(self) -> list[str]:
        return self.listed_genres()

    def stated_rating(self) -> Any:
        return text_of(first(self.itemprop("ratingValue")))

    def stated_votes(self) -> Any:
        return text_of(first(self.itemprop("ratingCount")))

    def budget_reading(self) -> MoneyReading:
        return self.money("Budget")

    def gross_reading(self) -> tuple[MoneyReading, str | None]:
        world = self.money("Cumulative Worldwide Gross")
        if world is not None:
            return world, "world"
        label = next((name for name in self.labels if name.startswith("Gross")), None)
        if label is None:
            return None, None
        area = label.removeprefix("Gross").strip() or _area(self.labels[label])
        return self.money(label), area

    def money(self, label: str) -> MoneyReading:
        """The amount after a label, without the remarks and dates behind it."""
        h4 = self.labels.get(label)
        stated = "" if h4 is None else clean(re.sub(r"\(.*", "", h4.tail or "")).rstrip(", ")
        if h4 is not None and not stated:
            stated = text_of(h4.getparent()).removeprefix(text_of(h4)).strip()
        return read_money(stated, self.country_codes()) if stated else None

    def country_codes(self) -> list[str]:
        return unique([country_code(code) or "" for code in self.linked_countries()])

    def unknown_codes(self) -> dict[str, list[str]]:
        codes = self.linked_countries()
        return {"countries": [code for code in codes if not country_code(code)]}

    def linked_countries(self) -> list[str]:
        hrefs = [a.get("href") for a in self.links(self.block("Country"), "countr")]
        return unique([m.group(1) for m in map(_COUNTRY.search, hrefs) if m])

    @field
    def countries(self) -> list[str]:
        return self.country_codes()

    @field
    def languages(self) -> list[str]:
        hrefs = [a.get("href") for a in self.links(self.block("Language"), "language")]
        return unique([m.group(1) for m in map(_LANGUAGE.search, hrefs) if m])

    @field
    def certificate(self) -> str | None:
        stated = first(self.itemprop("contentRating"))
        return clean(stated.get("content") or "") or None if stated is not None else None

    @field
    def companies(self) -> list[str]:
        found = self.links(self.block("Production Co"), "/company/co")
        return unique([text_of(a) for a in found])

    @field
    def keywords(self) -> list[str]:
        found = self.links(self.block("Plot Keywords"), "/keyword/")
        return unique([text_of(a) for a in found])

    def heading(self) -> Element:
        """The page's `h1`; RefusedPageError where it has none."""
        h1 = first(_find_heading(self.root))
        if h1 is None:
            raise RefusedPageError("the page has no heading")
        return h1


def _person(link: Element) -> Person | None:
    found, name = _NAME_ID.search(link.get("href")), text_of(link)
    return Person(found.group(1), name) if found and name else None


def _area(label: Element) -> str | None:
    """The area in parentheses after a label: `(USA)`. Parentheses with digits hold dates."""
    remarks = re.findall(r"\(([^()]+)\)", text_of(label.getparent()))
    area = next((clean(r) for r in remarks if not re.search(r"\d", r)), None)
    return "world" if area and area.lower() in ("worldwide", "weltweit") else area


_WORDS_OF_TYPE = {
    "movie": ("", "film"),
    "short": ("short", "kurzfilm"),
    "tvMovie": ("tv movie", "fernsehfilm", "tv-film"),
    "tvSeries": ("tv series", "fernsehserie", "tv-serie"),
    "tvMiniSeries": ("tv mini-series", "tv mini series", "tv-miniserie", "miniserie"),
    "tvEpisode": ("tv episode", "fernsehepisode", "tv-episode", "folge"),
    "tvSpecial": ("tv special", "fernsehspecial", "tv-special"),
    "tvShort": ("tv short", "tv-kurzfilm"),
    "video": ("video", "video short"),
    "videoGame": ("video game", "videospiel"),
    "musicVideo": ("music video", "musikvideo"),
}
_TYPES = {word: name for name, words in _WORDS_OF_TYPE.items() for word in words}
_TAIL = re.compile(
    r"\(([^()0-9]*?)\s*((?:18|19|20)\d\d)?(?:\s*[–—-]\s*((?:18|19|20)\d\d)?)?\s*\)"
    r"(?:\s*-\s*IMDb)?\s*$"
)


@dataclass(frozen=True, slots=True)
class PageTitle:
    """IMDb's type id and the years in a page's `<title>`, each None where it is absent."""

    type: str | None
    year: int | None
    end_year: int | None


def read_page_title(page_title: str) -> PageTitle:
    """`Breaking Bad (TV Series 2008–2013) - IMDb` is a tvSeries of 2008 to 2013."""
    found = _TAIL.search(clean(page_title))
    if not found:
        return PageTitle(None, None, None)
    words, *years = found.groups()
    year, end = (int(text) if text else None for text in years)
    return PageTitle(_TYPES.get(words.strip().lower()), year, end)


def type_of(title: PageTitle, stated: str, genres: list[str]) -> str:
    """IMDb's type id: the page title's, else `stated`. A movie with genre Short is a `short`."""
    found = title.type if title.type and title.type != "movie" else stated
    return "short" if found == "movie" and "Short" in genres else found
