"""Made-up bundles load, repeat their golden answers, and are measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.made_up_bundle import write_folder
from bench.made_up_ratings import MadeUpWorld
from marquee.settings import REPOSITORY
from scoring.recommender.holdout import last_share, training_ratings
from scoring.recommender.model import Recommender
from scoring.recommender.ratings_files import read_ratings
from tests.scoring.made_up import joined


def test_a_made_up_folder_is_a_release_split_and_its_bundles(tmp_path: Path) -> None:
    write_folder(tmp_path, 20_000, seed=2, split=True)
    shipped, evaluated = (Recommender.load(tmp_path / n) for n in ("shipped", "evaluated"))
    world = MadeUpWorld(20_000, 2)
    assert shipped.bundle.user_factors.shape == (world.people, 32)
    assert len(shipped.titles) == world.titles == len(shipped.movie_ids)
    assert shipped.check_golden().passed and shipped.check_golden().count == 60
    train, holdout = (read_ratings(tmp_path / name) for name in ("train", "holdout"))
    whole = joined(train, holdout)
    assert len(whole) == 20_000 and last_share(whole).sum() == len(holdout)
    kept = training_ratings(evaluated)
    assert len(kept) == len(train) > 15_000
    assert np.bincount(kept.user_ids).tolist() == np.bincount(train.user_ids).tolist()


@pytest.mark.parametrize("rows", ["x", "", "-5", "1999", "2e4"])
def test_impossible_numbers_of_rows_are_refused(rows: str) -> None:
    for module, value in (("bench.made_up_bundle", rows), ("bench.scale", f"5000,{rows}")):
        command = [sys.executable, "-m", module, "--rows", value]
        command += ["/nowhere"] if module == "bench.made_up_bundle" else []
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
        assert done.returncode == 2 and "is no whole number from 2000 on" in done.stderr


def test_what_a_bundle_costs_a_server_is_measured(tmp_path: Path) -> None:
    write_folder(tmp_path, 20_000, seed=2, split=False)
    command = [sys.executable, "-m", "bench.scale_bundle", str(tmp_path / "shipped")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["answers"] == 20 and found["bundle_mb"] > 1
    assert 0 < found["resident_mb"] <= found["promotion_peak_mb"] * 1.05
    assert found["top10_ms_median"] > 0
