"""What all sources of titles have in common: lengths, and words for nothing."""

from __future__ import annotations

import csv
import gzip

import pytest

from sources.title_cells import read_minutes
from sources.titles_csv import COLUMNS, read_titles_csv
from sources.titles_imdb5000 import NEEDED
from sources.titles_imdb_tsv import read_imdb_tsv
from sources.titles_wikidata import read_wikidata
from tests.sources.small_files import BASICS, IMDB5000, fields_of, imdb5000, tsv


@pytest.mark.parametrize(
    "text",
    [
        *("96", "96.0", "96 min.", "96 mins", "96m", "96'", "96′", "5760 s", "5760 seconds"),
        *("1h 36m", "1h36m", "1H36", "1hr36min", "1 hrs, 36 mins", "1 hour and 36 minutes", "1.6h"),
        *("1 Std. 36 Min.", "1 Stunde und 36 Minuten", "1 heure 36 minutes", "1 ora e 36 minuti"),
        *("1 hora y 36 minutos", "1:36:00", "01:36:00.000", "0 days 01:36:00", "1:36 h"),
        *("PT96M", "PT1H36M", "PT1H36M0S", "pt1h36m59.5s", "PT5760S", "PT0H96M", "PT1,6H"),
        "P0DT1H36M",
        "P0Y0M0DT1H36M0S",
    ],
)
def test_a_runtime_is_read_in_every_form_of_a_duration(text):
    assert read_minutes(text) == 96


@pytest.mark.parametrize(
    "text",
    [
        *("1:36", "1,036 min", "-96 min", "90-96 min", "h", "min", "PT", "P1Y", "1h 36x", "1h and"),
        *("36m 1h", "1h 1h", "9" * 5000 + " min", "1" + ",000" * 2000),
    ],
)
def test_a_runtime_in_doubt_is_none(text):
    assert read_minutes(text) is None


def test_durations_are_read_by_every_source(tmp_path, datasets):
    """And what is none leaves a note everywhere."""
    mine = tmp_path / "mine.csv"
    mine.write_text("title_id,title,runtime\ntt0000001,A,PT1H36M\ntt0000002,B,1:36\n")
    path = datasets / "title.basics.tsv.gz"
    text = gzip.decompress(path.read_bytes()).decode()
    path.write_bytes(gzip.compress(text.replace("\t91\t", "\t1h31m\t").encode()))
    first, second = read_titles_csv(mine)
    (third,) = read_imdb_tsv(datasets, {"tt0000001"})
    fourth = imdb5000(tmp_path, duration="1 hr 36 min", title_year="2001")
    fifth = imdb5000(tmp_path, duration="long", title_year="2001")
    assert [r["runtime"] for r in (first, third, fourth)] == [96, 91, 96]
    assert second["runtime"] is None and fifth["runtime"] is None
    assert fields_of(second) == fields_of(fifth) == ["runtime"]


NULLS = ("N/A", "nan", "None", "NULL", "<NA>", "#N/A", "n.a.", "-", "—", "--", "?", r"\N", " ")


@pytest.mark.parametrize("null", NULLS)
def test_a_word_for_nothing_is_null_in_every_column_of_every_table(tmp_path, null):
    """And leaves no note: nothing was stated. A title may be such a word, and IMDb has but one."""
    titles = [] if null in (r"\N", " ") else [null]
    own = ("title_id", "layout", "type", "title")
    columns = ["title_id", *COLUMNS]
    with (tmp_path / "mine.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerows([columns, ["tt0000001", *[null] * len(COLUMNS)]])
        some = {"title_id": "tt0000002", "cast": f"{null}|Ada|{null}", "budget": "€5,000,000"}
        some |= {"currency": null, "genres": f"War|{null}"}
        writer.writerow([some.get(name, null) for name in columns])
    first, second = read_titles_csv(tmp_path / "mine.csv")
    assert not any(v for name, v in first.items() if name not in own) and not first["type"]
    assert [r["title"] for r in (first, second) if r["title"]] == titles * 2
    assert [person["name"] for person in second["cast"]] == ["Ada"] and second["genres"] == ["War"]
    assert second["budget"] == {"amount": 5_000_000, "currency": "EUR"} and not second["notes"]

    cells = dict.fromkeys([*NEEDED[1:], *IMDB5000], null)
    found = imdb5000(tmp_path, **cells)
    assert not any(value for name, value in found.items() if name not in own)
    assert [found["title"] or ""] == (titles or [""])

    folder = tmp_path / "imdb"
    tsv(folder, "title.basics", BASICS + "\t".join(["tt0000001", *[null] * 8]) + "\n")
    tsv(folder, "title.ratings", f"tconst\taverageRating\tnumVotes\ntt0000001\t{null}\t{null}\n")
    tsv(folder, "title.crew", f"tconst\tdirectors\twriters\ntt0000001\t{null}\tnm1,{null}\n")
    tsv(folder, "name.basics", "nconst\tprimaryName\nnm1\tBo\n")
    (found,) = read_imdb_tsv(folder, {"tt0000001"})
    assert found["writers"] == [{"name_id": "nm1", "name": "Bo"}]
    assert [found[n] or "" for n in ("title", "original_title", "type")] == (titles or [""]) * 3
    unread = {"end_year", "rating", "runtime", "vote_count", "year", "directors", "writers"}
    assert set(fields_of(found)) == (unread if titles else set())

    path = tmp_path / "budgets.csv"
    path.write_text(
        f"imdb,amount,unit,currency\ntt0000001,{null},Q4916,EUR\ntt0000002,7,{null},EUR\n"
        f"tt0000003,7,{null},{null}\n"
    )
    lent, unknown = read_wikidata(path)
    assert lent["budget"] == {"amount": 7, "currency": "EUR"} and not lent["notes"]
    assert unknown["notes"] == ["budget: names no currency (7)"]


@pytest.mark.parametrize("name", ["Undefined", "N/A", "--", "??"])
def test_a_title_may_be_a_word_for_nothing(tmp_path, name):
    (tmp_path / "mine.csv").write_text(f"title_id,title\ntt0000001,{name}\ntt0000002,\\N\n")
    first, second = read_titles_csv(tmp_path / "mine.csv")
    assert (first["title"], second["title"]) == (name, None)
    assert imdb5000(tmp_path, movie_title=f"{name}\xa0")["title"] == name


def test_words_that_only_look_like_nothing_are_kept(tmp_path):
    mine = tmp_path / "mine.csv"
    mine.write_text("title_id,title,directors,plot\ntt0000001,Nonesuch,Nan Goldin,None left\n")
    (found,) = read_titles_csv(mine)
    assert (found["title"], found["plot"]) == ("Nonesuch", "None left")
    assert found["directors"][0]["name"] == "Nan Goldin"
