"""The same fields read as a Scrapy project usually does: whole documents, parsel selectors.

The benchmark's yardstick and, being written separately, the page objects' second reader in the
tests. It shares no code with `scrapy_imdb.pages` but the reading of money and genres.
"""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

from parsel import Selector

from marquee.normalise.amounts import Money, read_money
from marquee.normalise.canonical_names import read_genres

FIELDS = (
    "title_id",
    "title",
    "year",
    "release_date",
    "runtime",
    "directors",
    "cast",
    "genres",
    "rating",
    "vote_count",
    "budget",
    "countries",
    "languages",
    "certificate",
    "companies",
    "keywords",
)
Fields = dict[str, Any]
_FORMER_GERMANY = {"XWG": "DE"}


def read_with_parsel(text: str) -> Fields:
    """The fields of a page of any layout, people as (id, name), money as (amount, currency)."""
    fields = _read(Selector(text=text))
    return fields | {"companies": list(dict.fromkeys(fields["companies"]))}


def _read(page: Selector) -> Fields:
    state = page.xpath('//script[@id="__NEXT_DATA__"]/text()').get()
    if state:
        return _react(json.loads(state))
    if page.css("#overview-top"):
        return _markup(page, page.css('h1 [itemprop="name"]::text').get(""))
    year = "".join(page.css("#titleYear ::text").getall())
    heading = "".join(page.css(".title_wrapper h1 ::text").getall()).replace(year, "")
    fields = _markup(page, heading)
    data = page.xpath('//script[@type="application/ld+json"]/text()').get()
    return fields | _linked(json.loads(data, strict=False), page) if data else fields


def _react(state: Any) -> Fields:
    page = state["props"]["pageProps"]
    if "aboveTheFoldData" in page:
        above, main = page["aboveTheFoldData"], page["mainColumnData"]
    else:
        above, main = _urql(state, page["tconst"])
    cast = main.get("cast", {}).get("edges") or []
    members = [edge["node"] for edge in cast] or _v2(main.get("castV2"))[:1]
    members = members[0] if members and isinstance(members[0], list) else members
    directors = main.get("directors")
    crew = [g["credits"] for g in directors] if directors is not None else _directors_v2(main)
    release, runtime = above.get("releaseDate") or {}, above.get("runtime") or {}
    money = (main.get("productionBudget") or {}).get("budget") or {}
    countries = main.get("countriesOfOrigin") or main.get("countriesDetails") or {}
    spoken = (main.get("spokenLanguages") or {}).get("spokenLanguages") or []
    codes = [c["id"] for c in countries.get("countries", [])]
    return {
        "title_id": above["meta"]["canonicalId"],
        "title": _plain(above["titleText"]["text"]),
        "year": (above.get("releaseYear") or {}).get("year"),
        "release_date": _date(release),
        "runtime": runtime["seconds"] // 60 if runtime else None,
        "directors": _once([_named(c) for group in crew for c in group]),
        "cast": _once([_named(c) for c in members]),
        "genres": read_genres(g["id"] for g in (above.get("genres") or {}).get("genres", [])),
        "rating": above["ratingsSummary"]["aggregateRating"],
        "vote_count": above["ratingsSummary"]["voteCount"],
        "budget": (money["amount"], money["currency"]) if money else None,
        "countries": list(dict.fromkeys(_FORMER_GERMANY.get(c, c) for c in codes)),
        "languages": [s["id"] for s in spoken],
        "certificate": (above.get("certificate") or {}).get("rating"),
        "companies": [
            _plain(e["node"]["company"]["companyText"]["text"])
            for e in (main.get("production") or above["production"])["edges"]
        ],
        "keywords": [_plain(e["node"]["text"]) for e in above["keywords"]["edges"]],
    }


def _urql(state: Any, title_id: str) -> tuple[Any, Any]:
    cache = state["props"].get("urqlState") or state["props"]["pageProps"]["urqlState"]
    answers = [
        json.loads(e["data"]) if isinstance(e["data"], str) else e["data"] for e in cache.values()
    ]
    titles = [a["title"] for a in answers if a.get("title", {}).get("id") == title_id]
    main = next(t for t in titles if "productionBudget" in t)
    return next(t for t in titles if "meta" in t), main


def _v2(groups: Any) -> list[Any]:
    return [group["credits"] for group in groups or []]


def _directors_v2(main: Any) -> list[Any]:
    return [
        group["credits"]
        for group in main.get("crewV2") or []
        if "ace5cb4c-8708-4238-9542-04641e7c8171" in group["grouping"]["groupingId"]
    ]


def _named(credit: Any) -> tuple[str, str]:
    return credit["name"]["id"], _plain(credit["name"]["nameText"]["text"])


