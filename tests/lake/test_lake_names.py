"""No name in a manifest, and no path, leads out of the folder it belongs to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from marquee.errors import LakeError
from marquee.lake import FolderLake, Manifest, WebHdfsLake, open_lake
from marquee.lake.manifest import MANIFEST
from marquee.lake.webhdfs import connect
from marquee.names import inside, run_name, run_slug

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
        Manifest.from_bytes(manifest(FACT, format=7, files="told otherwise"))
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


@pytest.mark.parametrize("path", ["../x", "runs/../../x"])
def test_a_lake_on_hdfs_does_not_even_ask(path: str) -> None:
    """Nothing listens there: the path is judged first."""
    lake = WebHdfsLake("hdfs://127.0.0.1:9/m", connect("http://127.0.0.1:9", "m"), 0)
    with pytest.raises(LakeError, match="does not name a place inside"):
        lake.read_bytes(path)


def test_a_path_that_stays_inside_is_itself() -> None:
    assert inside("runs/r-1/inputs.json") == "runs/r-1/inputs.json"


@pytest.mark.parametrize("run_id", ["manual__2026-01-04T03:00:00+00:00", "ä" * 90, "a" * 200, "-"])
def test_what_run_slug_makes_is_a_runs_name(run_id: str) -> None:
    assert run_name(run_slug(run_id)) == run_slug(run_id)
