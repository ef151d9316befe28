"""IMDb's own datasets: streamed, nulls and torn rows."""

from __future__ import annotations

import gzip
import tracemalloc

import pytest

from marquee.dataset_contracts import TITLE_ITEM
from marquee.errors import SourceError
from sources.title_cells import RowsAsideByFile
from sources.titles_imdb_tsv import read_imdb_tsv
from tests.sources.small_files import BASICS, tsv


def test_imdbs_datasets_give_what_is_wanted(datasets):
    found = {r["title_id"]: r for r in read_imdb_tsv(datasets, {"tt0000001", "tt0000002"})}
    first = found["tt0000001"]
    assert first["title"] == 'A "1' and first["original_title"] == "Un «1»"
    assert first["directors"] == [
        {"name_id": "nm0000001", "name": "Ada"},
        {"name_id": "nm0000002", "name": "Bo"},
    ]
    assert (first["rating"], first["vote_count"], first["year"]) == (8.1, 1200, 1991)
    assert first["genres"] == ["Drama", "Sci-Fi"] and first["writers"] == []
    assert found["tt0000002"]["rating"] is None
    assert len(found) == 2
    assert all(TITLE_ITEM.differences(record) == [] for record in found.values())


def test_datasets_are_streamed_not_held(tmp_path, datasets):
    rows = (f"tt{n:07d}\tmovie\t{'A' * 40}\tB\t0\t1990\t\\N\t90\tDrama\n" for n in range(100_000))
    tsv(datasets, "title.basics", BASICS + "".join(rows))
    tracemalloc.start()
    found = sum(1 for _ in read_imdb_tsv(datasets, {"tt0000007"}))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == 1
    assert most < 5_000_000  # the rows alone would be far more


def test_a_dataset_that_is_missing_cut_or_other_is_named(datasets):
    path = datasets / "title.crew.tsv.gz"
    whole = path.read_bytes()
    for content, says in (
        (whole[:-10], "is torn"),
        (gzip.compress(b"tconst\tx\n"), "has no column directors, writers"),
        (gzip.compress(b"x\ttconst\tdirectors\twriters\n"), "starts with the column x"),
    ):
        path.write_bytes(content)
        with pytest.raises(SourceError, match=says):
            list(read_imdb_tsv(datasets, {"tt0000001"}))
    path.unlink()
    with pytest.raises(SourceError, match=r"holds no title\.crew"):
        list(read_imdb_tsv(datasets, {"tt0000001"}))


def test_null_and_torn_rows_of_imdbs_datasets(tmp_path):
    r"""`\N` is null in every column; a torn row is set aside with its line."""
    folder = tmp_path / "imdb"
    tsv(
        folder,
        "title.basics",
        BASICS
        + "tt0000001\t"
        + "\t".join([r"\N"] * 8)
        + "\n"
        + "tt0000002\tmovie\tB\tB\t0\t1999\t90\tDrama\n"
        + "tt0000003\tmovie\tC\t\\N\t0\t0\t\\N\t0\tDrama,,War\n",
    )
    tsv(folder, "title.ratings", "tconst\taverageRating\tnumVotes\ntt0000003\t0.0\t\\N\n")
    crew = "tconst\tdirectors\twriters\ntt0000003\tnm0000001,nm0000002\tnm0000009\n"
    tsv(folder, "title.crew", crew)
    tsv(folder, "name.basics", "nconst\tprimaryName\nnm0000001\t\\N\nnm0000002\tBo\n")
    aside: RowsAsideByFile = {}
    wanted = {f"tt000000{n}" for n in range(1, 4)}
    nameless, third = read_imdb_tsv(folder, wanted, aside)
    assert r"\N" not in [*nameless.values(), *third.values()]
    assert nameless["title"] is None and nameless["notes"] == []
    assert third["directors"] == [{"name_id": "nm0000002", "name": "Bo"}] and not third["writers"]
    assert third["genres"] == ["Drama", "War"] and third["original_title"] is None
    assert {n.partition(" ")[0] for n in third["notes"]} == {
        "directors:",
        "writers:",
        "year:",
        "runtime:",
        "rating:",
    }
    assert str(aside["title.basics.tsv.gz"]) == "1 (line 3 has 8 cells, not 9)"
