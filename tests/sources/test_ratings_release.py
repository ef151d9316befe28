"""A ratings release is checked before anything is loaded, and loaded once."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from marquee.errors import SourceError
from marquee.lake import Lake, open_lake
from marquee.sources.ratings import load_release, take_census, write_candidates

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
        ("movies.csv", b"movieId,title,genres\n10,Am\xe9lie,Drama\n", "not UTF-8"),
        ("ratings.csv", b"\x00\x01\x02\xff\xfe", "not UTF-8"),
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


def test_without_links_the_lake_gets_a_file_of_none(
    release: Path, folder_lake: Lake, tmp_path: Path
) -> None:
    (release / "links.csv").unlink()
    path, manifest = load_release(folder_lake, release, "small")
    assert manifest.facts["linked"] == 0
    assert folder_lake.read_bytes(f"{path}/links.csv") == b"movieId,imdbId,tmdbId\n"
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