def _date(release: Any) -> str | None:
    if not release.get("year"):
        return None
    parts = [f"{release['year']:04d}"]
    for name in ("month", "day"):
        if not release.get(name):
            break
        parts.append(f"{release[name]:02d}")
    return "-".join(parts)


def _markup(page: Selector, heading: str) -> Fields:
    details = page.css("#titleDetails")
    names = details.xpath('.//div[h4[starts-with(text(),"Country")]]/a/@href').getall()
    spoken = details.xpath('.//div[h4[starts-with(text(),"Language")]]/a/@href').getall()
    countries = [
        _code(r"(?:country_of_origin=|countries=|/country/)([a-z]+)", n).upper() for n in names
    ]
    countries = list(dict.fromkeys(_FORMER_GERMANY.get(c, c) for c in countries))
    year = page.css("h1 a[href*='/year/']::text, #titleYear a::text").get() or _year_of_title(page)
    minutes = page.css("time::attr(datetime)").re_first(r"PT(\d+)M")
    budget = details.xpath('.//h4[starts-with(text(),"Budget")]/following-sibling::text()').get("")
    money = read_money(budget.strip(), countries)
    storyline = page.css("#titleStoryLine")
    certificate = page.css(
        '.infobar [itemprop="contentRating"], .subtext [itemprop="contentRating"]'
    )
    return {
        "title_id": page.css('link[rel="canonical"]::attr(href)').re_first(r"tt\d+"),
        "title": _plain(heading),
        "year": int(year) if year else None,
        "release_date": page.css('[itemprop="datePublished"]::attr(content)').get(),
        "runtime": int(minutes) if minutes else None,
        "directors": _people(page.css('[itemprop="director"] a[href*="/name/nm"]')),
        "cast": _people(page.css('#titleCast td[itemprop="actor"] a[href*="/name/nm"]')),
        "genres": read_genres(
            storyline.xpath('.//div[h4[starts-with(text(),"Genres")]]/a/text()').getall()
            or page.css('span[itemprop="genre"]::text').getall()
        ),
        "rating": _float(page.css('[itemprop="ratingValue"]::text').get()),
        "vote_count": _int(page.css('[itemprop="ratingCount"]::text').get()),
        "budget": (money.amount, money.currency) if isinstance(money, Money) else None,
        "countries": countries,
        "languages": [
            _code(r"(?:primary_language=|languages=|/language/)([a-z]+)", s) for s in spoken
        ],
        "certificate": certificate.attrib.get("content"),
        "companies": [
            _plain("".join(a.css("::text").getall())) for a in details.css('a[href*="/company/co"]')
        ],
        "keywords": [
            _plain("".join(a.css("::text").getall()))
            for a in storyline.xpath('.//div[h4[starts-with(text(),"Plot Keywords")]]/a')
        ],
    }


def _linked(data: Any, page: Selector) -> Fields:
    rating = data.get("aggregateRating") or {}
    return {
        "title_id": re.search(r"tt\d+", data["url"]).group(),  # type: ignore[union-attr]
        "release_date": data.get("datePublished"),
        "directors": [_linked_person(p) for p in _many(data.get("director"))],
        "cast": [_linked_person(p) for p in _many(data.get("actor"))],
        "genres": read_genres(_many(data.get("genre"))),
        "rating": float(rating["ratingValue"]) if rating else None,
        "vote_count": rating.get("ratingCount"),
        "certificate": data.get("contentRating"),
        "keywords": [unescape(k) for k in (data.get("keywords") or "").split(",") if k],
    }


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []


def _linked_person(person: Any) -> tuple[str, str]:
    return re.search(r"nm\d+", person["url"]).group(), _plain(unescape(person["name"]))  # type: ignore[union-attr]


def _people(links: Any) -> list[tuple[str, str]]:
    found = [
        (re.search(r"nm\d+", a.attrib["href"]).group(), _plain("".join(a.css("::text").getall())))
        for a in links
    ]
    return _once([(key, name) for key, name in found if name])


def _once(people: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return list(dict(zip([p[0] for p in people], people, strict=True)).values())


def _year_of_title(page: Selector) -> str | None:
    found: str | None = page.css("title::text").re_first(
        r"\((?:[^()0-9]*)(\d{4})[^()]*\)(?: - IMDb)?\s*$"
    )
    return found


def _code(pattern: str, href: str) -> str:
    found = re.search(pattern, href)
    return found.group(1) if found else ""


def _plain(text: str) -> str:
    return " ".join(text.split())


def _float(text: str | None) -> float | None:
    return float(text.strip().replace(",", ".")) if text else None


def _int(text: str | None) -> int | None:
    return int(re.sub(r"\D", "", text)) if text else None
