"""A ratings release is checked before anything is loaded, and loaded once."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from marquee.errors import SourceError
from marquee.lake import Lake
from sources.ratings_cells import seconds_of
from sources.ratings_forms import recognise
from sources.ratings_reading import read_release
from sources.ratings_release import load_release, take_census, write_candidates
from tests.sources.small_files import table


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
    ("name", "content", "message"),
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
    release: Path, folder_lake: Lake, name: str, content: bytes, message: str
) -> None:
    (release / name).write_bytes(content)
    with pytest.raises(SourceError, match=message) as caught:
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


def test_each_key_comes_once_and_notes_name_the_rest(release: Path, folder_lake: Lake) -> None:
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
    for message in (
        "ratings refused: the rating is not a number: 1 (line 4 (1,20,bad,2000))",
        "rows of movies.csv left out, torn: 1 (line 7 has 2 cells, not 3)",
        "rows of movies.csv left out, listed already: 1 (line 4 lists 10 again)",
        "rows of movies.csv left out, without an id: 1 (line 6",
        "another id for the same movie: 2 (line 4 links 10 to tt0999999, not tt0123456",
        "of a movie that is not listed: 1 (line 7 links 50)",
        "no IMDb id: 1 (line 8 'none')",
        "1 IMDb ids are named by more than one movie (tt0123456 by 10, 30)",
    ):
        assert message in notes


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
def test_a_release_without_a_rating_counts_refusals_by_rule(
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


def test_another_scale_loads_a_release_again(release: Path, folder_lake: Lake) -> None:
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


def test_movies_without_a_title_and_days_as_numbers_are_noted(tmp_path: Path) -> None:
    (tmp_path / "movies.csv").write_text("movieId,title,genres\n4,,War\n5,\\N,\n6,Six (2001),\n")
    rows = [f"{user},{movie},4,201103{user:02}" for user in (10, 11) for movie in (4, 5, 6)]
    (tmp_path / "ratings.csv").write_text("\n".join(["userId,movieId,rating,timestamp", *rows]))
    (tmp_path / "links.csv").write_text("movieId,imdbId,tmdbId\n4,17,\n")
    times, untitled = read_release(recognise(tmp_path)).notes()
    assert "20110311, in 1970" in times
    assert untitled.startswith("movies without a title, called by their id: 2 (line 2")
