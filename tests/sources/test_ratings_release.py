"""A ratings release is checked before anything is loaded, and loaded once."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from marquee.errors import SourceError
from marquee.lake import Lake, open_lake
from marquee.sources import tables
from marquee.sources.ratings import (
    linked_titles,
    load_release,
    read_release,
    take_census,
    write_candidates,
)
from marquee.sources.ratings_cells import seconds_of, title_id_of, whole_id
from marquee.sources.ratings_forms import recognise
from marquee.sources.titles_csv import read_titles_csv

FILES = {
    "ratings.csv": "userId,movieId,rating,timestamp\n1,10,4.0,1000\n2,10,3.5,3000\n1,20,bad,2000\n",
    "movies.csv": "movieId,title,genres\n10,A Film (1999),Drama\n20,Another (2001),Comedy\n",
    "links.csv": "movieId,imdbId,tmdbId\n10,0123456,1\n20,7654321,2\n",
}


@pytest.fixture
def release(tmp_path: Path) -> Path:
    folder = tmp_path / "release"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def folder_lake(tmp_path: Path) -> Lake:
    return open_lake(f"file://{tmp_path}/lake")


def test_census_counts_rows_and_the_last_sound_time(release: Path) -> None:
    census = take_census(release)
    assert (census.rows, census.last_time) == (3, 3000)


def test_milliseconds_are_seconds_and_nonsense_is_no_last_time(release: Path) -> None:
    with (release / "ratings.csv").open("a") as out:
        out.write("3,10,4.0,1600000000000\n3,20,4.0,yesterday\n")
    assert take_census(release).last_time == 1_600_000_000


def test_loading_twice_is_a_no_op(release: Path, folder_lake: Lake) -> None:
    path, first = load_release(folder_lake, release, "small")
    again, second = load_release(folder_lake, release, "small")
    assert path == again
    assert path.startswith("raw/ratings/small-")
    assert first == second
    assert first.rows == 3
    assert folder_lake.names("raw/ratings") == [path.rsplit("/", 1)[1]]


def test_other_rows_are_another_release(release: Path, folder_lake: Lake) -> None:
    before, _ = load_release(folder_lake, release, "small")
    with (release / "ratings.csv").open("a") as out:
        out.write("3,10,4.0,4000\n")
    after, _ = load_release(folder_lake, release, "small")
    assert before != after
    assert len(folder_lake.names("raw/ratings")) == 2


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("ratings.csv", b"userId,movieId,rating\n1,10,4.0\n", "no column timestamp"),
        ("ratings.csv", b"userId,movieId,rating,timestamp\n", "holds no rows"),
        ("ratings.csv", b"", "no column userId, movieId, rating, timestamp"),
        ("movies.csv", b"movieId,title\n10,A\n", "no column genres"),
        ("links.csv", b"movieId\n10\n", "no column imdbId"),
        ("movies.csv", b'movieId,title,genres\n10,"A\n20,B,Drama\n', "line 2: a quote"),
        ("ratings.csv", b"\x00\x01\x02\xff\xfe", "holds a NUL byte"),
        ("movies.csv", b"movieId,title,genres\n,A,Drama\n", "an id is missing"),
        ("movies.csv", b"movieId,title,genres\n9,A,Drama\n", "none of the 2 rated titles"),
    ],
)
def test_a_faulty_file_is_refused_by_name_and_nothing_is_loaded(
    release: Path, folder_lake: Lake, name: str, content: bytes, said: str
) -> None:
    (release / name).write_bytes(content)
    with pytest.raises(SourceError, match=said) as caught:
        load_release(folder_lake, release, "small")
    assert name in caught.value.message
    assert caught.value.remedy
    assert folder_lake.names("raw") == []


@pytest.mark.parametrize("name", ["ratings.csv", "movies.csv"])
def test_a_missing_file_is_named(release: Path, folder_lake: Lake, name: str) -> None:
    (release / name).unlink()
    with pytest.raises(SourceError, match=f"{name} is missing"):
        load_release(folder_lake, release, "small")


def test_without_links_nothing_is_linked(release: Path, folder_lake: Lake, tmp_path: Path) -> None:
    (release / "links.csv").unlink()
    _, manifest = load_release(folder_lake, release, "small")
    assert manifest.facts["linked"] == 0
    assert write_candidates(release, tmp_path / "candidates.csv") == 0


def test_candidates_come_most_rated_first(release: Path, tmp_path: Path) -> None:
    target = tmp_path / "state" / "candidates.csv"
    assert write_candidates(release, target) == 2
    with target.open() as stream:
        rows = list(csv.DictReader(stream))
    assert rows == [
        {"title_id": "tt0123456", "rated_count": "2"},
        {"title_id": "tt7654321", "rated_count": "1"},
    ]


def table(lake: Lake, path: str) -> list[list[str]]:
    """A file of a loaded release, without its header."""
    return [line.split("\t") for line in lake.read_bytes(path).decode().split("\n")[1:-1]]


def test_columns_are_found_by_name_in_every_file(release: Path, folder_lake: Lake) -> None:
    (release / "ratings.csv").write_text("timestamp;rating;movieid;userid\n1000;4;10;1\n")
    (release / "movies.csv").write_text(",genres,title,movieId\n0,Drama,A Film (1999),10\n")
    (release / "links.csv").write_text("tmdbId,imdbId,movieId\n77,0123456,10\n")
    path, manifest = load_release(folder_lake, release, "small")
    assert table(folder_lake, f"{path}/ratings.tsv") == [["1", "10", "4", "1000"]]
    assert table(folder_lake, f"{path}/titles.tsv") == [
        ["10", "A Film (1999)", "Drama", "tt0123456"]
    ]
    assert manifest.facts["linked"] == 1


# One film in four spellings of each number, as spreadsheets, R and pandas write them.
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
    assert found.catalogue.titles == {"7": ("A", "Drama")}
    assert found.catalogue.links == linked_titles(tmp_path) == {"7": "tt0100007"}
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
    assert found.catalogue.links == linked_titles(tmp_path) == {listed: "tt0100001"}
    assert not found.notes()


def test_a_name_that_is_no_imdb_id_links_nothing_and_is_said(tmp_path: Path) -> None:
    """One is too long for IMDb; the others are the release's own names."""
    names = ["tt912345678901", "tt5", "film/tt0100001/part-2"]
    put_release(
        tmp_path, [f"1,{name},4,1000000000" for name in names], [f"{name},A," for name in names]
    )
    found = read_release(recognise(tmp_path))
    assert found.catalogue.links == {}
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


