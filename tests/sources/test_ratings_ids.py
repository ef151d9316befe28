"""Ids meet however a release spells them, and one rule decides whether they are numbers or text."""

from __future__ import annotations

from pathlib import Path

import pytest

from marquee.lake import Lake
from sources import tables
from sources.ratings_cells import title_id_of, whole_id
from sources.ratings_forms import recognise
from sources.ratings_reading import read_release
from sources.ratings_release import linked_titles, load_release, write_candidates
from sources.titles_csv import read_titles_csv
from tests.sources.small_files import table

# One title in four spellings of each number, as spreadsheets, R and pandas write them.
SPELLINGS = ["7", "7.0", " 7 ", "007", "7e0", "\ufeff7", "+7"]
LINKED = ["tt0100007", "100007", "0100007", "00100007", "100007.0", " tt100007", "TT0100007"]


@pytest.mark.parametrize(
    ("rated", "listed", "linked"), zip(SPELLINGS, SPELLINGS[1:] + SPELLINGS[:1], LINKED)
)
def test_ids_meet_however_they_are_spelled(
    tmp_path: Path, rated: str, listed: str, linked: str
) -> None:
    (tmp_path / "ratings.csv").write_text(
        f"userId,movieId,rating,timestamp\n{rated},{rated},4,1\n", "utf-8"
    )
    (tmp_path / "movies.csv").write_text(f"movieId,title,genres\n{listed},A,Drama\n", "utf-8")
    (tmp_path / "links.csv").write_text(f"movieId,imdbId\n{rated},{linked}\n", "utf-8")
    found = read_release(recognise(tmp_path))
    assert found.census.text_ids == ()
    assert found.listed.titles == {"7": ("A", "Drama")}
    assert found.listed.links == linked_titles(tmp_path) == {"7": "tt0100007"}
    assert found.ratings.rated == {"7": 1}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("9223372036854775807", "9223372036854775807"),
        ("9223372036854775808", None),
        ("-5", "-5"),
        ("-0", "0"),
        ("1e+05", "100000"),
        ("1.5", None),
        ("1e99", None),
        ("9" * 5000, None),
        ("nan", None),
        ("", None),
        ("1_000", None),
        ("\u0661", None),
    ],
)
def test_whole_numbers_are_of_64_bits(text: str, kept: str | None) -> None:
    assert whole_id(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        *("", "0", "-5", "1.5", "12345678901", "tt", "tt0000000", "tt12345678901", "nm0000001"),
        "https://www.themoviedb.org/movie/603",
        "https://www.imdb.com/name/nm0000001/?ref_=tt0100001",
        "https://www.imdb.com/title/0100001/",
        *("n/a/5", "5/", "?7", "tt0100001 and more"),
    ],
)
def test_what_is_no_imdb_id_links_nothing(text: str) -> None:
    assert title_id_of(text) is None


@pytest.mark.parametrize(
    "text",
    [
        *("tt0100001", "TT100001", "tt00000100001", "100001", "0100001", "100001.0", "1.00001e5"),
        *("tt0100001/", "\u200ett0100001\xa0", "<http://www.imdb.com/title/tt0100001>"),
        "https://www.imdb.com/title/tt0100001/?ref_=7",
        "m.imdb.com/de/title/tt0100001/reviews/12",
        "https://www.imdb.com/title/tt00100001#cast/3",
        "https://trakt.example/movies/tt0100001/fullcredits",
    ],
)
def test_an_imdb_id_is_read_in_links_and_in_titles_alike(tmp_path: Path, text: str) -> None:
    assert title_id_of(text) == "tt0100001"
    titles = tmp_path / "titles.csv"
    titles.write_text(f"title_id,title\n{text},A\n", "utf-8")
    assert [record["title_id"] for record in read_titles_csv(titles)] == ["tt0100001"]


@pytest.mark.parametrize(
    ("rated", "listed"),
    [
        ("tt0100001", "tt00100001"),
        ("TT0100001", "tt0100001"),
        ("tt000100001", "TT0100001"),
        ("tt0100001", "https://www.imdb.com/title/tt0100001/"),
    ],
)
def test_titles_named_by_imdbs_ids_meet_and_link_in_any_spelling(
    tmp_path: Path, rated: str, listed: str
) -> None:
    put_release(tmp_path, [f"1,{rated},4,1000000000"], [f"{listed},A,"])
    found = read_release(recognise(tmp_path))
    assert found.ratings.rated == {listed: 1}
    assert found.listed.links == linked_titles(tmp_path) == {listed: "tt0100001"}
    assert not found.notes()


def test_a_name_that_is_no_imdb_id_links_nothing_and_is_noted(tmp_path: Path) -> None:
    """One is too long for IMDb; the others are the release's own names."""
    names = ["tt912345678901", "tt5", "film/tt0100001/part-2"]
    put_release(
        tmp_path, [f"1,{name},4,1000000000" for name in names], [f"{name},A," for name in names]
    )
    found = read_release(recognise(tmp_path))
    assert found.listed.links == {}
    assert found.notes() == ["links left out, no IMDb id: 1 (title 1 'tt912345678901')"]


