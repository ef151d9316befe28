"""What a drill spoils in a training job, and that no other lake lets it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marquee.identifiers import digest_file
from marquee.lake import DRILL_FAULTS, drill_fault, open_lake
from spark_apps.drill import MixedStarsTrainer, inject_fault, trainer_class, with_mixed_stars
from spark_apps.job import Job
from spark_apps.recommender.indexed_ratings import Catalogue, IndexedRatings
from spark_apps.recommender.trainer import Trainer
from steps.unchanged import code_version
from tests.scoring.made_up import make_ratings

FITS = ("evaluated", "shipped")


def job_in(folder: Path, world: Any) -> Job:
    """A training job in a lake whose root manifest is `world` (None: there is none)."""
    lake = open_lake(f"file://{folder}/lake")
    if world is not None:
        lake.create_json("world.json", world)
    return Job("train_recommender", "r-1", lake, folder)


def drill(fault: str | None, **changes: Any) -> dict[str, Any]:
    return {"format": 1, "world": "synthetic", "drill": True, "fault": fault, **changes}


def fitted(folder: Path) -> Path:
    """The arrays that faults touch, of both fits."""
    for fit in FITS:
        bundle = folder / "model" / fit / "bundle"
        bundle.mkdir(parents=True)
        np.save(bundle / "item_factors.npy", np.ones((5, 3), dtype=np.float32))
        np.save(bundle / "item_bias.npy", np.zeros(5))
    return folder / "model"


def digests(out: Path) -> dict[str, str]:
    files = sorted(path for path in out.rglob("*") if path.is_file())
    return {str(path.relative_to(out)): digest_file(path) for path in files}


@pytest.mark.parametrize("fault", DRILL_FAULTS)
@pytest.mark.parametrize("changes", [{"drill": False}, None])
def test_a_lake_that_is_not_a_drills_is_never_spoilt(
    tmp_path: Path, fault: str, changes: dict[str, Any] | None
) -> None:
    job = job_in(tmp_path, None if changes is None else drill(fault, **changes))
    out = fitted(tmp_path)
    before = digests(out)
    inject_fault(job, out)
    assert digests(out) == before
    assert len(before) == 4
    assert trainer_class(job) is Trainer
    assert drill_fault(job.lake) is None


@pytest.mark.parametrize("fault", [None, "lost_rows", "no such fault", 3, ["torn_bundle"]])
def test_faults_of_the_data_are_not_the_jobs(tmp_path: Path, fault: Any) -> None:
    job = job_in(tmp_path, drill(fault))
    out = fitted(tmp_path)
    before = digests(out)
    inject_fault(job, out)
    assert digests(out) == before
    assert trainer_class(job) is Trainer


def test_nan_factors_are_in_the_evaluated_bundle_alone(tmp_path: Path) -> None:
    out = fitted(tmp_path)
    before = digests(out)
    inject_fault(job_in(tmp_path, drill("nan_factors")), out)
    after = digests(out)
    assert {name for name in after if after[name] != before[name]} == {
        "evaluated/bundle/item_factors.npy"
    }
    factors = np.load(out / "evaluated/bundle/item_factors.npy")
    assert np.isnan(factors).sum() == 3
    assert factors.dtype == np.float32


def test_a_torn_bundle_is_the_one_that_would_serve(tmp_path: Path) -> None:
    out = fitted(tmp_path)
    before = digests(out)
    inject_fault(job_in(tmp_path, drill("torn_bundle")), out)
    assert before.keys() - digests(out).keys() == {"shipped/bundle/item_bias.npy"}


def test_spoilt_code_mixes_up_what_some_ratings_say_and_nothing_else(tmp_path: Path) -> None:
    assert trainer_class(job_in(tmp_path, drill("spoilt_code"))) is MixedStarsTrainer
    rows = make_ratings(60, 40)
    ratings = IndexedRatings.of(rows, Catalogue.of(rows, {}))
    mixed = with_mixed_stars(ratings, seed=7)
    assert np.array_equal(np.sort(mixed.values), np.sort(ratings.values))
    assert 0.02 < np.mean(mixed.values != ratings.values) < 0.4
    assert np.array_equal(mixed.items, ratings.items)
    assert np.array_equal(mixed.users, ratings.users)
    assert np.array_equal(mixed.values, with_mixed_stars(ratings, seed=7).values)


def test_what_a_drill_spoils_in_training_is_part_of_what_computes() -> None:
    """So that the run is not skipped as unchanged, and is judged as other code."""
    codes = {code_version(fault) for fault in (None, *DRILL_FAULTS)}
    assert len(codes) == 1 + len(DRILL_FAULTS)
