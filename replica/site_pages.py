"""A record as a page: six layouts, two languages, always the same bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

from replica.records import Credit, Record
from replica.site_state import next_data
from replica.site_words import Words

LAYOUTS = (
    "overview_top",
    "title_wrapper_microdata",
    "title_wrapper_jsonld",
    "react_urql",
    "next_data",
    "next_data_v2",
)
MIXED = "mixed"
"""Every title in a layout of its own, by its id."""
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
_environment = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)


def layout_of(title_id: str, layout: str) -> str:
    """The layout a title is served in."""
    if layout != MIXED:
        return layout
    return LAYOUTS[hashlib.sha256(title_id.encode()).digest()[0] % len(LAYOUTS)]


def render(record: Record, layout: str, language: str = "en") -> bytes:
    """The page of a title in `layout` (one of LAYOUTS) and `language` (`en` or `de`)."""
    words = Words(language)
    is_react = _TEMPLATES[layout].startswith("react")
    state = next_data(record, words, layout) if is_react else None
    data = _linked_data(record) if is_react or layout == "title_wrapper_jsonld" else None
    page = _environment.get_template(_TEMPLATES[layout])
    return page.render(
        t=record,
        w=words,
        kind=page_kind(record),
        state=_script(state),
        data=_script(data),
    ).encode()


def redesigned(record: Record) -> bytes:
    """A page of a layout that nobody has seen yet."""
    page = _environment.get_template("redesign.html.j2")
    return page.render(t=record).encode()


def page_kind(record: Record) -> str:
    """What a page's `<title>` has in parentheses: `(TV Movie 2009)`, or nothing."""
    words = [_KINDS.get(record.type, ""), str(record.year or "")]
    text = " ".join(word for word in words if word)
    return f" ({text})" if text else ""


def _linked_data(record: Record) -> Mapping[str, Any]:
    """JSON-LD as IMDb writes it: one value and a list of one look different."""
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


def _script(value: Any) -> str:
    """JSON that may stand inside a script element."""
    return json.dumps(value, ensure_ascii=False).replace("</", "<\\/")
