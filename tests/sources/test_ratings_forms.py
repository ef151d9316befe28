"""Every form of release yields the same rows; a file that is none is refused by name."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from marquee.errors import SourceError
from marquee.identifiers import text_id
from marquee.lake import Lake, open_lake
from scoring.recommender.bundle import Title
from scoring.recommender.ratings_files import OFFICIAL_SPLITS, read_any_release, read_official_split
from sources.ratings_forms import GENRE_FLAGS, recognise
from sources.ratings_release import linked_titles, load_release, take_census

ROWS = [("1", "10", "4", "1000"), ("2", "10", "3", "3000"), ("2", "20", "5", "2000")]
CSV = {
    "ratings.csv": "\n".join(["userId,movieId,rating,timestamp", *map(",".join, ROWS)]) + "\n",
    "movies.csv": "movieId,title,genres\n10,Amélie (2001),Comedy|Children\n"
    '20,"Heat, The (1995)",(no genres listed)\n',
}
DAT = {
    "ratings.dat": "".join("::".join(row) + "\n" for row in ROWS),
    "movies.dat": "10::Amélie (2001)::Comedy|Children's\n20::Heat, The (1995)::\n",
    "users.dat": "1::F::1::10::48067\n2::M::56::16::70072\n",
}


def item(movie: int, title: str, released: str, *genres: str) -> str:
    """A line of u.item."""
    flags = "|".join("1" if g and g in genres else "0" for g in GENRE_FLAGS)
    return f"{movie}|{title}|{released}||http://example.org/|{flags}\n"


OLD = {
    "u.data": "".join("\t".join(row) + "\n" for row in ROWS),
    "u.item": item(10, "Amélie (2001)", "01-Jan-2001", "Comedy", "Children")
    + item(20, "Heat, The (1995)", "15-Dec-1995"),
    "u.user": "1|24|M|technician|85711\n2|53|F|other|94043\n",
}
FORMS = [(CSV, "utf-8"), (DAT, "latin-1"), (DAT, "utf-8"), (OLD, "latin-1")]
FORM_NAMES = ["csv", "dat-latin-1", "dat-utf-8", "100k"]


def write(folder: Path, files: dict[str, str], encoding: str = "utf-8") -> Path:
    """A release in a folder."""
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding)
    return folder


def lines(lake: Lake, path: str) -> list[list[str]]:
    """A file of a loaded release."""
    return [line.split("\t") for line in lake.read_bytes(path).decode().splitlines()]


@pytest.mark.parametrize(("files", "encoding"), FORMS, ids=FORM_NAMES)
def test_every_form_reads_as_the_same_release(
    tmp_path: Path, files: dict[str, str], encoding: str
) -> None:
    release = read_any_release(write(tmp_path / "r", files, encoding))
    rows = release.ratings
    assert rows.user_ids.tolist() == [1, 2, 2]
    assert rows.movie_ids.tolist() == [10, 10, 20]
    assert rows.values.tolist() == [4.0, 3.0, 5.0]
    assert rows.times.tolist() == [1000, 3000, 2000]
    assert release.dropped == 0
    amelie = release.titles[10]
    assert (amelie.title, amelie.year, set(amelie.genres)) == (
        "Amélie",
        2001,
        {"Comedy", "Children"},
    )
    assert release.titles[20] == Title(20, None, "Heat, The", 1995, ())


@pytest.mark.parametrize(("files", "encoding"), FORMS, ids=FORM_NAMES)
def test_the_lake_gets_the_same_two_files_whatever_the_form(
    tmp_path: Path, files: dict[str, str], encoding: str
) -> None:
    lake = open_lake(f"file://{tmp_path}/lake")
    path, manifest = load_release(lake, write(tmp_path / "r", files, encoding), "some")
    assert (manifest.rows, manifest.facts["last_time"], manifest.facts["linked"]) == (3, 3000, 0)
    assert sorted(f.name for f in manifest.files) == ["ratings.tsv", "titles.tsv"]
    assert lines(lake, f"{path}/ratings.tsv")[1:] == [list(row) for row in ROWS]
    amelie, heat = lines(lake, f"{path}/titles.tsv")[1:]
    assert (amelie[:2], amelie[3]) == (["10", "Amélie (2001)"], "")
    assert set(amelie[2].split("|")) == {"Comedy", "Children"}
    assert heat[:2] == ["20", "Heat, The (1995)"]


def test_people_come_with_what_is_known_of_them(tmp_path: Path) -> None:
    people = read_any_release(write(tmp_path / "old", OLD)).people
    assert people[1] == {"age": "24", "gender": "M", "occupation": "technician", "zip": "85711"}
    assert read_any_release(write(tmp_path / "dat", DAT)).people[2]["gender"] == "M"
    assert read_any_release(write(tmp_path / "csv", CSV)).people == {}


def test_a_year_moves_to_the_end_of_the_title(tmp_path: Path) -> None:
    items = item(10, "Saga (1995) (V)", "") + item(20, "Quiet", "15-Dec-1996", "Drama")
    release = write(tmp_path / "r", OLD | {"u.item": items})
    titles = {row[0]: row[1] for _, row in recognise(release).titles()}
    assert titles == {"10": "Saga (V) (1995)", "20": "Quiet (1996)"}


def test_gzipped_files_are_read_in_place(tmp_path: Path) -> None:
    release = write(tmp_path / "r", CSV)
    packed = gzip.compress((release / "ratings.csv").read_bytes())
    (release / "ratings.csv").unlink()
    (release / "ratings.csv.gz").write_bytes(packed)
    assert take_census(release).rows == 3
    lake = open_lake(f"file://{tmp_path}/lake")
    path, _ = load_release(lake, release, "packed")
    assert lines(lake, f"{path}/ratings.tsv")[1:] == [list(row) for row in ROWS]
    (release / "ratings.csv.gz").write_bytes(packed[:-20])
    with pytest.raises(SourceError, match=r"ratings\.csv\.gz is torn") as caught:
        take_census(release)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("files", "name", "text", "message"),
    [
        (OLD, "u.data", "1,10,4,1000\n", "line 1 has 1 cell, not 4"),
        (DAT, "ratings.dat", "1\t10\t4\t1000\n", "line 1 has 1 cell, not 4"),
        (OLD, "u.data", "", "holds no rows"),
        (OLD, "u.item", "", "holds no rows"),
        (CSV, "ratings.csv", "", "no column userId"),
        (CSV, "links.csv", "movieId\n10\n", "no column imdbId"),
    ],
)
def test_a_file_of_another_kind_is_refused_by_name(
    tmp_path: Path, files: dict[str, str], name: str, text: str, message: str
) -> None:
    release = write(tmp_path / "r", files | {name: text})
    with pytest.raises(SourceError, match=message) as caught:
        take_census(release)
    assert name in caught.value.message
    assert caught.value.remedy


def test_the_error_of_a_folder_without_a_release_names_its_files(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"holds no ratings") as caught:
        recognise(tmp_path)
    assert all(name in caught.value.remedy for name in ("ratings.csv", "ratings.dat", "u.data"))


def test_ids_are_text_where_most_rows_hold_words(tmp_path: Path) -> None:
    rows = "userId,movieId,rating,timestamp\nalice,tt0111161,4,1\nbob,tt0111161,3,2\n7,tt2,3,2\n"
    movies = "movieId,title,genres\ntt0111161,Out (1994),Drama\n"
    release = write(tmp_path / "r", {"ratings.csv": rows, "movies.csv": movies})
    assert take_census(release).text_ids == ("users", "titles")
    found = read_any_release(release)
    assert found.ratings.user_ids.tolist() == [text_id("alice"), text_id("bob"), text_id("7")]
    film = text_id("tt0111161")
    assert found.titles[film] == Title(film, "tt0111161", "Out", 1994, ("Drama",))
    assert linked_titles(release) == {"tt0111161": "tt0111161"}


def test_a_stray_word_among_numbers_is_a_broken_row(tmp_path: Path) -> None:
    rows = CSV["ratings.csv"] + "alice,10,4,1\n1,10,nan,1\n1,10,good,1\n,,,\n"
    release = write(tmp_path / "r", CSV | {"ratings.csv": rows})
    assert take_census(release).text_ids == ()
    found = read_any_release(release)
    assert (len(found.ratings), found.dropped) == (3, 4)
    assert np.isfinite(found.ratings.values).all()


def test_official_splits_are_read_as_they_are(tmp_path: Path) -> None:
    halves = {"u1.base": "1\t10\t4\t1000\n1\t20\t2\t1001\n", "u1.test": "2\t10\t3\t3000\n"}
    train, holdout = read_official_split(write(tmp_path / "r", halves), "u1")
    assert (train.movie_ids.tolist(), holdout.user_ids.tolist()) == ([10, 20], [2])
    with pytest.raises(SourceError, match=r"u2\.base is missing"):
        read_official_split(tmp_path / "r", "u2")
    with pytest.raises(SourceError, match="there is no split 'u9'"):
        read_official_split(tmp_path / "r", "u9")


def test_the_real_100k_is_whole(real_records: Path) -> None:
    folder = real_records / "ml-100k"
    release = read_any_release(folder)
    assert (len(release.ratings), len(release.titles), len(release.people)) == (100_000, 1682, 943)
    assert [t.movie_id for t in release.titles.values() if t.year is None] == [267]
    assert "\ufffd" not in "".join(t.title for t in release.titles.values())
    for name in OFFICIAL_SPLITS:
        train, holdout = read_official_split(folder, name)
        assert len(train) + len(holdout) == 100_000
