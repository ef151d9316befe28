"""Render a title as an HTML page, in six layouts and two languages.

The same record gives the same bytes. `site` serves these pages; tests and benchmarks of the crawl
render them without a server. The markup is in `templates/`. This module makes the data inside a
page: JSON-LD, and `__NEXT_DATA__` in the form of IMDb's React pages since 2021.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

from replica.site_titles import Credit, PageLanguage, Record

LAYOUTS = (
    "overview_top",
    "title_wrapper_microdata",
    "title_wrapper_jsonld",
    "react_urql",
    "next_data",
    "next_data_v2",
)
MIXED_LAYOUTS = "mixed"
"""Stands for a layout chosen by the title's id, so that a site mixes all layouts."""
_TEMPLATES = {
    "overview_top": "overview_top.html.j2",
    "title_wrapper_microdata": "title_wrapper.html.j2",
    "title_wrapper_jsonld": "title_wrapper.html.j2",
    "react_urql": "react.html.j2",
    "next_data": "react.html.j2",
    "next_data_v2": "react.html.j2",
}
_KINDS = {
    "short": "Short",
    "tvMovie": "TV Movie",
    "tvSeries": "TV Series",
    "tvMiniSeries": "TV Mini-Series",
    "tvEpisode": "TV Episode",
    "video": "Video",
    "videoGame": "Video Game",
}
Node = Any
# IMDb's own ids of its credit groups. Page objects read these ids: the names of the groups change
# with the language.
GROUP_IDS = {
    "director": "amzn1.imdb.concept.name_credit_category.ace5cb4c-8708-4238-9542-04641e7c8171",
    "writer": "amzn1.imdb.concept.name_credit_category.c84ecaff-add5-4f2e-81db-102a41881fe3",
    "cast": "amzn1.imdb.concept.name_credit_group.7caf7d16-5db9-4f4f-8864-d4c6e711c686",
}
CREDITS_SHOWN = 3
"""How many credits of each group the top of a page shows."""
_environment = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)


def layout_of(title_id: str, layout: str) -> str:
    """`layout` itself; for MIXED_LAYOUTS, one of LAYOUTS chosen by the title's id."""
    if layout != MIXED_LAYOUTS:
        return layout
    return LAYOUTS[hashlib.sha256(title_id.encode()).digest()[0] % len(LAYOUTS)]


def render(record: Record, layout: str, language: str = "en") -> bytes:
    """The page of a title in `layout` (one of LAYOUTS) and `language` (`en` or `de`)."""
    words = PageLanguage(language)
    is_react = _TEMPLATES[layout].startswith("react")
    state = next_data(record, words, layout) if is_react else None
    data = linked_data(record) if is_react or layout == "title_wrapper_jsonld" else None
    page = _environment.get_template(_TEMPLATES[layout])
    return page.render(
        t=record,
        w=words,
        kind=page_kind(record),
        state=_script(state),
        data=_script(data),
    ).encode()


def redesigned(record: Record) -> bytes:
    """The page of a title in a layout that no page object can read."""
    page = _environment.get_template("redesign.html.j2")
    return page.render(t=record).encode()


def page_kind(record: Record) -> str:
    """The end of a page's `<title>`, such as ` (TV Movie 2009)`; empty without type and year."""
    words = [_KINDS.get(record.type, ""), str(record.year or "")]
    text = " ".join(word for word in words if word)
    return f" ({text})" if text else ""


def _script(value: Any) -> str:
    """JSON in which `</` is escaped, so that it cannot end the script element around it."""
    return json.dumps(value, ensure_ascii=False).replace("</", "<\\/")


def linked_data(record: Record) -> Mapping[str, Any]:
    """JSON-LD in IMDb's form: a list of one value is written as the value alone."""
    data = {
        "@context": "http://schema.org",
        "@type": "TVSeries" if record.type == "tvSeries" else "Movie",
        "url": f"/title/{record.title_id}/",
        "name": record.original,
        "genre": _one_or_many(list(record.genres)),
        "contentRating": record.certificate,
        "actor": _one_or_many([_person(p) for p in record.cast[:4]]),
        "director": _one_or_many([_person(p) for p in record.directors]),
        "creator": _one_or_many([_person(p) for p in record.writers]),
        "datePublished": record.release_date,
        "keywords": ",".join(record.keywords) or None,
        "aggregateRating": record.rating
        and {
            "@type": "AggregateRating",
            "ratingCount": record.vote_count,
            "bestRating": "10.0",
            "worstRating": "1.0",
            "ratingValue": f"{record.rating:.1f}",
        },
    }
    return {key: value for key, value in data.items() if value}


def _person(person: Credit) -> dict[str, str]:
    return {"@type": "Person", "url": f"/name/{person.name_id}/", "name": person.name}


def _one_or_many(found: list[Any]) -> Any:
    return found[0] if len(found) == 1 else found


