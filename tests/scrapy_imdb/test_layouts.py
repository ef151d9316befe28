"""Every layout in both languages, on pages that the replica renders: what went in comes out."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

import orjson
import pytest
from made_up_titles import made_up
from web_poet import HttpResponse

from replica.site_pages import LAYOUTS, render
from replica.site_titles import record_from_json
from scrapy_imdb.items import TitleItem, as_record
from scrapy_imdb.pages import LAYOUTS as PAGES
from scrapy_imdb.pages import page_for, read_page, title_page
from sources.title_record import line_of

COMMON = (
    "title_id",
    "title",
    "year",
    "release_date",
    "runtime",
    "directors",
    "writers",
    "cast",
    "genres",
    "rating",
    "vote_count",
    "budget",
    "gross",
    "countries",
    "languages",
    "certificate",
    "companies",
    "plot",
    "keywords",
)


def read(number: int, layout: str, language: str) -> TitleItem:
    page = render(record_from_json(made_up(number)), layout, language)
    return read_page(HttpResponse("http://site/title/", body=page))


def test_the_replica_and_the_page_objects_know_the_same_layouts():
    assert set(LAYOUTS) == set(PAGES)


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_went_in_comes_out(layout, language):
    for number in range(30):
        record = as_record(read(number, layout, language))
        assert record["layout"] == layout
        assert {name: record[name] for name in COMMON} == {
            name: made_up(number)[name] for name in COMMON
        }
        assert record["notes"] == []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_original_title_is_told_from_the_one_shown(layout):
    item = read(5, layout, "en")
    assert item.title == 'The Lamp & the "Sea" <5>'
    assert item.original_title == "La lampe n° 5"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_television_film_is_typed_as_one(layout):
    assert read(7, layout, "en").type == "tvMovie"
    assert read(8, layout, "en").type == "movie"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_bare_title_has_nothing_it_does_not_state(layout):
    bare = {"title_id": "tt1234567", "title": "Bare", "type": "movie"}
    page = render(record_from_json(bare), layout)
    item = read_page(HttpResponse("http://site/title/", body=page))
    assert (item.year, item.rating, item.budget, item.gross) == (None, None, None, None)
    assert item.directors == item.genres == item.cast == item.countries == []
    assert item.vote_count in (None, 0)


def test_one_director_and_several_are_both_lists():
    for layout in LAYOUTS:
        assert len(read(2, layout, "en").directors) == 1
        assert len(read(3, layout, "en").directors) == 2


def test_the_same_title_is_always_the_same_page():
    record = record_from_json(made_up(11))
    for layout in LAYOUTS:
        assert render(record, layout, "de") == render(record, layout, "de")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_reading_directly_equals_web_poets_own_item(layout):
    for number in range(6):
        response = HttpResponse(
            "http://site/", body=render(record_from_json(made_up(number)), layout)
        )
        assert read_page(response) == asyncio.run(page_for(response).to_item())


@pytest.mark.parametrize("layout", ["overview_top", "title_wrapper_microdata"])
def test_a_worldwide_gross_covers_the_world_in_every_layout(layout):
    assert {read(n, layout, language).gross_area for n in (1, 2) for language in ("en", "de")} == {
        "world"
    }


BAD = {
    "rating": 76.0,
    "year": 1066,
    "vote_count": -1,
    "release_date": "2001-02-30",
    "runtime": 70_000,
    "genres": tuple(f"Genre {n}" for n in range(13)),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_one_bad_field_costs_the_field_and_not_the_page(layout, name):
    record = record_from_json(made_up(1))
    whole = as_record(read_page(HttpResponse("http://site/", body=render(record, layout, "en"))))
    page = render(replace(record, **{name: BAD[name]}), layout, "en")
    found = as_record(read_page(HttpResponse("http://site/title/", body=page)))
    assert found[name] in (None, [])
    assert name == "year" or [note.partition(":")[0] for note in found["notes"]] == [name]
    kept = set(COMMON) - {name}
    assert {name: found[name] for name in kept} == {name: whole[name] for name in kept}


@pytest.mark.parametrize("stated", ["0.0", "7.x"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_rating_that_is_none_is_noted(layout, stated):
    page = render(replace(record_from_json(made_up(1)), rating=7.3), layout, "en")
    if before := re.search(rb'(\\?"): ?7\.3', page):  # a number of JSON, perhaps inside a text
        quote = before.group(1).decode()
        stated = f"{quote}{stated}{quote}"
    found = read_page(
        HttpResponse("http://site/title/", body=page.replace(b"7.3", stated.encode()))
    )
    assert found.title and found.budget and found.rating is None
    why = "is no rating (7.x)" if "x" in stated else "is not between 1 and 10 (0.0)"
    assert found.notes == [f"rating: {why}"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_runtime_that_is_none_is_noted(layout):
    page = render(replace(record_from_json(made_up(1)), runtime=97), layout, "en")
    page = page.replace(b"PT97M", b"PTxM").replace(b"PT1H37M", b"PTxM")
    page = re.sub(rb'(\\?"): ?5820\b', rb"\1: \1x\1", page)  # seconds, perhaps inside a text
    found = read_page(HttpResponse("http://site/title/", body=page))
    assert found.title and found.runtime is None
    stated = "x s" if b"PTxM" not in page else "PTxM"
    assert found.notes == [f"runtime: is no length in minutes ({stated})"]


JSON_LAYOUTS = [one for one in LAYOUTS if one not in ("overview_top", "title_wrapper_microdata")]
REACT = [one for one in JSON_LAYOUTS if one != "title_wrapper_jsonld"]


def spelled(page: bytes, old: str, new: str) -> TitleItem:
    """The page with another spelling in place of a JSON value; in an urql cache all is escaped."""
    escaped = [text.replace("\\", "\\\\").replace('"', '\\"') for text in (old, new)]
    changed = page.replace(old.encode(), new.encode()).replace(*map(str.encode, escaped))
    assert changed != page
    return read_page(HttpResponse("http://site/title/", body=changed))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_half_a_surrogate_pair_costs_no_page_and_can_be_written(layout):
    page = render(
        replace(record_from_json(made_up(1)), certificate="PG-13", rating=7.3), layout, "en"
    )
    if layout in JSON_LAYOUTS:
        found = spelled(page, '"PG-13"', '"PG-13\\udc3d"')
    else:
        found = spelled(page, '"PG-13"', '"PG-13&#xDC3D;"')
    assert (found.certificate or "").startswith("PG-13") and found.budget and not found.notes
    assert orjson.loads(line_of(as_record(found))) == orjson.loads(orjson.dumps(as_record(found)))


@pytest.mark.parametrize("number", ["7" * 400, "7" * 5000, "1e400", "-1e400", "Infinity"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_number_beyond_all_numbers_costs_its_field(layout, number):
    record = replace(record_from_json(made_up(1)), rating=7.3, vote_count=98_765)
    page = render(record, layout, "en")
    page = page.replace(b"7.3", number.encode())
    page = page.replace(b"98765", number.encode()).replace(b"98,765", number.encode())
    found = read_page(HttpResponse("http://site/title/", body=page))
    assert found.title and found.budget and (found.rating, found.vote_count) == (None, None)
    assert [note.partition(":")[0] for note in found.notes] == ["rating", "vote_count"]
    assert orjson.dumps(as_record(found)) and line_of(as_record(found))


@pytest.mark.parametrize("stated", ["null", "7", '{"id": null}', '{"id": ["movie"]}', '"movie"'])
@pytest.mark.parametrize("layout", REACT)
def test_a_type_is_optional_in_every_layout(layout, stated):
    page = render(record_from_json(made_up(1)), layout, "en")
    found = re.search(rb'\\?"titleType\\?": ?(\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\})', page)
    assert found
    plain = found.group(1).decode().replace("\\", "")
    item = spelled(page, plain, stated)
    assert item.title and item.directors and item.budget and item.type is None
    assert [n.partition(":")[0] for n in item.notes] == ["type"] * ("null" not in stated)


VOTES = [
    *(("98765.0", 98765), ("98,765.0", 98765), ("98.765,0", 98765), ("98.765", 98765)),
    *(("9,87,650", 987650), ("98 765", 98765), ("98.5", None), ("98,76", None), ("1.2K", None)),
    *(("9.876.5", None), ("98,765,0", None), ("0", 0), ("0.0", 0)),
]


@pytest.mark.parametrize(("stated", "count"), VOTES)
def test_a_count_of_votes_is_no_heap_of_digits(stated, count):
    assert title_page.read_count(stated) == count


@pytest.mark.parametrize(
    ("field", "old", "new"),
    [
        ("year", '"year": 1987, "endYear"', '"year": "then", "endYear"'),
        ("end_year", '"endYear": null', '"endYear": [1990]'),
        ("release_date", '"month": 3', '"month": 3.5'),
        ("countries", '"id": "FR"', '"id": "Narnia"'),
        ("languages", '"id": "fr"', '"id": 5'),
        ("runtime", '"runtime": {"seconds": 4860}', '"runtime": 81'),
        ("rating", '"ratingsSummary": {', '"ratingsSummary": 7, "other": {'),
        ("languages", '"spokenLanguages": {', '"spokenLanguages": "fr", "other": {'),
    ],
)
@pytest.mark.parametrize("layout", REACT)
def test_what_a_page_states_and_we_cannot_read_is_noted(layout, field, old, new):
    change = {"year": 1987, "countries": ("FR", "US"), "languages": ("en", "fr")}
    record = replace(record_from_json(made_up(1)), release_date="1987-03-09", **change)
    page = render(record, layout, "en")
    item = spelled(page, old, new)
    assert item.title and item.budget
    assert {n.partition(":")[0] for n in item.notes} - {"vote_count"} == {field}
