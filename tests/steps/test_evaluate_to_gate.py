"""Evaluate, gate and promote on made-up bundles: each wrong is refused by its condition alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marquee.artefacts.ledger_entry import Entry
from marquee.artefacts.verdict import Verdict
from marquee.clock import iso
from marquee.identifiers import canonical_json
from marquee.policy import POLICIES
from release.ledger import Ledger
from release.promotion import promote
from steps.evaluate import evaluate
from steps.release_model import gate
from steps.run import Run
from tests.frozen_inputs import frozen
from tests.scoring.made_up import save_ratings
from tests.scoring.test_holdout_evaluation import HOLDOUT, ROWS, TRAIN, bundle_of

Make = Callable[..., Run]
MODEL = "recommender"
RECIPE = {"name": "made-up", "rank": 40}
POLICY = {
    "rmse_ceiling": 1.1, "coverage_floor": 0.5, "margin_rmse": 0.01, "margin_ndcg": 0.03,
    "fewest_people": 30,
}  # fmt: skip


def with_golden(bundle: Path) -> Path:
    """The answers to twenty pairs, by arithmetic outside the scorer."""
    arrays = {name: np.load(bundle / f"{name}.npy") for name in (
        "user_ids", "movie_ids", "user_bias", "item_bias", "user_factors", "item_factors"
    )}  # fmt: skip
    exact = 3.5 + arrays["user_bias"][:, None] + arrays["item_bias"]
    exact = exact + arrays["user_factors"].astype(float) @ arrays["item_factors"].astype(float).T
    asked = [
        {
            "user_id": int(arrays["user_ids"][u]),
            "movie_id": int(arrays["movie_ids"][i]),
            "value": float(np.clip(exact[u, i], 0.5, 5.0)),
        }
        for u in range(5)
        for i in range(4)
    ]
    golden = {"tolerance": 1e-5, "predictions": asked, "rankings": []}
    (bundle / "golden.json").write_bytes(canonical_json(golden))
    return bundle


def trained(
    run: Run, folder: Path, noise: float, code: str = "c0de", recipe: Any = None,
    spoil: Callable[[Path], None] = lambda model: None, **changes: Any,
) -> Run:  # fmt: skip
    """What a run leaves before evaluate: inputs, the split, figures of its world, a model."""
    head = Ledger(run.lake, MODEL).head()
    champion = head and {
        "number": head.number, "digest": head.digest, "bundle": head.bundle,
        "recipe": dict(head.recipe), "code": head.code,
    }  # fmt: skip
    asked = {MODEL: {"policy": POLICY, "champion": champion}}
    inputs = frozen(run.id, iso(run.as_of), code=code, models=asked, **changes)
    run.lake.create_json(run.path("inputs.json"), inputs)
    split = folder / run.id / "split"
    save_ratings(split / "train", TRAIN)
    save_ratings(split / "holdout", HOLDOUT)
    run.lake.publish(split, run.path("split/ratings"))
    figures = {"format": 1, "rows": len(ROWS), "people": 50, "titles": 40, "mean": 3.5}
    run.lake.create_json(run.path("data/ratings.json"), figures)
    model = folder / run.id / "model"
    with_golden(bundle_of(model / "evaluated" / "bundle", TRAIN, noise))
    with_golden(bundle_of(model / "shipped" / "bundle", ROWS, noise / 3))
    card = {"model": MODEL, "recipe": recipe or RECIPE}
    (model / "card.json").write_bytes(canonical_json(card))
    spoil(model)
    run.lake.publish(model, run.path(f"models/{MODEL}"))
    return run


def judged(run: Run) -> Verdict:
    evaluate(run, MODEL)
    return gate(run, MODEL)


def failing(verdict: Verdict) -> set[int]:
    return {condition.number for condition in verdict.failed}


@pytest.fixture
def champion(make_run: Make, tmp_path: Path) -> Entry:
    """A first week that is promoted, with what the next code version is compared with."""
    run = trained(make_run("week-0", at="2026-01-04"), tmp_path, noise=0.3)
    verdict = judged(run)
    assert verdict.approved, verdict.sentences()
    entry = promote(run.lake, MODEL, run.id, approved=False)
    kept = run.lake.names(f"serving/{MODEL}/bundles/{entry.bundle}")
    assert {"record.jsonl", "data.json", "evaluation.json"} <= set(kept)
    return entry


def test_factors_spoilt_by_other_code_are_refused_by_condition_4_alone(
    champion: Entry, make_run: Make, tmp_path: Path
) -> None:
    run = trained(make_run("week-1", at="2026-01-11"), tmp_path, noise=0.4, code="worse")
    verdict = judged(run)
    assert failing(verdict) == {4}, verdict.sentences()
    assert any("the champion as recorded" in c.sentence for c in verdict.failed)
    found = run.lake.read_json(run.path(f"models/{MODEL}/evaluation.json"))
    assert found["versus"]["record"]["matched"] == 50


def test_factors_improved_by_other_code_are_approved(
    champion: Entry, make_run: Make, tmp_path: Path
) -> None:
    run = trained(make_run("week-1", at="2026-01-11"), tmp_path, noise=0.2, code="better")
    verdict = judged(run)
    assert verdict.approved, verdict.sentences()
    assert promote(run.lake, MODEL, run.id, approved=False).number == 2


def test_the_same_code_is_no_worse_than_the_champion_recorded(
    champion: Entry, make_run: Make, tmp_path: Path
) -> None:
    run = trained(make_run("week-1", at="2026-01-11"), tmp_path, noise=0.3)
    verdict = judged(run)
    assert verdict.approved
    said = [c.sentence for c in verdict.conditions if c.number == 4]
    assert any("on the 50 people both were asked about" in sentence for sentence in said)
    liked = run.lake.read_json(run.path(f"models/{MODEL}/evaluation.json"))["versus"]["record"]
    assert liked["ndcg@10"]["matched"] < liked["matched"], "not everybody liked something"


def test_the_same_code_on_rows_that_spoil_it_is_refused_by_condition_4_alone(
    champion: Entry, make_run: Make, tmp_path: Path
) -> None:
    run = trained(make_run("week-1", at="2026-01-11"), tmp_path, noise=0.4)
    assert failing(judged(run)) == {4}


def test_without_its_record_the_champions_recorded_figure_decides(
    champion: Entry, make_run: Make, tmp_path: Path
) -> None:
    """A bundle that the first release promoted left none."""
    week = make_run("week-1", at="2026-01-11")
    week.lake.delete(f"serving/{MODEL}/bundles/{champion.bundle}/record.jsonl")
    verdict = judged(trained(week, tmp_path, noise=0.5, code="worse"))
    assert 4 in failing(verdict)
    assert any("both 95 % intervals allow" in c.sentence for c in verdict.failed)
    better = trained(make_run("week-2", at="2026-01-18"), tmp_path, noise=0.2, code="better")
    assert judged(better).approved


def nan_factors(model: Path) -> None:
    path = model / "evaluated" / "bundle" / "item_factors.npy"
    np.save(path, np.full_like(np.load(path), np.nan))


def torn_bundle(model: Path) -> None:
    (model / "shipped" / "bundle" / "item_bias.npy").unlink()


@pytest.mark.parametrize(("spoil", "group"), [(nan_factors, 1), (torn_bundle, 6)])
def test_a_ruined_model_is_refused_by_its_condition_alone(
    champion: Entry,
    make_run: Make,
    tmp_path: Path,
    spoil: Callable[[Path], None],
    group: int,
) -> None:
    run = trained(make_run("week-1", at="2026-01-11"), tmp_path, noise=0.3, spoil=spoil)
    verdict = judged(run)
    assert failing(verdict) == {group}, verdict.sentences()
    assert all(c.sentence for c in verdict.failed)
    text = run.lake.read_bytes(run.path(f"models/{MODEL}/evaluation.json"))
    assert b"NaN" not in text and json.loads(text)["format"] == 2


def test_a_world_that_lost_people_is_condition_5_alone_though_recipe_and_code_are_the_same(
    champion: Entry, make_run: Make, tmp_path: Path
) -> None:
    run = trained(make_run("week-1", at="2026-01-11"), tmp_path, noise=0.3)
    run.lake.delete(run.path("data/ratings.json"))
    figures = {"format": 1, "rows": len(ROWS), "people": 45, "titles": 40, "mean": 3.5}
    run.lake.create_json(run.path("data/ratings.json"), figures)
    assert failing(judged(run)) == {5}


def test_the_policy_of_this_test_is_one() -> None:
    assert POLICIES[MODEL](**POLICY)
