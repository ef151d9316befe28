"""Real pages, 2014 to 2026: every field right, by a second reader and by the page's own text."""

from __future__ import annotations

import gzip
import html
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from web_poet import HttpResponse

from bench.parsel_pages import FIELDS, read_with_parsel
from marquee.normalise.amounts import Money, read_money
from scrapy_imdb.items import TitleItem
from scrapy_imdb.pages import LAYOUTS, RefusedPageError, read_page

REQUIRED = ("title_id", "title", "year", "directors", "genres", "rating", "vote_count", "budget")


def pages(folder: Path, kind: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Lines of the manifest and the text of their pages."""
    for line in (folder / "manifest.jsonl").read_text("utf-8").splitlines():
        fact = json.loads(line)
        if (fact["kind"] == "title") == (kind == "title"):
            yield fact, gzip.decompress((folder / fact["file"]).read_bytes()).decode()


@pytest.fixture(scope="module")
def read(saved_pages: Path) -> list[tuple[dict[str, Any], str, TitleItem]]:
    return [
        (fact, text, read_page(HttpResponse("http://saved/", body=text.encode())))
        for fact, text in pages(saved_pages, "title")
    ]


def test_all_are_read_and_all_layouts_are_there(read):
    counted = Counter(item.layout for _, _, item in read)
    assert sum(counted.values()) >= 99
    assert set(counted) == set(LAYOUTS)


def test_a_second_reader_finds_the_same_in_every_field(read):
    table: Counter[tuple[str, str]] = Counter()
    for fact, text, item in read:
        other = read_with_parsel(text)
        for name in FIELDS:
            assert plain(getattr(item, name)) == other[name], (fact["file"], name)
            table[item.layout, name] += other[name] not in (None, [])
    for layout in LAYOUTS:
        stated = {name: table[layout, name] for name in REQUIRED}
        print(f"{layout:<24}", stated)
        assert all(stated.values()), stated


def plain(value: Any) -> Any:
    if isinstance(value, Money):
        return value.amount, value.currency
    if isinstance(value, list) and value and hasattr(value[0], "name_id"):
        return [(p.name_id, p.name) for p in value]
    return value


def test_title_and_year_are_those_of_the_window(read):
    """`Name (Kind Year) - IMDb`, or `"Series" Episode (…)`, is what a browser shows."""
    checked = 0
    for fact, text, item in read:
        found = re.search(r"<title>(.*?)</title>", text, re.DOTALL)
        window = html.unescape(found.group(1)) if found else ""
        if " - IMDb" not in window:
            continue
        assert item.title in window, fact["file"]
        assert item.title_id == fact["tt"]
        years = re.findall(r"\([^()]*?(\d{4})[^()]*\) - IMDb", window)
        assert [str(item.year)] == years or not years, fact["file"]
        checked += 1
    assert checked > 60


def test_budgets_are_those_the_page_shows(read):
    """The amount in the page's visible text, which React pages repeat beside their data."""
    checked = 0
    for fact, text, item in read:
        shown = shown_budget(text)
        money = read_money(shown, item.countries) if shown else None
        assert item.budget == money, fact["file"]
        checked += isinstance(money, Money)
    assert checked > 70


def shown_budget(text: str) -> str | None:
    """`$25,000,000 (estimated)`: what follows the label once the tags are gone."""
    at = max(text.find('data-testid="title-boxoffice-budget"'), text.find(">Budget:</h4>"))
    seen = html.unescape(re.sub(r"<[^>]*>", "", text[at : at + 3000].partition(">")[2]))
    found = re.match(r"\s*(?:Budget)?:?\s*(.*?\((?:estimated|geschätzt)\))", seen, re.DOTALL)
    return found.group(1) if at >= 0 and found else None


def test_react_pages_agree_with_their_linked_data(read):
    """Rating, votes and genres stand a second time in JSON-LD, which those readers never open."""
    checked = 0
    for fact, text, item in read:
        data = re.search(r'<script type="application/ld\+json">(.*?)</script>', text, re.DOTALL)
        if not item.layout.startswith(("react", "next")) or not data:
            continue
        linked = json.loads(data.group(1))
        rating = linked.get("aggregateRating")
        if rating:
            assert (item.rating, item.vote_count) == (rating["ratingValue"], rating["ratingCount"])
        stated = {person["name"] for person in linked.get("director", [])}
        if stated and item.type != "tvSeries":
            names = {html.escape(p.name).replace("&#x27;", "&apos;") for p in item.directors}
            assert stated <= names, fact["file"]
        checked += 1
    assert checked > 30


def test_pages_that_are_no_titles_are_refused(saved_pages):
    refused = 0
    for _, text in pages(saved_pages, "other"):
        with pytest.raises(RefusedPageError, match="no layout"):
            read_page(HttpResponse("http://saved/", body=text.encode()))
        refused += 1
    assert refused >= 12
