"""Which addresses are lakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from marquee.errors import LakeError, LakeUnavailableError, SettingsError
from marquee.lake import FolderLake, open_lake
from marquee.lake.webhdfs import WebHdfsLake, connect


def test_both_roots_open(tmp_path: Path) -> None:
    assert isinstance(open_lake(f"file://{tmp_path}/l"), FolderLake)
    assert isinstance(open_lake("hdfs://h:1/m", "http://h:2"), WebHdfsLake)


@pytest.mark.parametrize("root", ["", "/tmp/x", "file://", "file:///", "hdfs://h:1", "s3://b/x"])
def test_everything_else_is_refused_with_a_remedy(root: str) -> None:
    with pytest.raises(SettingsError, match="give hdfs://"):
        open_lake(root, "http://h:2")


@pytest.mark.parametrize("root", [f"file:///x/{'n' * 300}", f"hdfs://h:1/{'é' * 200}/m"])
def test_an_address_that_no_file_system_bears_is_refused(root: str) -> None:
    with pytest.raises(LakeError, match="no name a file can bear"):
        open_lake(root, "http://h:2")


@pytest.mark.parametrize("page", ["h:2", "foo", "http://", "http://a:1;b:2", "http://h:99999"])
def test_a_namenodes_page_is_an_address(page: str) -> None:
    with pytest.raises(SettingsError, match="is not a lake — give hdfs://"):
        open_lake("hdfs://h:1/m", page)


def test_a_refused_address_shows_no_login() -> None:
    with pytest.raises(SettingsError) as caught:
        open_lake("hdfs://ada:pass@h:1/m", "http://ada:pass@h:2")
    assert "pass" not in str(caught.value)
    assert isinstance(open_lake("hdfs://h:1/m", "http://a:1;http://b:1"), WebHdfsLake)


def test_hdfs_without_its_http_address_is_refused() -> None:
    with pytest.raises(SettingsError):
        open_lake("hdfs://h:1/m")


def test_nobody_there_is_said_and_not_a_stack_of_libraries() -> None:
    lake = WebHdfsLake(
        "hdfs://127.0.0.1:9/m", connect("http://127.0.0.1:9", "x"), seconds_to_retry=0
    )
    with pytest.raises(LakeUnavailableError, match="did not answer"):
        lake.exists("raw")
