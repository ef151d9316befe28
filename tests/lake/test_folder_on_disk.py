"""A lake in a folder: what was promised is on the disk, and a failing disk is an error."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from marquee.errors import LakeError, LakeFullError, LakeUnavailableError, retry_helps
from marquee.lake import FolderLake


@pytest.fixture
def folder_lake(tmp_path: Path) -> FolderLake:
    return FolderLake(f"file://{tmp_path}/lake")


@pytest.fixture
def calls(folder_lake: FolderLake, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the system was asked, in order: `sync <path in the lake>` and `name <path>`."""
    seen: list[str] = []
    handles: dict[int, str] = {}

    def record(name: str, note: Callable[..., None]) -> None:
        real = getattr(os, name)

        def call(*args: Any, **options: Any) -> Any:
            result = real(*args, **options)
            note(result, *args)
            return result

        monkeypatch.setattr(os, name, call)

    def short(path: Any) -> str:
        return os.path.relpath(path, folder_lake.folder)

    record("open", lambda handle, path, *_: handles.__setitem__(handle, short(path)))
    record("fsync", lambda _, handle: seen.append(f"sync {handles[handle]}"))
    for name in ("link", "rename"):
        record(name, lambda _, source, target: seen.append(f"name {short(target)}"))
    return seen


def made(tmp_path: Path) -> Path:
    folder = tmp_path / "made"
    (folder / "below").mkdir(parents=True)
    (folder / "a").write_bytes(b"one")
    (folder / "below" / "b").write_bytes(b"two")
    return folder


def test_a_file_is_on_the_disk_before_its_name_and_the_name_before_the_answer(
    folder_lake: FolderLake, calls: list[str]
) -> None:
    folder_lake.create("serving/m/ledger/000001.json", b"entry")
    named = calls.index("name serving/m/ledger/000001.json")
    assert calls[named + 1 :] == ["sync serving/m/ledger"]
    assert any(call.startswith("sync .staging/serving-m-ledger-") for call in calls[:named])
    # The folders made on the way have names too, each kept by the one above it.
    assert set(calls[:named]) >= {"sync serving/m", "sync serving", "sync .", "sync .."}


def test_every_file_and_folder_of_a_publication_is_on_the_disk_before_its_name(
    folder_lake: FolderLake, calls: list[str], tmp_path: Path
) -> None:
    folder_lake.publish(made(tmp_path), "raw/x")
    named = calls.index("name raw/x")
    before = {call.partition("raw-x-")[2][32:] for call in calls[:named] if "raw-x-" in call}
    assert before == {"", "/a", "/below", "/below/b", "/_manifest.json"}
    assert calls[named + 1 :] == ["sync raw"]


def test_what_an_attempt_cut_off_left_is_put_on_the_disk_by_the_next(
    folder_lake: FolderLake, calls: list[str], tmp_path: Path
) -> None:
    folder_lake.publish(made(tmp_path), "raw/x")
    folder_lake.create("raw/y", b"y")
    calls.clear()
    folder_lake.publish(tmp_path / "made", "raw/x")
    assert calls == ["sync raw"]
    folder_lake.create("raw/y", b"y")
    assert calls[-1] == "sync raw"


def test_a_folder_that_cannot_be_synced_is_no_error(
    folder_lake: FolderLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some file systems know no sync of a folder; a file that cannot be synced is an error."""

    def refuse(what: Callable[[Path], bool]) -> None:
        def fsync(handle: int) -> None:
            if what(Path(f"/proc/self/fd/{handle}").resolve()):
                raise OSError(errno.EINVAL, "Invalid argument")

        monkeypatch.setattr(os, "fsync", fsync)

    refuse(Path.is_dir)
    folder_lake.create("raw/x", b"x")
    refuse(Path.is_file)
    with pytest.raises(LakeError, match="Invalid argument"):
        folder_lake.create("raw/y", b"y")
    assert not folder_lake.exists("raw/y")


DISK = {
    errno.ENOSPC: LakeFullError,
    errno.EDQUOT: LakeFullError,
    errno.EIO: LakeUnavailableError,
    errno.ESTALE: LakeUnavailableError,
    errno.EACCES: LakeError,
    errno.EROFS: LakeError,
}


@pytest.mark.parametrize("number", DISK)
def test_a_disk_in_trouble_is_said_with_the_systems_own_word(
    folder_lake: FolderLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    source, kind = made(tmp_path), DISK[number]

    def in_trouble(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *args: Any, **options: Any) -> Any:
            if Path(path).is_relative_to(folder_lake.folder):
                raise OSError(number, os.strerror(number))
            return real(path, *args, **options)

        return call

    for name in ("open", "write_bytes", "read_bytes", "mkdir"):
        monkeypatch.setattr(Path, name, in_trouble(getattr(Path, name)))
    monkeypatch.setattr(os, "scandir", in_trouble(os.scandir))
    for act in (
        lambda: folder_lake.publish(source, "raw/x"),
        lambda: folder_lake.create("raw/y", b"y"),
        lambda: folder_lake.read_bytes("raw/y"),
        lambda: folder_lake.copy_out("raw/y", tmp_path / "out"),
        lambda: folder_lake.names("raw"),
    ):
        with pytest.raises(kind, match=os.strerror(number)) as found:
            act()
        assert type(found.value) is kind
        assert retry_helps(found.value) == (kind is not LakeError)