def test_each_key_comes_once_and_what_is_left_out_is_said(release: Path, folder_lake: Lake) -> None:
    with (release / "movies.csv").open("a") as out:
        out.write("10.0,A Film again (1999),Comedy\n30,Third (2003),Drama\n,Nameless,\n40,Torn\n")
    with (release / "links.csv").open("a") as out:
        out.write("10,0999999,1\n30,tt0123456,1\n30,7654321,\n50,0000005,\n20,none,\n")
    path, manifest = load_release(folder_lake, release, "small", (0.5, 5.0))
    rows = table(folder_lake, f"{path}/titles.tsv")
    # 10 is rated twice and 30 never: the IMDb id both claim is 10's.
    assert [(row[0], row[3]) for row in rows] == [
        ("10", "tt0123456"),
        ("20", "tt7654321"),
        ("30", ""),
    ]
    assert rows[0][1] == "A Film (1999)"
    assert manifest.facts["linked"] == 2
    notes = " / ".join(manifest.facts["notes"])
    for said in (
        "ratings refused: the rating is not a number: 1 (line 4 (1,20,bad,2000))",
        "rows of movies.csv left out, torn: 1 (line 7 has 2 cells, not 3)",
        "rows of movies.csv left out, listed already: 1 (line 4 lists 10 again)",
        "rows of movies.csv left out, without an id: 1 (line 6",
        "another id for the same movie: 2 (line 4 links 10 to tt0999999, not tt0123456",
        "of a movie that is not listed: 1 (line 7 links 50)",
        "no IMDb id: 1 (line 8 'none')",
        "1 IMDb ids are named by more than one movie (tt0123456 by 10, 30)",
    ):
        assert said in notes


