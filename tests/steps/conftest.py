"""A run on a folder lake: steps are the same on every root."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from marquee.lake import open_lake
from marquee.settings import load_settings
from steps.form import Form
from steps.run import Run

RATINGS = "userId,movieId,rating,timestamp\n1,10,4.0,1000\n2,10,3.5,1700000000\n"


@pytest.fixture
def release(tmp_path: Path) -> Path:
    folder = tmp_path / "release"
    folder.mkdir()
    (folder / "ratings.csv").write_text(RATINGS)
    (folder / "movies.csv").write_text("movieId,title,genres\n10,A Film (1999),Drama\n")
    (folder / "links.csv").write_text("movieId,imdbId,tmdbId\n10,0123456,1\n")
    return folder


@pytest.fixture
def make_run(tmp_path: Path, release: Path) -> Callable[..., Run]:
    """Runs of one world; keyword arguments are the form's, `kind` and `at` the run's."""
    base = load_settings("local")
    settings = base.model_copy(
        update={
            "state": str(tmp_path / "state"),
            "ratings": base.ratings.model_copy(update={"source": str(release)}),
        }
    )
    lake = open_lake(f"file://{tmp_path}/lake")

    def make(name: str, at: str = "2026-01-04", kind: str = "manual", **asked: Any) -> Run:
        moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
        return Run(name, moment, kind, Form.of(settings, asked), settings, lake)

    return make
