"""Writes and renames on a real HDFS whose reply comes late, or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests

from local_stack.stack import Stack
from marquee.errors import (
    NotFoundError,
)
from marquee.lake import open_lake
from marquee.lake.webhdfs import WebHdfsLake

WHOLE = b"every byte of it"


@pytest.fixture
def real(hdfs: Stack, tmp_path: Path) -> WebHdfsLake:
    place = hdfs.settings.lake
    lake = open_lake(f"{place.root}-{tmp_path.name}", place.webhdfs)
    assert isinstance(lake, WebHdfsLake)
    return lake


@pytest.mark.hdfs
def test_a_first_write_that_wakes_late_harms_nothing(
    real: WebHdfsLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A DataNode that stalls creates the file when it wakes, whoever has given up on it: while
    the next try writes, and after it has."""
    write, stalled = real.client.write, []

    def stall(path: str, data: Any, **options: Any) -> None:
        if not stalled:
            stalled.append((path, options))
            raise requests.ReadTimeout("no word for a minute")
        if len(stalled) == 1:
            stalled.append(stalled[0])
            write(stalled[0][0], b"half of", **stalled[0][1])
        write(path, data, **options)

    monkeypatch.setattr(real.client, "write", stall)
    real.write_bytes(".staging/a/part", WHOLE)
    assert real.read_bytes(".staging/a/part") == WHOLE
    path, options = stalled[0]
    with pytest.raises(Exception, match="already exists"):
        write(path, b"half of", **options)
    assert real.read_bytes(".staging/a/part") == WHOLE
    assert real.names(".staging/a") == ["part"]


@pytest.mark.hdfs
def test_a_rename_whose_reply_was_lost_is_done(
    real: WebHdfsLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename, lost = real.client._rename, [True]

    def lose(*args: Any, **options: Any) -> Any:
        done = rename(*args, **options)
        if lost and lost.pop():
            raise requests.ConnectionError("the reply was lost")
        return done

    monkeypatch.setattr(real.client, "_rename", lose)
    real.create("ledger/1.json", WHOLE)
    assert real.read_bytes("ledger/1.json") == WHOLE
    assert real.names(".staging") == []
    with pytest.raises(NotFoundError):
        real.rename(".staging/none", "ledger/2.json")
