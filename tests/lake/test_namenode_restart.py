"""A NameNode that dies in the middle costs a retry, not data."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from local_stack.stack import Stack
from marquee.lake import open_lake


@pytest.mark.hdfs
def test_publishing_survives_a_killed_namenode(hdfs: Stack, tmp_path: Path) -> None:
    root, web = hdfs.settings.lake.root, hdfs.settings.lake.webhdfs
    lake = open_lake(f"{root}-restart", web)
    folder = tmp_path / "made"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.txt").write_text(str(number))
    before = lake.publish(folder, "raw/before")
    pid = next(p["pid"] for p in hdfs.supervisor.processes() if p["name"] == "namenode")
    os.kill(pid, signal.SIGKILL)
    after = lake.publish(folder, "raw/after")
    assert after.digest == before.digest
    assert lake.manifest("raw/before").digest == before.digest
    again = next(p["pid"] for p in hdfs.supervisor.processes() if p["name"] == "namenode")
    assert again != pid