def test_an_empty_id_is_no_word_and_an_accent_has_one_spelling(tmp_path: Path) -> None:
    put_release(
        tmp_path,
        [",Am\u00e9lie,4,1", ",Am\u00e9lie,3,1", "7,Am\u00e9lie,5,1", ",,4,1", ",,4,1"],
        ["Ame\u0301lie,One,"],
    )
    found = read_release(recognise(tmp_path))
    assert found.census.text_ids == ("titles",)
    assert found.ratings.rated["Ame\u0301lie"] == 3
    assert found.ratings.refused_rows == 4


def put_release(folder: Path, rated: list[str], listed: list[str]) -> None:
    """A release without links, of these rows."""
    head = {"ratings.csv": "userId,movieId,rating,timestamp", "movies.csv": "movieId,title,genres"}
    for (name, first), rows in zip(head.items(), (rated, listed)):
        (folder / name).write_text("\n".join([first, *rows]) + "\n", "utf-8")


@pytest.mark.parametrize(
    ("rated", "listed", "links"),
    [
        # Most of the list are numbers, most ratings are of words.
        (["tt0200002", "tt0200002", "31"], ["31", "32", "33", "tt0200002"], ["tt0200002"]),
        # The other way round.
        (["31", "31", "tt0200002"], ["31", "tt0200002", "tt0200003"], ["tt0200002", "tt0200003"]),
        # A stray word among numbers is a broken row in either file.
        (["31", "31", "tt0200002"], ["31", "32", "tt0200002"], []),
    ],
)
def test_the_crawl_plan_links_what_the_loader_links(
    tmp_path: Path, folder_lake: Lake, rated: list[str], listed: list[str], links: list[str]
) -> None:
    put_release(
        tmp_path, [f"{n},{m},4,1" for n, m in enumerate(rated, 1)], [f"{m},A," for m in listed]
    )
    path, manifest = load_release(folder_lake, tmp_path, "mixed")
    loaded = [row[3] for row in table(folder_lake, f"{path}/titles.tsv") if row[3]]
    target = tmp_path / "candidates.csv"
    assert write_candidates(tmp_path, target) == manifest.facts["linked"] == len(links)
    planned = [line.split(",")[0] for line in target.read_text().splitlines()[1:]]
    assert sorted(planned) == sorted(loaded) == sorted(linked_titles(tmp_path).values()) == links


def test_text_ids_meet_through_quotes_capitals_and_numbers(
    tmp_path: Path, folder_lake: Lake
) -> None:
    """Names keep the spelling of the list of titles; rows of numbers come first, and mislead."""
    rows = ['"ann ""A"", 1","a ""b"", c",4,1', "bo,ALIEN,3,2", "bo,1917.0,5,3", "cy,alien,2,4"]
    numbers = [f"{n},1917,3,90000000{n}" for n in range(1, 4)]
    (tmp_path / "ratings.csv").write_text(
        "\n".join(["userId,movieId,rating,timestamp", *numbers, *rows]) + "\n"
    )
    (tmp_path / "movies.csv").write_text(
        'movieId,title,genres\n"a ""b"", c",One,\nAlien,Two,\n1917,Three,\n'
    )
    path, manifest = load_release(folder_lake, tmp_path, "words", (1.0, 5.0))
    assert manifest.facts["text_ids"] == ["users", "titles"]
    assert manifest.facts["notes"] == []
    kept = table(folder_lake, f"{path}/ratings.tsv")
    assert [row[:2] for row in kept[3:]] == [
        ['ann "A", 1', 'a "b", c'],
        ["bo", "Alien"],
        ["bo", "1917"],
        ["cy", "Alien"],
    ]
    assert [row[0] for row in table(folder_lake, f"{path}/titles.tsv")] == [
        'a "b", c',
        "Alien",
        "1917",
    ]


def test_a_start_that_misleads_is_read_again(
    tmp_path: Path, folder_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names sorted as text put the numbers first: only the end shows what the ids are."""
    monkeypatch.setattr(tables, "ROWS", 2)
    rows = [f"{name},10,4,900000000" for name in (0, 1, 2, "u0", "u1", "u2", "u3")]
    (tmp_path / "ratings.csv").write_text(
        "\n".join(["userId,movieId,rating,timestamp", *rows]) + "\n"
    )
    (tmp_path / "movies.csv").write_text("movieId,title,genres\n10,A,\n")
    path, manifest = load_release(folder_lake, tmp_path, "late")
    assert manifest.facts["text_ids"] == ["users"]
    assert manifest.rows == len(table(folder_lake, f"{path}/ratings.tsv")) == len(rows)
    assert not manifest.facts["notes"]