def test_rated_ids_no_movie_knows_are_counted(release: Path, folder_lake: Lake) -> None:
    with (release / "ratings.csv").open("a") as out:
        out.write("1,99,4.0,4000\n2,99,4.0,4000\n")
    _, manifest = load_release(folder_lake, release, "small")
    assert any("1 of 3 rated titles are not in the list" in n for n in manifest.facts["notes"])
    assert any("(2 ratings; 99)" in n for n in manifest.facts["notes"])


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("1,10,4.0,last year", "3 (line 2 (1,10,4.0,last year), line 3"),
        ("1,10,80,1000", "the rating is outside 0.5 to 5: 3"),
        ('1,10,"4,5",1000', "the rating is not a number: 3"),
        ("-1,10,4,1000", "user_id is negative: 3"),
        ("1,10,4,9999999999", "the time is not between 1970 and 2100: 3"),
    ],
)
def test_a_release_without_a_rating_says_which_rule_refused_how_many(
    release: Path, folder_lake: Lake, row: str, why: str
) -> None:
    (release / "ratings.csv").write_text(f"userId,movieId,rating,timestamp\n{row}\n{row}\n{row}\n")
    with pytest.raises(SourceError, match="none of its 3 rows is a rating") as caught:
        load_release(folder_lake, release, "small", (0.5, 5.0))
    assert why in caught.value.message
    assert folder_lake.names("raw") == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1000000000.0", 1_000_000_000),
        ("1e9", 1_000_000_000),
        ("1000000000.75", 1_000_000_000),
        ("1000000000123", 1_000_000_000),
        ("1000000000123456789", 1_000_000_000),
        ("2001-09-09 01:46:40", 1_000_000_000),
        ("2001-09-09T03:46:40+02:00", 1_000_000_000),
        ("2001-09-09", 999_993_600),
        ("09/09/2001", None),
        ("yesterday", None),
        ("", None),
        ("9" * 5000, None),
    ],
)
def test_moments_are_seconds_of_utc(text: str, seconds: int | None) -> None:
    assert seconds_of(text) == seconds


def test_a_scale_that_changed_judges_a_loaded_release_again(
    release: Path, folder_lake: Lake
) -> None:
    path, _ = load_release(folder_lake, release, "small", (0.5, 5.0))
    with pytest.raises(SourceError, match="outside 6 to 10"):
        load_release(folder_lake, release, "small", (6.0, 10.0))
    other, manifest = load_release(folder_lake, release, "small", (0.5, 3.6))
    assert other != path and manifest.facts["scale"] == [0.5, 3.6]
    assert any("outside 0.5 to 3.6" in note for note in manifest.facts["notes"])
    kept = folder_lake.manifest(path).facts
    assert kept["scale"] == [0.5, 5.0] and "outside" not in str(kept["notes"])
    again = [load_release(folder_lake, release, "small", s) for s in ((0.5, 5.0), (0.5, 3.6))]
    assert [one[0] for one in again] == [path, other] and again[1][1] == manifest


def test_movies_without_a_title_and_days_as_numbers_are_told(tmp_path: Path) -> None:
    (tmp_path / "movies.csv").write_text("movieId,title,genres\n4,,War\n5,\\N,\n6,Six (2001),\n")
    rows = [f"{user},{movie},4,201103{user:02}" for user in (10, 11) for movie in (4, 5, 6)]
    (tmp_path / "ratings.csv").write_text("\n".join(["userId,movieId,rating,timestamp", *rows]))
    (tmp_path / "links.csv").write_text("movieId,imdbId,tmdbId\n4,17,\n")
    times, untitled = read_release(recognise(tmp_path)).notes()
    assert "20110311, in 1970" in times
    assert untitled.startswith("movies without a title, called by their id: 2 (line 2")
