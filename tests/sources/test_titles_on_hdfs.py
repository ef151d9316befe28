"""Titles into real HDFS: few files, once, and whole though the NameNode dies in the middle."""

from __future__ import annotations

import base64
import json
import os
import random
import signal
from pathlib import Path

import pytest

from local_stack.stack import Stack
from marquee.lake import Lake
from marquee.lake.webhdfs import WebHdfsLake, connect
from sources.title_loading import load_titles
from sources.title_record import title_record, write_lines
from sources.title_snapshots import records_at

COUNT, REFUSED = 400, 30
PATH = "raw/titles/as_of=20260104T030000Z/run=r-1"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder as a crawl leaves it: titles in one file, refused pages in two."""
    folder = tmp_path / "out"
    folder.mkdir()
    chance = random.Random(3)
    people = [{"name_id": "nm0000001", "name": "Ada"}]
    stated = {"type": "movie", "year": 1990, "rating": 7.0, "genres": ["Drama"]}
    records = [
        title_record("next_data_v2", f"tt{n:07d}", f"Title {n}", directors=people, **stated)
        for n in range(COUNT)
    ]
    write_lines(folder / "titles-00001.jsonl.gz", records)
    for number in (1, 2):
        pages = [
            {"reason": "odd", "page": base64.b64encode(chance.randbytes(9_000)).decode()}
            for _ in range(REFUSED)
        ]
        write_lines(folder / f"refused-0000{number}.jsonl.gz", pages)
    refused = 2 * REFUSED
    report = {"fetched": COUNT + refused, "titles": COUNT, "refused": refused, "site": "http://s"}
    (folder / "report.json").write_text(json.dumps(report))
    return folder


@pytest.mark.hdfs
def test_one_crawl_is_few_files_and_a_second_load_does_nothing(hdfs: Stack, home: Path) -> None:
    lake = new_lake(hdfs)
    first = load_titles(lake, home, PATH)
    assert first and first.is_new and first.manifest.rows == COUNT
    assert len(lake.names(PATH)) == 5  # titles, two of refused pages, report, manifest
    assert sum(1 for _ in records_at(lake, PATH)) == COUNT
    changed = modified(lake)
    again = load_titles(lake, home, PATH)
    assert again and not again.is_new and again.manifest.digest == first.manifest.digest
    assert modified(lake) == changed


@pytest.mark.hdfs
@pytest.mark.parametrize("moment", ["copy_in", "write_bytes", "rename"])
def test_a_namenode_killed_in_the_middle_of_a_load_costs_a_retry(
    hdfs: Stack, home: Path, moment: str
) -> None:
    """Killed before a file travels, before the manifest is written, before the folder appears."""
    lake = new_lake(hdfs)
    armed = [moment]
    stricken = Stricken(lake.root, connect(hdfs.settings.lake.webhdfs, "marquee"))
    stricken.strike = lambda at: kill_namenode(hdfs) if armed == [at] and armed.pop() else None
    loaded = load_titles(stricken, home, PATH)
    assert armed == []
    assert loaded and loaded.is_new and loaded.path == PATH
    assert [record["title_id"] for record in records_at(lake, PATH)] == [
        f"tt{n:07d}" for n in range(COUNT)
    ]
    assert lake.manifest(PATH).digest == loaded.manifest.digest
    assert lake.names(".staging") == []
    again = load_titles(lake, home, PATH)
    assert again and not again.is_new


class Stricken(WebHdfsLake):
    """The real lake, told of the moments at which something may happen to it."""

    strike = staticmethod(lambda at: None)

    def copy_in(self, source: Path, path: str) -> None:
        self.strike("copy_in")
        super().copy_in(source, path)

    def write_bytes(self, path: str, data: bytes) -> None:
        self.strike("write_bytes")
        super().write_bytes(path, data)

    def rename(self, source: str, target: str) -> None:
        self.strike("rename")
        super().rename(source, target)


def new_lake(hdfs: Stack) -> WebHdfsLake:
    root = f"{hdfs.settings.lake.root}-titles-{random.randrange(10**9)}"
    return WebHdfsLake(root, connect(hdfs.settings.lake.webhdfs, "marquee"))


def modified(lake: Lake) -> dict[str, int]:
    """When each file of the load was written last, and the folders around it."""
    assert isinstance(lake, WebHdfsLake)
    found = {PATH, *(f"{PATH}/{name}" for name in lake.names(PATH))}
    return {path: lake.client.status(lake._at(path))["modificationTime"] for path in found}


def kill_namenode(hdfs: Stack) -> None:
    pid = next(p["pid"] for p in hdfs.supervisor.processes() if p["name"] == "namenode")
    os.kill(pid, signal.SIGKILL)
