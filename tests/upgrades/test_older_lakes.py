"""Lakes that older releases wrote, with their own code, are opened, served and written on.

`lakes/COMMIT.tgz` holds the folder of a lake that commit COMMIT made with its own
`tests/serving/serving_bundles.py`: two bundles of the recommender, the second with content, and one
of the budget model, all in the ledger. `tests/release/format1` has older verdicts and evaluations.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from marquee.lake import Lake, open_lake
from marquee.policy import MODELS
from release.ledger import Ledger
from release.manual_entries import roll_back
from serving.backend import Backend, open_backend
from tests.plugins.live_server import running
from tests.serving.serving_bundles import promote_recommender

LAKES = Path(__file__).parent / "lakes"
COMMITS = sorted(file.stem for file in LAKES.glob("*.tgz"))


@pytest.fixture(params=COMMITS)
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    with tarfile.open(LAKES / f"{request.param}.tgz") as archive:
        archive.extractall(tmp_path / "lake", filter="data")
    return open_lake(f"file://{tmp_path / 'lake'}")


@pytest.fixture
def backend(lake: Lake, tmp_path: Path) -> Backend:
    found = open_backend(lake, tmp_path / "cache", tmp_path / "feedback")
    found.recommender.poll()
    found.budget.poll()
    return found


def test_there_are_lakes_of_several_releases() -> None:
    assert len(COMMITS) >= 3


def test_its_ledgers_are_whole(lake: Lake) -> None:
    for model in MODELS:
        assert Ledger(lake, model).entries()
        assert Ledger(lake, model).verify() == []


def test_its_champions_serve(backend: Backend) -> None:
    with running(backend) as client:
        found = client.get("/v1/users/10/recommendations", params={"n": 5}).json()
        assert len(found["recommendations"]) == 5
        similar = client.get("/v1/titles/1/similar", params={"n": 3})
        assert similar.status_code == 200 and similar.json()["similar"]
        estimate = client.post("/v1/budget-estimates", json={"year": 2020, "genres": ["Drama"]})
        assert estimate.status_code == 200
        assert estimate.json()["median"] > 0


def test_its_champion_is_followed_by_one_of_today_and_rolled_back_to(
    lake: Lake, backend: Backend, tmp_path: Path
) -> None:
    ledger = Ledger(lake, "recommender")
    old = ledger.head()
    assert old is not None
    new = promote_recommender(lake, tmp_path / "new", seed=7)
    backend.recommender.poll()
    assert new.number == old.number + 1 and ledger.verify() == []
    with running(backend) as client:
        where = "/v1/models/recommender/champion"
        assert client.get(where).json()["entry"]["bundle"] == new.bundle
        roll_back(lake, "recommender", old.number, "an older one", hold=False)
        backend.recommender.poll()
        assert client.get(where).json()["entry"]["bundle"] == old.bundle
    assert ledger.verify() == []
