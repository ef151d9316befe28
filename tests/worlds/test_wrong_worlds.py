"""Every wrong world through the real run: the condition meant for it refuses, and no other.

A champion is promoted on the sound world first; each fault's run is judged beside it, on the same
lake. Steps, jobs, ledger and the serving check are the product's own (`weekly.py` says what is
not). `python -m tests.drill wrong_worlds` does the same with Airflow and HDFS at full size.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from marquee.artefacts.verdict import Verdict
from marquee.clock import now
from marquee.errors import PromotionRefusedError
from marquee.policy import MODELS, Model
from release.ledger import Ledger
from replica.make_world import make_world
from replica.world_faults import FAULTS
from steps.release_model import promote
from tests.plugins.spark_session import spark  # noqa: F401
from tests.worlds.weekly import Place, judge, load, serve

pytestmark = [pytest.mark.usefixtures("spark"), pytest.mark.timeout(1800)]
SEED, PEOPLE, TITLES = 7, 300, 300
EARLIER = timedelta(hours=2)
"""Before now: the champion's as-of, so that a later run's is later."""


@dataclass(frozen=True)
class Champion:
    """A lake whose champions were promoted on the sound world."""

    place: Place
    world: Path
    verdicts: dict[Model, Verdict]


@pytest.fixture(scope="module")
def champion(
    spark: SparkSession,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Champion:
    folder = tmp_path_factory.mktemp("sound")
    make_world(folder / "world", SEED, PEOPLE, TITLES)
    place = Place.of(folder)
    run = place.run("sound", folder / "world", now().replace(microsecond=0) - EARLIER)
    load(run, pages=True)
    verdicts = judge(run, MODELS)
    serve(run, [model for model, verdict in verdicts.items() if verdict.approved])
    return Champion(place, folder / "world", verdicts)


def refused(verdict: Verdict) -> dict[int, list[str]]:
    """By number: the sentences of the conditions that refuse."""
    found: dict[int, list[str]] = {}
    for condition in verdict.failed:
        found.setdefault(condition.number, []).append(condition.sentence)
    return found


@pytest.mark.parametrize("model", MODELS)
def test_the_sound_world_is_promoted(champion: Champion, model: Model) -> None:
    assert refused(champion.verdicts[model]) == {}
    assert {c.number for c in champion.verdicts[model].conditions} == {1, 2, 3, 4, 5, 6}
    (entry,) = Ledger(champion.place.lake, model).entries()
    assert entry.run == "sound"


def test_the_sound_world_again_is_refused_by_nothing(champion: Champion) -> None:
    run = champion.place.run("sound-again", champion.world, force=True)
    load(run, pages=False)
    (verdict,) = judge(run, ["recommender"]).values()
    assert refused(verdict) == {}
    assert verdict.approved


@pytest.mark.parametrize("name", FAULTS)
def test_that_condition_and_no_other_refuses(champion: Champion, tmp_path: Path, name: str) -> None:
    fault = FAULTS[name]
    make_world(tmp_path / "world", SEED, PEOPLE, TITLES, fault=name)
    place = champion.place if fault.judged_after == "a champion" else Place.of(tmp_path)
    heads = Ledger(place.lake, fault.model).entries()
    assert bool(heads) == (fault.judged_after == "a champion")
    run = place.run(name.replace("_", "-"), tmp_path / "world")
    load(run, pages=fault.model == "budget")
    (verdict,) = judge(run, [fault.model]).values()
    assert refused(verdict).keys() == {fault.condition}, refused(verdict)
    assert not verdict.approved
    with pytest.raises(PromotionRefusedError):
        promote(run, fault.model)
    assert Ledger(place.lake, fault.model).entries() == heads
