"""One contract, two roots: a folder and a real NameNode."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from marquee.errors import (
    ConflictError,
    LakeError,
    LakeUnavailableError,
    NotFoundError,
    retry_helps,
)
from marquee.lake import Lake


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files, one of them below."""
    made = tmp_path / "made"
    (made / "below").mkdir(parents=True)
    (made / "a.csv").write_text("a,b\n1,2\n")
    (made / "below" / "b.bin").write_bytes(bytes(range(256)) * 40)
    return made


def test_published_folder_comes_back_whole(lake: Lake, folder: Path, tmp_path: Path) -> None:
    manifest = lake.publish(folder, "raw/x", rows=1, name="x")
    back = lake.fetch("raw/x", tmp_path / "back")
    assert [f.name for f in manifest.files] == ["a.csv", "below/b.bin"]
    assert (back / "below" / "b.bin").read_bytes() == (folder / "below" / "b.bin").read_bytes()
    assert lake.manifest("raw/x") == manifest
    assert manifest.rows == 1
    assert manifest.facts == {"name": "x"}


def test_one_sub_folder_can_be_fetched(lake: Lake, folder: Path, tmp_path: Path) -> None:
    lake.publish(folder, "raw/x")
    back = lake.fetch("raw/x", tmp_path / "back", below="below")
    assert [p.name for p in back.iterdir()] == ["b.bin"]


@pytest.mark.parametrize("path", ["raw", "raw/x", "raw/x/below", "raw/x/nothing", "raw/x/a.csv/b"])
def test_where_no_file_lies_there_is_none_to_read(
    lake: Lake, folder: Path, tmp_path: Path, path: str
) -> None:
    lake.publish(folder, "raw/x")
    with pytest.raises(NotFoundError):
        lake.read_bytes(path)
    with pytest.raises(NotFoundError):
        lake.copy_out(path, tmp_path / "out")
    assert lake.names("raw/x/a.csv/b") == []
    assert not lake.exists("raw/x/a.csv/b")
    assert not lake.is_folder("raw/x/a.csv/b")
    with pytest.raises(LakeError, match="No such file") as found:
        lake.copy_in(tmp_path / "none", "raw/y")
    assert not retry_helps(found.value)


def test_publishing_twice_is_a_no_op(lake: Lake, folder: Path) -> None:
    first = lake.publish(folder, "raw/x", rows=1)
    assert lake.publish(folder, "raw/x", rows=1).digest == first.digest
    assert lake.names("raw") == ["x"]
    assert lake.names("raw/x") == ["_manifest.json", "a.csv", "below"]


def test_other_content_is_a_conflict_and_nothing_is_lost(lake: Lake, folder: Path) -> None:
    first = lake.publish(folder, "raw/x")
    (folder / "a.csv").write_text("other")
    with pytest.raises(ConflictError, match="raw/x"):
        lake.publish(folder, "raw/x")
    assert lake.manifest("raw/x") == first
    assert lake.read_bytes("raw/x/a.csv") == b"a,b\n1,2\n"


def test_racing_publishers_of_one_content_all_succeed(lake: Lake, folder: Path) -> None:
    with ThreadPoolExecutor(6) as pool:
        digests = set(pool.map(lambda _: lake.publish(folder, "raw/x").digest, range(6)))
    assert len(digests) == 1
    # A plain HDFS rename would have moved the losers' folders *inside* the winner's.
    assert lake.names("raw/x") == ["_manifest.json", "a.csv", "below"]
    assert lake.names(".staging") == []


def test_racing_publishers_of_other_content_leave_one_winner(lake: Lake, tmp_path: Path) -> None:
    def publish(number: int) -> str:
        made = tmp_path / f"made-{number}"
        made.mkdir()
        (made / "n").write_text(str(number))
        try:
            return lake.publish(made, "raw/x").digest
        except ConflictError:
            return "lost"

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(publish, range(6)))
    assert results.count("lost") == 5
    assert lake.manifest("raw/x").digest in results
    assert lake.names("raw/x") == ["_manifest.json", "n"]


