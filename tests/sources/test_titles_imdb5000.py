"""IMDB 5000's own file: money, repeats, and the whole of it where it lies."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from marquee.dataset_contracts import TITLE_ITEM
from marquee.prices import CERTAIN
from sources.titles_imdb5000 import NEEDED, read_imdb5000
from tests.sources.small_files import fields_of, imdb5000, row

REPOSITORY = Path(__file__).resolve().parents[2]


def test_of_rows_that_repeat_a_title_the_one_with_the_most_votes_counts(tmp_path):
    path = tmp_path / "movies.csv"
    rows = [row(movie_imdb_link="tt0000001", movie_title=t, num_voted_users=n) for t, n in VOTED]
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, [*NEEDED, "num_voted_users"])
        writer.writeheader()
        writer.writerows(rows)
    (found,) = read_imdb5000(path)
    assert (found["title"], found["vote_count"]) == ("A", 1204)


VOTED = [("A", "1,204"), ("B", "803"), ("C", "2")]


@pytest.mark.parametrize(
    ("country", "year", "budget", "expected"),
    [
        ("USA", "2000", "5000000", (5_000_000, "USD")),
        ("USA", "2000", "12000000000", None),
        ("South Korea", "2006", "12000000000", (12_000_000_000, "KRW")),
        ("South Korea", "2006", "5000000", (5_000_000, "USD")),
        ("UK", "2010", "5000000", None),
        ("UK", "", "5000000", None),
        ("USA", "", "5000000", (5_000_000, "USD")),
        ("France", "1999", "390000000", (390_000_000, "FRF")),
        ("France", "2005", "390000000", None),
        ("USA", "2000", "5,000,000", (5_000_000, "USD")),
        ("USA", "2000", "5E+06", (5_000_000, "USD")),
        ("USA", "2000", "much", None),
        ("USA", "2000", "", None),
        ("USA", "2000", "-5", None),
        ("USA", "2000", "0", None),
        ("Official site", "2000", "5000000", None),
    ],
)
def test_a_budget_of_imdb5000_is_kept_only_where_its_currency_is_beyond_doubt(
    tmp_path, country, year, budget, expected
):
    found = imdb5000(tmp_path, country=country, title_year=year, budget=budget)
    if stated := found["budget"]:
        assert (stated["amount"], stated["currency"]) == expected
        assert stated["confidence"] >= CERTAIN
    else:
        assert expected is None
        assert budget == "" or any(note.startswith("budget: ") for note in found["notes"])


def test_money_of_imdb5000_is_read_as_in_any_other_table_or_noted(tmp_path):
    """A comma groups; a sign says the currency; what cannot be read leaves a note."""
    usa = {"country": "USA", "title_year": "2003"}
    grouped = imdb5000(tmp_path, **usa, budget="750,000", gross="31,400")
    assert (grouped["budget"]["amount"], grouped["gross"]["amount"]) == (750_000, 31_400)
    signed = imdb5000(tmp_path, **usa, budget="$4,300,000", gross="$8.5 million")
    assert signed["budget"] == {"amount": 4_300_000, "currency": "USD"}
    assert signed["gross"] == {"amount": 8_500_000, "currency": "USD"}
    assert grouped["notes"] == signed["notes"] == []
    other = imdb5000(tmp_path, budget="cheap", gross="€900", country="Atlantis|France")
    assert other["budget"] is None and other["gross"] is None and other["gross_area"] is None
    assert fields_of(other) == ["budget", "countries", "gross"]


def test_imdb5000s_repeats_and_spaces_are_mended(tmp_path):
    path = tmp_path / "movies.csv"
    link = "http://www.imdb.com/title/tt0000001/?ref_=fn_tt_tt_1"
    rows = [
        row(movie_imdb_link=link, movie_title="A\u00a0", num_voted_users="5", director_name="D"),
        row(movie_imdb_link=link, movie_title="A\u00a0", num_voted_users="9", director_name="E"),
        row(movie_imdb_link=link, movie_title="A\u00a0", num_voted_users="9", director_name="E"),
        row(movie_imdb_link="nowhere", movie_title="B"),
    ]
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, [*NEEDED, "num_voted_users"])
        writer.writeheader()
        writer.writerows(rows)
    (found,) = read_imdb5000(path)
    assert (found["title"], found["vote_count"]) == ("A", 9)
    assert found["directors"] == [{"name_id": None, "name": "E"}]


def test_imdb5000_itself():
    path = REPOSITORY.parent / "shared" / "data" / "imdb5000" / "movie_metadata.csv"
    if not path.is_file():
        pytest.skip(f"{path} is not there: the file is not in the repository")
    found = {record["title_id"]: record for record in read_imdb5000(path)}
    assert len(found) == 4919
    assert found["tt0468492"]["budget"] == {
        "amount": 12_215_500_000,
        "currency": "KRW",
        "confidence": 1.0,
    }
    assert not any(record["title"].endswith("\u00a0") for record in found.values())
    assert all(TITLE_ITEM.differences(record) == [] for record in found.values())
    assert 3_000 < sum(record["budget"] is not None for record in found.values()) < 4_551
