"""No name in a manifest, and no path, leads out of the folder it belongs to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from marquee.errors import LakeError, NotFoundError, SourceError
from marquee.identifiers import checked_path, run_name, run_slug
from marquee.lake import FolderLake, Manifest, open_lake
from marquee.lake.manifest import MANIFEST
from marquee.lake.webhdfs import WebHdfsLake, connect

OUTSIDE = [
    "../x",
    "a/../../x",
    "/etc/x",
    "a//b",
    "./a",
    "a/.",
    "",
    "a/",
    "a\\b",
    "a\0b",
    "a\nb",
    "..",
]
UNBEARABLE = ["a" * 256, "runs/" + "é" * 128, "ab/" * 1_100 + "c", "half-\udc41", "x/\ud83d/y"]
FACT = {"name": "a.csv", "bytes": 1, "sha256": "0" * 64}


def manifest(*files: Any, **rest: Any) -> bytes:
    return json.dumps({"format": 1, "files": files, "rows": 1, "facts": {}} | rest).encode()


@pytest.fixture
def lake(tmp_path: Path) -> FolderLake:
    found = open_lake(f"file://{tmp_path}/lake")
    assert isinstance(found, FolderLake)
    return found


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_manifest_names_files_of_its_folder(lake: FolderLake, tmp_path: Path, name: str) -> None:
    (lake.folder / "raw").mkdir(parents=True)
    (lake.folder / "x").write_text("outside")
    (lake.folder / "raw" / MANIFEST).write_bytes(manifest(FACT | {"name": name}))
    with pytest.raises(LakeError, match="does not name a place inside"):
        lake.fetch("raw", tmp_path / "made" / "here")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"\xff", b"{}", manifest(3), manifest({"name": "a"}), manifest(facts=None),
        manifest(FACT | {"bytes": "1"}), manifest(FACT | {"sha256": None}),
        manifest(FACT | {"name": 3}), manifest(FACT, FACT),
        manifest(FACT | {"name": "a"}, FACT | {"name": "a/b"}), manifest(FACT, rows="7"),
        manifest(FACT, rows=-7), manifest(FACT, rows=7.5), manifest(FACT, rows=True),
        manifest(FACT, format=0), manifest(FACT, format="1"), manifest(FACT, format=None),
    ],
)  # fmt: skip
def test_what_is_no_manifest_says_so(data: bytes) -> None:
    with pytest.raises(LakeError, match="this manifest cannot be used"):
        Manifest.from_bytes(data)


def test_a_manifest_of_a_later_release_says_to_update() -> None:
    with pytest.raises(LakeError, match="its format is 7, and this release knows 1") as refused:
        Manifest.from_bytes(manifest(FACT, format=7, files="another form"))
    assert "update" in refused.value.remedy
    assert Manifest.from_bytes(manifest(FACT, rows=None)).rows is None


@pytest.mark.parametrize("path", [path for path in OUTSIDE if path])
def test_a_lake_keeps_to_its_root(lake: FolderLake, tmp_path: Path, path: str) -> None:
    (tmp_path / "x").write_text("outside")
    for act in (lake.read_bytes, lake.exists, lake.names, lake.delete, lake.manifest):
        with pytest.raises(LakeError, match="does not name a place inside"):
            act(path)
    with pytest.raises(LakeError):
        lake.write_bytes(path, b"")
    assert (tmp_path / "x").read_text() == "outside"


@pytest.mark.parametrize("path", UNBEARABLE)
def test_a_name_that_no_file_can_bear_is_refused(
    lake: FolderLake, tmp_path: Path, path: str
) -> None:
    lake.write_bytes(f"raw/{MANIFEST}", manifest(FACT | {"name": path}))
    acts = [lake.read_bytes, lake.exists, lake.names, lake.delete, lake.manifest]
    for act in (*acts, lambda _: lake.fetch("raw", tmp_path / "made")):
        with pytest.raises(LakeError, match="is no name a file can bear") as found:
            act(path)
        assert len(str(found.value)) < 400


@pytest.mark.parametrize("path", ["a" * 255, "é" * 127, "ab/" * 900 + "c"])
def test_the_longest_names_are_none_too_long(lake: FolderLake, path: str) -> None:
    assert checked_path(path) == path
    assert not lake.exists(path)


def test_a_file_is_no_folder(lake: FolderLake, tmp_path: Path) -> None:
    lake.write_bytes("raw/a.csv", b"x")
    lake.write_bytes(f"raw/{MANIFEST}", manifest(FACT | {"name": "a.csv/part"}))
    with pytest.raises(NotFoundError):
        lake.fetch("raw", tmp_path / "made")


@pytest.mark.parametrize("path", ["../x", "runs/../../x"])
def test_a_lake_on_hdfs_does_not_even_ask(path: str) -> None:
    """Nothing listens there: the path is judged first."""
    lake = WebHdfsLake("hdfs://127.0.0.1:9/m", connect("http://127.0.0.1:9", "m"), 0)
    with pytest.raises(LakeError, match="does not name a place inside"):
        lake.read_bytes(path)


def test_a_path_that_stays_inside_is_itself() -> None:
    assert checked_path("runs/r-1/inputs.json") == "runs/r-1/inputs.json"


@pytest.mark.parametrize("run_id", ["manual__2026-01-04T03:00:00+00:00", "ä" * 90, "a" * 200, "-"])
def test_what_run_slug_makes_is_a_runs_name(run_id: str) -> None:
    assert run_name(run_slug(run_id)) == run_slug(run_id)


@pytest.mark.parametrize("name", ["", "a" * 101, "b" * 5_000, "-a", "a\n", "A", "a_b", "\udc41"])
def test_what_is_no_runs_name_is_refused_in_a_short_sentence(name: str) -> None:
    with pytest.raises(SourceError, match="is not the name of a run") as found:
        run_name(name)
    assert len(str(found.value)) < 400
    assert run_name("b" * 100) == "b" * 100