def test_reply_lost_after_the_rename_is_still_success(
    lake: Lake, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = lake.rename

    def cut(source: str, target: str) -> None:
        rename(source, target)
        raise LakeUnavailableError("the connection was cut after the rename")

    monkeypatch.setattr(lake, "rename", cut)
    assert lake.publish(folder, "raw/x").digest == lake.manifest("raw/x").digest


def test_reply_lost_before_the_rename_is_an_error(
    lake: Lake, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(source: str, target: str) -> None:
        raise LakeUnavailableError("the connection was cut before the rename")

    monkeypatch.setattr(lake, "rename", cut)
    with pytest.raises(LakeUnavailableError):
        lake.publish(folder, "raw/x")
    assert not lake.exists("raw/x")


def test_created_file_is_exclusive(lake: Lake) -> None:
    lake.create("ledger/1.json", b"one")
    lake.create("ledger/1.json", b"one")
    with pytest.raises(ConflictError):
        lake.create("ledger/1.json", b"two")
    assert lake.read_bytes("ledger/1.json") == b"one"
    assert lake.names("ledger") == ["1.json"]


def test_racing_creators_leave_one_winner(lake: Lake) -> None:
    def create(number: int) -> bool:
        try:
            lake.create("ledger/1.json", str(number).encode())
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(create, range(6))) == 1


def test_sealed_staging_gets_a_manifest_of_what_spark_wrote(lake: Lake) -> None:
    staged = lake.staging("runs/r/prepared")
    lake.write_bytes(f"{staged}/part-0.parquet", b"rows")
    lake.write_bytes(f"{staged}/below/part-1.parquet", b"more")
    lake.write_bytes(f"{staged}/_SUCCESS", b"")
    manifest = lake.seal(staged, "runs/r/prepared", rows=2)
    assert [f.name for f in manifest.files] == ["below/part-1.parquet", "part-0.parquet"]
    assert lake.manifest("runs/r/prepared").rows == 2


@pytest.mark.parametrize("data", [b"", b"{", b'{"format": 9}', b'{"format": 1, "files": 3}'])
def test_a_damaged_manifest_says_where_it_lies(lake: Lake, data: bytes, tmp_path: Path) -> None:
    lake.write_bytes("raw/x/_manifest.json", data)
    for ask in (lambda: lake.manifest("raw/x"), lambda: lake.fetch("raw/x", tmp_path)):
        with pytest.raises(LakeError, match=r"raw/x/_manifest\.json: ") as found:
            ask()
        assert found.value.message.startswith(lake.uri("raw/x")) and found.value.remedy


def test_damaged_file_is_noticed_when_fetched(lake: Lake, folder: Path, tmp_path: Path) -> None:
    lake.publish(folder, "raw/x")
    lake.write_bytes("raw/x/a.csv", b"damaged")
    with pytest.raises(LakeError, match=r"a\.csv"):
        lake.fetch("raw/x", tmp_path / "back")


def test_a_file_spoilt_on_its_way_is_fetched_again(
    lake: Lake, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.publish(folder, "raw/x")
    copy_out, spoilt = lake.copy_out, ["raw/x/a.csv"]

    def spoil(path: str, target: Path) -> None:
        copy_out(path, target)
        if path in spoilt:
            spoilt.remove(path)
            target.write_bytes(b"half")

    monkeypatch.setattr(lake, "copy_out", spoil)
    assert (lake.fetch("raw/x", tmp_path / "back") / "a.csv").read_text() == "a,b\n1,2\n"
    assert not spoilt


def test_nothing_there_is_said_by_name(lake: Lake, tmp_path: Path) -> None:
    assert not lake.exists("raw")
    assert lake.names("raw") == []
    with pytest.raises(NotFoundError, match="raw/none"):
        lake.read_bytes("raw/none")
    with pytest.raises(NotFoundError):
        lake.manifest("raw/none")
    lake.delete("raw/none")


def test_a_folder_says_what_lies_in_it_and_since_when(lake: Lake, folder: Path) -> None:
    lake.publish(folder, "raw/x")
    _, a, below = lake.list_status("raw/x")
    assert (a.name, a.is_folder, a.bytes) == ("a.csv", False, 8)
    assert (below.name, below.is_folder, below.bytes) == ("below", True, 0)
    assert abs(a.modified - time.time()) < 600
    assert abs(below.modified - time.time()) < 600
    assert lake.list_status("raw/x/a.csv") == lake.list_status("raw/none") == []


def test_no_folder_is_made_where_a_file_stands(lake: Lake, folder: Path) -> None:
    lake.create("raw/x", b"x")
    acts = (
        lambda: lake.create("raw/x/below", b"y"),
        lambda: lake.publish(folder, "raw/x/below/deeper"),
        lambda: lake.write_bytes("raw/x/below", b"y"),
    )
    for act in acts:
        with pytest.raises(LakeError, match="a file stands where") as found:
            act()
        assert not retry_helps(found.value)
    assert lake.read_bytes("raw/x") == b"x"


def test_what_was_not_published_there_is_a_conflict(lake: Lake, folder: Path) -> None:
    """A folder without a manifest, or a folder where a file should be, is other content."""
    lake.write_bytes("raw/x/a.csv", b"a,b\n1,2\n")
    with pytest.raises(ConflictError):
        lake.publish(folder, "raw/x")
    with pytest.raises(ConflictError):
        lake.create("raw/x", b"a")
    assert lake.names("raw/x") == ["a.csv"]


def test_paths_as_the_lake_uses_them(lake: Lake, folder: Path) -> None:
    path = "raw/titles/as_of=20260104T030000Z/run=manual-2026-01-04t03-00-00-00-00-1a2b3c4d"
    lake.publish(folder, path)
    assert lake.is_folder(path)
    assert lake.uri(path) == f"{lake.root}/{path}"
    assert lake.names("raw/titles") == ["as_of=20260104T030000Z"]


def test_a_runs_own_document_is_the_first_attempts(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a faster attempt wrote it after this one had looked."""
    assert lake.create_once("runs/r/x.json", lambda: b"first") == b"first"
    assert lake.create_once("runs/r/x.json", lambda: pytest.fail("made again")) == b"first"

    def slow() -> bytes:
        lake.create("runs/r/y.json", b"faster")
        return b"slower"

    assert lake.create_once("runs/r/y.json", slow) == b"faster"
    assert lake.names(".staging") == []
