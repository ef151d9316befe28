"""The microdata layouts: `overview_top` (2014) and `title_wrapper_microdata` (2015-18)."""

from __future__ import annotations

from typing import ClassVar

from web_poet import field

from marquee.normalise.text import clean
from scrapy_imdb.pages.html import Element, Section, first, text_of, xpath
from scrapy_imdb.pages.markup import CAST, DETAILS, STORY, MarkupPage
from scrapy_imdb.pages.title_page import required

_find_name = xpath("//h1//*[@itemprop='name'][not(contains(@class,'title-extra'))]")
_find_extra = xpath("//h1//*[contains(@class,'title-extra')]")
_find_when = xpath("//h1//*[contains(@class,'nobr')]")
_find_plot = xpath("//p[@itemprop='description']")
_find_original = xpath("//*[contains(@class,'originalTitle')]")
_find_summary = xpath("//*[contains(@class,'summary_text')]")


class OverviewTopPage(MarkupPage):
    """2014 to early 2016: everything of note in the table cell `overview-top`."""

    LAYOUT: ClassVar[str] = "overview_top"
    SECTIONS: tuple[Section, ...] = (
        (b'id="overview-top"', (b'id="share-checkin"', b'id="maindetails_', b'id="titleCast"')),
        CAST,
        STORY,
        DETAILS,
    )

    @field
    def title(self) -> str:
        return required(text_of(first(_find_name(self.root))), "title")

    @field
    def original_title(self) -> str | None:
        extra = first(_find_extra(self.root))
        return clean(extra.text or "").strip('" ') or None if extra is not None else None

    def year_place(self) -> Element:
        return first(_find_when(self.root))

    @field
    def plot(self) -> str | None:
        return story_text(first(_find_plot(self.root)))


class TitleWrapperPage(MarkupPage):
    """2015 to 2018: heading in `title_wrapper`, credits in `plot_summary`, microdata."""

    LAYOUT: ClassVar[str] = "title_wrapper_microdata"
    SECTIONS: tuple[Section, ...] = (
        (b'class="title_bar_wrapper"', (b'class="slate', b'class="plot_summary_wrapper"')),
        (b'class="plot_summary_wrapper"', (b'class="titleReviewBar', b'id="titleCast"')),
        CAST,
        STORY,
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
        return story_text(first(_find_summary(self.root)))


def story_text(element: Element) -> str | None:
    """A plot without the links that follow it (`See full summary`, `Add a Plot`)."""
    if element is None:
        return None
    for link in element.xpath(
        ".//a[not(contains(@href,'/name/') or contains(@href,'/title/tt'))]"
        " | .//a[contains(@href,'plotsummary')]"
    ):
        link.text = ""
    return text_of(element).rstrip("» ") or None
