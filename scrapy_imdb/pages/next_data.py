"""Read the JSON data of a React page (`__NEXT_DATA__`), and values in it of unknown shape."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson
from web_poet import HttpResponse

from marquee.normalise.text import clean, read_json
from scrapy_imdb.items import Person
from scrapy_imdb.pages.html_sections import transcoded
from scrapy_imdb.pages.title_page import RefusedPageError, title_id_in

Node = Any
STATE_MARK = b"__NEXT_DATA__"
_NOTHING = msgspec.Raw(b"null")
_SCRIPT = re.compile(rb"[^<>]*>")


class _PageProps(msgspec.Struct):
    """The keys about the title. msgspec skips all others, such as adverts."""

    tconst: Node = None
    aboveTheFoldData: msgspec.Raw = _NOTHING
    mainColumnData: msgspec.Raw = _NOTHING
    urqlState: msgspec.Raw = _NOTHING


class _Props(msgspec.Struct):
    pageProps: _PageProps
    urqlState: msgspec.Raw = _NOTHING


class _State(msgspec.Struct):
    props: _Props
    page: str = ""
    query: Node = None


_decoder = msgspec.json.Decoder(_State)


@dataclass(frozen=True, slots=True)
class PageState:
    """The data about the title in `__NEXT_DATA__`."""

    page: str
    """The site's name for this kind of page: `/title/[tconst]`."""
    title_id: str | None
    """The title id of the page."""
    above: Node
    """The GraphQL answer for the top of the page; None where the layout has none."""
    main: Node
    """The GraphQL answer for the main column; None where the layout has none."""
    cache: Node
    """The urql cache of the first React pages: opaque key to a GraphQL answer as text."""


def next_data(response: HttpResponse, mark: int = 0) -> PageState:
    """The state of a React page; RefusedPageError where it is cut or broken.

    `mark`: a position in the body from which to search for it.
    """
    try:
        return _read(bytes(response.body), mark)
    except (msgspec.DecodeError, orjson.JSONDecodeError, UnicodeDecodeError):
        pass  # the encoding may be another than UTF-8
    except RecursionError:
        raise RefusedPageError("its __NEXT_DATA__ is nested too deeply") from None
    body = transcoded(response)
    try:
        return _read(body)
    except (msgspec.DecodeError, orjson.JSONDecodeError, RecursionError):
        pass  # these decoders may refuse one value
    try:
        return _read_leniently(body)
    except (ValueError, RecursionError) as error:
        raise RefusedPageError(f"its __NEXT_DATA__ is not what we know: {error}") from None


def _script(body: bytes, mark: int = 0) -> memoryview:
    mark = body.find(STATE_MARK, mark)
    opening = _SCRIPT.match(body, mark) if mark >= 0 else None
    end = body.find(b"</script", opening.end()) if opening else -1
    if opening is None or end < 0:
        raise RefusedPageError("its __NEXT_DATA__ is missing or cut off")
    return memoryview(body)[opening.end() : end]


def _read(body: bytes, mark: int = 0) -> PageState:
    state = _decoder.decode(_script(body, mark))
    page = state.props.pageProps
    cache = page.urqlState if len(bytes(page.urqlState)) > 4 else state.props.urqlState
    return PageState(
        page=state.page,
        title_id=_title_id(page.tconst, state.query),
        above=orjson.loads(memoryview(page.aboveTheFoldData)),
        main=orjson.loads(memoryview(page.mainColumnData)),
        cache=orjson.loads(memoryview(cache)),
    )


def _read_leniently(body: bytes) -> PageState:
    """As `_read`, three times slower; it also reads values that orjson and msgspec refuse."""
    state = read_json(bytes(_script(body)))
    page = value_at(state, "props", "pageProps")
    if not isinstance(page, dict):
        raise ValueError("it holds no pageProps")
    return PageState(
        page=str(value_at(state, "page") or ""),
        title_id=_title_id(page.get("tconst"), value_at(state, "query")),
        above=page.get("aboveTheFoldData"),
        main=page.get("mainColumnData"),
        cache=page.get("urqlState") or value_at(state, "props", "urqlState"),
    )


def _title_id(tconst: Node, query: Node) -> str | None:
    for value in (tconst, value_at(query, "tconst"), value_at(query, "id")):
        if isinstance(value, str) and title_id_in(value):
            return title_id_in(value)
    return None


def value_at(node: Node, *path: str | int) -> Node:
    """The value at a path of keys and positions; None where a step is absent or of another type."""
    for step in path:
        if isinstance(step, str):
            node = node.get(step) if isinstance(node, dict) else None
        else:
            node = node[step] if isinstance(node, list) and len(node) > step else None
    return node


def as_list(node: Node) -> list[Node]:
    """The node where it is a list, else an empty list."""
    return node if isinstance(node, list) else []


def as_text(node: Node) -> str | None:
    """A text with single spaces; None for an empty text or another type."""
    return (clean(node) or None) if isinstance(node, str) else None


def nodes(connection: Node) -> list[Node]:
    """The nodes of a GraphQL connection (`edges[].node`)."""
    return [value_at(edge, "node") for edge in as_list(value_at(connection, "edges"))]


def person(credit: Node) -> Person | None:
    """The person of one credit, whose `name` holds `id` and `nameText`."""
    name = as_text(value_at(credit, "name", "nameText", "text"))
    return Person(as_text(value_at(credit, "name", "id")), name) if name else None


def cached_answers(cache: Node, title_id: str | None) -> list[Node]:
    """The `title` answers in an urql cache that are about the page's title.

    The cache may also hold the title of the page visited before (seen in January 2022). Where all
    answers have one id, and it is another than `title_id`, the title was merged into that id.
    """
    entries = cache.values() if isinstance(cache, dict) else []
    answers = [value_at(_answer(value_at(entry, "data")), "title") for entry in entries]
    found = [t for t in answers if isinstance(t, dict) and isinstance(t.get("id"), str)]
    own = [t for t in found if t["id"] == title_id]
    is_merged = not own and title_id is not None and len({t["id"] for t in found}) == 1
    return found if is_merged else own


def _answer(data: Node) -> Node:
    if not isinstance(data, str):
        return data
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        pass
    try:
        return read_json(data)
    except (ValueError, RecursionError):
        return None
