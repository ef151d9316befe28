"""A lake with a pair of champions, and a CouchDB (or its stand-in) to publish into."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from documents.couch import Couch
from marquee.document_settings import DocumentsSettings
from marquee.lake import Lake, World, claim_world, open_lake
from tests.serving.serving_bundles import promote_budget, promote_recommender


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake of the world `made-up` with one champion of each model."""
    lake = open_lake(f"file://{tmp_path / 'lake'}")
    claim_world(lake, World("made-up", False, None))
    promote_recommender(lake, tmp_path / "recommender")
    promote_budget(lake, tmp_path / "budget")
    return lake


@pytest.fixture
def couch(couch_settings: Callable[..., DocumentsSettings]) -> Iterator[Couch]:
    """A client of a database that does not exist yet."""
    with Couch(couch_settings()) as client:
        yield client
