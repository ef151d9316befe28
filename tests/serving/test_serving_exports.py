"""The export of the serving bundle over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from marquee.lake import Lake
from release.ledger import Ledger
from release.promotion import EXPORT_FILE, export_folder
from serving.backend import Backend


@pytest.fixture
def client(two: Backend, serve: Callable[[Backend], httpx.Client]) -> httpx.Client:
    return serve(two)


def test_the_export_of_the_bundle_that_serves(
    client: httpx.Client, lake: Lake, tmp_path: Path
) -> None:
    entry = Ledger(lake, "budget").head()
    assert entry is not None
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / EXPORT_FILE).write_bytes(b"a zip")
    lake.publish(folder, export_folder("budget", entry.bundle, "onnx"))
    answer = client.get("/v1/models/budget/exports/onnx")
    assert (answer.status_code, answer.content) == (200, b"a zip")
    assert answer.headers["content-type"] == "application/zip"
    assert f'"budget-{entry.bundle}-onnx.zip"' in answer.headers["content-disposition"]


def test_where_there_is_none_it_says_which_there_are_and_how_to_make_one(
    client: httpx.Client, lake: Lake, tmp_path: Path
) -> None:
    entry = Ledger(lake, "recommender").head()
    assert entry is not None
    answer = client.get("/v1/models/recommender/exports/pmml")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "no export to pmml; it has none" in answer.text
    assert "`marquee export champion:recommender --help`" in answer.text
    (tmp_path / EXPORT_FILE).write_bytes(b"a zip")
    lake.publish(tmp_path, export_folder("recommender", entry.bundle, "onnx"))
    again = client.get("/v1/models/recommender/exports/pmml")
    assert "no export to pmml; it has onnx" in again.text


@pytest.mark.parametrize(
    "path", ["budget/exports/..", "budget/exports/A%2fb", "other/exports/onnx"]
)
def test_only_names_are_names(client: httpx.Client, path: str) -> None:
    assert client.get(f"/v1/models/{path}").status_code in (404, 422)
