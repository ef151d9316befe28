"""Copies of published files on this machine: what they spare, and that they never lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from marquee.errors import LakeError
from marquee.lake import COPIES, FolderLake
from marquee.lake.manifest import LocalCopies, fact_of


class CountingLake(FolderLake):
    """A lake that lists the files which cross between it and its client."""

    def __init__(self, root: str, copies: Path) -> None:
        super().__init__(root)
        self.copies = LocalCopies(copies)
        self.fetched: list[str] = []

    def copy_out(self, path: str, target: Path) -> None:
        self.fetched.append(path.rsplit("/", 1)[-1])
        super().copy_out(path, target)


@pytest.fixture
def lake(tmp_path: Path) -> CountingLake:
    return CountingLake(f"file://{tmp_path / 'lake'}", tmp_path / "copies")


def folder_of(where: Path, **files: str) -> Path:
    where.mkdir()
    for name, text in files.items():
        (where / name).write_text(text)
    return where


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_what_was_published_here_is_not_fetched(lake: CountingLake, tmp_path: Path) -> None:
    lake.publish(folder_of(tmp_path / "a", one="1", two="22"), "data/a")
    found = lake.fetch("data/a", tmp_path / "b")
    assert content(found) == {"one": "1", "two": "22"}
    assert lake.fetched == []


def test_what_spark_wrote_is_read_once_for_its_digest(lake: CountingLake, tmp_path: Path) -> None:
    staged = lake.staging("data/a")
    lake.write_bytes(f"{staged}/part-0", b"rows")
    lake.seal(staged, "data/a", rows=4)
    assert content(lake.fetch("data/a", tmp_path / "b")) == {"part-0": "rows"}
    assert lake.fetched == []


def test_what_was_fetched_once_is_not_fetched_again(lake: CountingLake, tmp_path: Path) -> None:
    FolderLake(lake.root).publish(folder_of(tmp_path / "a", one="1"), "data/a")
    for name in ("b", "c"):
        assert content(lake.fetch("data/a", tmp_path / name)) == {"one": "1"}
    assert lake.fetched == ["one"]


@pytest.mark.parametrize("damage", [b"2", b"longer", b""])
def test_a_damaged_copy_is_fetched_anew(lake: CountingLake, tmp_path: Path, damage: bytes) -> None:
    lake.publish(folder_of(tmp_path / "a", one="1"), "data/a")
    (copy,) = (tmp_path / "copies").iterdir()
    copy.unlink()
    copy.write_bytes(damage)
    assert content(lake.fetch("data/a", tmp_path / "b")) == {"one": "1"}
    assert lake.fetched == ["one"]
    assert copy.read_bytes() == b"1", "the sound file takes its place"


def test_a_file_damaged_in_the_lake_is_never_kept(lake: CountingLake, tmp_path: Path) -> None:
    plain = FolderLake(lake.root)
    plain.publish(folder_of(tmp_path / "a", one="1"), "data/a")
    (tmp_path / "lake/data/a/one").write_text("X")
    with pytest.raises(LakeError, match="differs from its manifest in one"):
        lake.fetch("data/a", tmp_path / "b")
    assert lake.fetched == ["one", "one"]
    assert not (tmp_path / "copies").exists()


def test_removing_a_fetched_folder_leaves_the_copy(lake: CountingLake, tmp_path: Path) -> None:
    source = folder_of(tmp_path / "a", one="1")
    lake.publish(source, "data/a")
    (source / "one").unlink()
    fetched = lake.fetch("data/a", tmp_path / "b")
    (fetched / "one").unlink()
    assert content(lake.fetch("data/a", fetched)) == {"one": "1"}
    assert lake.fetched == []


def test_the_copies_used_longest_ago_give_way(tmp_path: Path) -> None:
    copies = LocalCopies(tmp_path / "copies", most_bytes=400)
    facts = [fact_of(f"f{n}", bytes([n]) * 100) for n in range(5)]
    for n, fact in enumerate(facts[:4]):
        copies.keep_bytes(bytes([n]) * 100, fact)
        os.utime(tmp_path / "copies" / fact.sha256, (n, n))
    assert copies.take(facts[0], tmp_path / "zero"), "used: now the newest"
    copies.keep_bytes(bytes([4]) * 100, facts[4])
    kept = {fact.name for fact in facts if (tmp_path / "copies" / fact.sha256).exists()}
    assert kept == {"f0", "f2", "f3", "f4"}
    copies.keep_bytes(b"x" * 101, large := fact_of("large", b"x" * 101))
    assert not copies.take(large, tmp_path / "large"), "one file takes a quarter at most"


def test_without_the_variable_there_are_no_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(COPIES, raising=False)
    assert LocalCopies.of_environment() is None
    monkeypatch.setenv(COPIES, str(tmp_path))
    assert LocalCopies.of_environment().folder == tmp_path


def test_a_full_disk_costs_the_copy_alone(lake: CountingLake, tmp_path: Path) -> None:
    (tmp_path / "copies").write_text("a file where the folder should be")
    lake.publish(folder_of(tmp_path / "a", one="1"), "data/a")
    assert content(lake.fetch("data/a", tmp_path / "b")) == {"one": "1"}
    assert lake.fetched == ["one"]