def next_data(record: Record, words: PageLanguage, layout: str) -> Node:
    """The `__NEXT_DATA__` object of a title's page in one of the three React layouts."""
    above, main = _above(record, words), _main(record, words)
    credits = _credits_v2 if layout == "next_data_v2" else _credits
    top, column = credits(record, words)
    above, main = above | top, main | column
    page: dict[str, Node] = {"tconst": record.title_id, "requestContext": {"sidecar": {}}}
    path = "/title/[tconst]"
    if layout == "react_urql":
        path, answers = "/title/[id]", {"1773476511": main, "2908604523": above}
        page["urqlState"] = {
            key: {"data": json.dumps({"title": answer}, ensure_ascii=False)}
            for key, answer in answers.items()
        }
    else:
        page |= {"aboveTheFoldData": above, "mainColumnData": main, "urqlState": None}
    return {
        "props": {"pageProps": page, "__N_SSP": True},
        "page": path,
        "query": {"tconst": record.title_id},
        "buildId": "replica",
        "locale": words.locale,
    }


def _above(record: Record, words: PageLanguage) -> dict[str, Node]:
    return {
        "id": record.title_id,
        "titleText": _text(record.title, "TitleText"),
        "titleType": {
            "id": record.type,
            "text": words.type(record.type),
            "isSeries": record.type in ("tvSeries", "tvMiniSeries"),
            "isEpisode": record.type == "tvEpisode",
        },
        "originalTitleText": _text(record.original, "TitleText"),
        "certificate": {"rating": record.certificate} if record.certificate else None,
        "releaseYear": {"year": record.year, "endYear": None} if record.year else None,
        "releaseDate": _release(record),
        "runtime": {"seconds": record.runtime * 60} if record.runtime else None,
        "ratingsSummary": {
            "aggregateRating": record.rating,
            "voteCount": record.vote_count or 0,
        },
        "keywords": _edges([{"text": keyword} for keyword in record.keywords]),
        "genres": {"genres": [{"text": words.genre(g), "id": g} for g in record.genres]},
        "plot": {"plotText": {"plainText": record.plot}} if record.plot else None,
        "meta": {"canonicalId": record.title_id, "publicationStatus": "PUBLISHED"},
        "production": _companies(record),
    }


def _main(record: Record, words: PageLanguage) -> dict[str, Node]:
    area = "worldwideGross" if record.gross_is_world else "lifetimeGross"
    countries = [{"id": c, "text": words.country(c)} for c in record.countries]
    return {
        "id": record.title_id,
        "countriesOfOrigin": {"countries": countries},
        "countriesDetails": {"countries": countries},
        "spokenLanguages": {
            "spokenLanguages": [{"id": s, "text": words.spoken(s)} for s in record.languages]
        },
        "production": _companies(record),
        "productionBudget": {"budget": _money(record.budget)} if record.budget else None,
        "worldwideGross": None,
        "lifetimeGross": None,
        area: {"total": _money(record.gross)} if record.gross else None,
    }


def _credits(record: Record, words: PageLanguage) -> tuple[dict[str, Node], dict[str, Node]]:
    groups: dict[str, Node] = {
        role: {
            "totalCredits": len(people),
            "category": {"text": words.role(role, len(people)), "id": role},
            "credits": [_name(person) for person in people],
        }
        for role, people in _roles(record)
    }
    principal = [group | {"credits": group["credits"][:CREDITS_SHOWN]} for group in groups.values()]
    column = {
        "directors": [groups["director"]] if record.directors else [],
        "writers": [groups["writer"]] if record.writers else [],
        "cast": _edges([_name(person) for person in record.cast]),
    }
    return {"principalCredits": principal}, column


def _credits_v2(record: Record, words: PageLanguage) -> tuple[dict[str, Node], dict[str, Node]]:
    groups: list[Node] = [
        {
            "totalCredits": len(people),
            "grouping": {"text": words.role(role, len(people)), "groupingId": GROUP_IDS[role]},
            "credits": [_name(person) for person in people],
        }
        for role, people in _roles(record)
        if people
    ]
    principal = [group | {"credits": group["credits"][:CREDITS_SHOWN]} for group in groups]
    cast = [g for g in groups if g["grouping"]["groupingId"] == GROUP_IDS["cast"]]
    crew = [g for g in groups if g not in cast]
    return {"principalCreditsV2": principal}, {"crewV2": crew, "castV2": cast}


def _roles(record: Record) -> list[tuple[str, Sequence[Credit]]]:
    return [("director", record.directors), ("writer", record.writers), ("cast", record.cast)]


def _name(person: Credit) -> Node:
    return {"name": {"id": person.name_id, "nameText": _text(person.name, "NameText")}}


def _release(record: Record) -> Node:
    if not record.release_date:
        return {"day": None, "month": None, "year": record.year} if record.year else None
    year, month, day = (int(part) for part in record.release_date.split("-"))
    return {"day": day, "month": month, "year": year}


def _companies(record: Record) -> Node:
    companies = [{"company": {"companyText": {"text": name}}} for name in record.companies]
    return _edges(companies)


def _money(money: tuple[float, str]) -> Node:
    return {"amount": money[0], "currency": money[1], "__typename": "Money"}


def _edges(found: list[Node]) -> Node:
    return {"total": len(found), "edges": [{"node": node} for node in found]}


def _text(text: str, kind: str) -> Node:
    return {"text": text, "__typename": kind}
