"""One folder lake a test, and a folder to make runs in."""

from __future__ import annotations

from pathlib import Path

import pytest

from marquee.lake import Lake, open_lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return open_lake(f"file://{tmp_path}/lake")


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return tmp_path / "scratch"
