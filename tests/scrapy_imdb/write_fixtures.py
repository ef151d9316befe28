"""Write web-poet's fixtures anew: our own pages, one case a rule, expected items from the record.

    python tests/scrapy_imdb/write_fixtures.py

pytest collects them by web-poet's own plugin, a test a field. What is expected comes from the
record a page was made from, never from the page object under test.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from made_up_titles import made_up
from web_poet import HttpResponse
from web_poet.testing import Fixture

from replica.site_pages import render
from replica.site_titles import record_from_json
from scrapy_imdb.items import PARSER_VERSION
from scrapy_imdb.pages import LAYOUTS, RefusedPageError

FOLDER = Path(__file__).with_name("fixtures")
"""Where pytest finds them."""
Edit = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Case:
    """One rule: which page shows it, and what is expected beside its record."""

    layout: str
    name: str
    number: int
    language: str = "en"
    edit: Edit = bytes
    """What is done to the page after it was rendered."""
    expected: Mapping[str, Any] = field(default_factory=dict)
    refused: str = ""
    """The reason, where the page must not be read."""


def swap(pattern: bytes, by: bytes) -> Edit:
    """An edit that must find what it replaces."""

    def edit(page: bytes) -> bytes:
        assert re.search(pattern, page, re.DOTALL), pattern
        return re.sub(pattern, by, page, count=1, flags=re.DOTALL)

    return edit


UNREAD = "a lot of money"
NO_CURRENCY = {"budget": None, "notes": [f"budget: names no currency ({UNREAD})"]}
SAY_UNREAD = swap(rb"(Budget:</h4>)[^<]*", rb"\1 " + UNREAD.encode())
CASES = (
    Case("overview_top", "every-field", 1),
    Case("overview_top", "german-words-and-numbers", 1, "de"),
    Case("overview_top", "two-directors", 7),
    Case("title_wrapper_microdata", "every-field", 1),
    Case("title_wrapper_microdata", "no-budget-stated", 3),
    Case(
        "title_wrapper_microdata",
        "budget-without-currency",
        4,
        edit=SAY_UNREAD,
        expected=NO_CURRENCY,
    ),
    Case("title_wrapper_jsonld", "one-director-is-an-object", 2),
    Case("title_wrapper_jsonld", "two-directors-are-a-list", 1),
    Case("title_wrapper_jsonld", "german-words-and-numbers", 4, "de"),
    Case(
        "title_wrapper_jsonld",
        "data-cut-off",
        4,
        edit=swap(rb'"@type": "Movie".*?</script>', rb'"@type": "Mov</script>'),
        refused="its JSON-LD is not JSON",
    ),
    Case("react_urql", "answers-in-the-cache", 1),
    Case("react_urql", "original-title-of-its-own", 5),
    Case("next_data", "every-field", 1),
    Case("next_data", "television-film", 7),
    Case("next_data_v2", "every-field", 1),
    Case("next_data_v2", "german-reader", 4, "de"),
    Case(
        "next_data_v2",
        "budget-is-null",
        4,
        edit=swap(rb'"productionBudget": \{"budget": \{[^}]*\}\}', rb'"productionBudget": null'),
        expected={"budget": None},
    ),
    Case(
        "next_data_v2",
        "state-cut-off",
        4,
        edit=swap(rb"</script>.*", rb""),
        refused="its __NEXT_DATA__ is missing or cut off",
    ),
)


def main() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    for case in CASES:
        write(case, FOLDER)


def write(case: Case, folder: Path) -> Fixture:
    """One case's folder, in the folder of its page class."""
    page = LAYOUTS[case.layout]
    record = made_up(case.number)
    url = f"http://site/title/{record['title_id']}/"
    body = case.edit(render(record_from_json(record), case.layout, case.language))
    return Fixture.save(
        folder / f"{page.__module__}.{page.__qualname__}",
        inputs=[HttpResponse(url, body=body, headers={"Date": "Sun, 04 Jan 2026 03:00:00 GMT"})],
        item=None if case.refused else expected(case, record, url),
        exception=RefusedPageError(case.refused) if case.refused else None,
        fixture_name=case.name,
    )


def expected(case: Case, record: Mapping[str, Any], url: str) -> dict[str, Any]:
    """The item as JSON has it, from the record and what the case adds."""
    is_markup_alone = case.layout in ("overview_top", "title_wrapper_microdata")
    shown = None if is_markup_alone else record["title"]  # the others say that the two agree
    own = {
        "original_title": record["original_title"] or shown,
        "end_year": None,
        "gross_area": "world",
        "notes": [],
        "source_url": url,
        "fetched_at": "2026-01-04T03:00:00Z",
        "layout": case.layout,
        "merged_into": None,
        "parser_version": PARSER_VERSION,
    }
    return {**record, **own, **case.expected}


if __name__ == "__main__":
    main()
