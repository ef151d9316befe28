"""One folder lake a test."""

from __future__ import annotations

from pathlib import Path

import pytest

from marquee.lake import Lake, open_lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return open_lake(f"file://{tmp_path}/lake")
