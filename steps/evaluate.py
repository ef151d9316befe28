"""evaluate: score the evaluated bundle on the holdout, and the shipped one in a serving process."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from marquee.artefacts.evaluation import evaluation_json
from marquee.artefacts.inputs import degradation, inputs_of
from marquee.digest import canonical_json
from marquee.errors import BundleError, NotFoundError
from marquee.lake import Lake
from marquee.policy import Model
from marquee.settings import REPOSITORY
from release.bundles import RECORD, bundle_folder
from release.live import live_sentence
from steps.live_record import record_live
from steps.run import Run

SPLITS = {"recommender": "split/ratings", "budget": "split/titles"}
BUNDLES = {
    "recommender": ("evaluated", "shipped", "incumbent", "forecast"),
    "budget": ("evaluated", "shipped", "incumbent"),
}
"""What the training job leaves of each model; the first two always."""
HEADLINE = ("rmse", "ndcg@10", "coverage", "log_rmse", "interval_coverage")
PARTS = ("holdout", "metrics", "versus", "shipped")


def evaluate(run: Run, model: Model) -> dict[str, Any]:
    """Write `evaluation.json` and `record.jsonl` beside the model, once; returns its metrics."""
    target = run.path(f"models/{model}/evaluation.json")
    if not run.lake.exists(target):
        scratch = Path(tempfile.mkdtemp(prefix="marquee-evaluate-"))
        started = time.time()
        try:
            run.lake.create_once(
                target, lambda: canonical_json(evaluation_json(_measure(run, model, scratch)))
            )
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        _leave_timings(run, model, started)
    if model == "recommender":
        print(f"live record: {live_sentence(record_live(run))}", flush=True)
    metrics: dict[str, Any] = run.lake.read_json(target)["metrics"]
    print(json.dumps(metrics), flush=True)
    print(in_words(metrics), flush=True)
    return metrics


def in_words(metrics: Mapping[str, Any]) -> str:
    """The figures that decide, in one line, for who watches the run."""
    figures = [f"{name} {metrics[name]:.4g}" for name in HEADLINE if metrics.get(name) is not None]
    return ", ".join(figures) or "no figures: what was trained cannot be scored"


def _measure(run: Run, model: Model, scratch: Path) -> dict[str, Any]:
    """The evaluation; one without figures where a bundle cannot be scored, for the gate to refuse.

    What a bundle is worth that no scorer loads (NaN in its factors, say) is a decision, not a
    failure of the task: a retry would find the same.
    """
    folder = run.path(f"models/{model}")
    bundles = {
        name: _fetch(run.lake, folder, f"{name}/bundle", scratch / name) for name in BUNDLES[model]
    }
    split = run.lake.fetch(run.path(SPLITS[model]), scratch / "split")
    shipped = bundles["shipped"]
    assert bundles["evaluated"] and shipped  # the training job publishes them whole
    record = fetch_record(run, model, scratch)
    own = scratch / "own" / RECORD
    own.parent.mkdir()
    try:
        value = _evaluator(model)(
            **bundles,
            train=split / "train",
            holdout=split / "holdout",
            seed=run.settings.seed,
            record=record,
            own_record=own,
        )
    except BundleError as error:
        value = {"model": model, "why": str(error)} | {key: {} for key in PARTS}
    if own.exists():
        # A retry's is the same but for the last digits.
        run.lake.create_once(f"{folder}/{RECORD}", own.read_bytes)
    value["shipped"] = value.get("shipped", {}) | check_in_serving(shipped, model)
    if lost := degradation(run.lake, run.id):
        value["degraded"] = [one.model_dump() for one in lost]
    return value


def fetch_record(run: Run, model: Model, scratch: Path) -> Path | None:
    """The champion's holdout record; None where nothing served, or what served left none."""
    champion = inputs_of(run.lake, run.id).models[model].champion
    if champion is None:
        return None
    target = scratch / "champion" / RECORD
    with suppress(NotFoundError):
        data = run.lake.read_bytes(f"{bundle_folder(model, champion.bundle)}/{RECORD}")
        target.parent.mkdir()
        target.write_bytes(data)
    return target if target.exists() else None


def _evaluator(model: Model) -> Callable[..., dict[str, Any]]:
    """Imported only here: every DAG parse would pay for NumPy and Arrow otherwise."""
    if model == "budget":
        from scoring.budget.evaluate import evaluate_budget

        return evaluate_budget
    from scoring.recommender.evaluate import evaluate_recommender

    return evaluate_recommender


def check_in_serving(bundle: Path, model: Model) -> dict[str, Any]:
    """Load a bundle in a real serving process and let it answer its golden queries."""
    command = [sys.executable, "-m", "serving.check", str(bundle), "--model", model]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300)
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        why = (done.stderr.strip().splitlines() or ["no word"])[-1]
        return {"loads": False, "why": f"the serving process ended: {why}"}
    return found


def _fetch(lake: Lake, folder: str, below: str, target: Path) -> Path | None:
    """One sub-folder of the model's folder; None where the job left none."""
    if not lake.manifest(folder).below(below).files:
        return None
    return lake.fetch(folder, target, below=below)


def _leave_timings(run: Run, model: Model, started: float) -> None:
    task = f"evaluate_{model}"
    value: dict[str, Any] = {"task": task, "started": started, "session_ready": started}
    value |= {"work": {"evaluate": time.time() - started}, "finished": time.time()}
    peaks = {"evaluation": resource.RUSAGE_SELF, "its serving check": resource.RUSAGE_CHILDREN}
    value |= {"peak_mb": {name: _peak_mb(of) for name, of in peaks.items()}}
    run.lake.create_once(run.path(f"timings/{task}.json"), lambda: canonical_json(value))


def _peak_mb(of: int) -> float:
    """Peak resident megabytes of this process, or of the largest it has waited for."""
    return round(resource.getrusage(of).ru_maxrss / 1024, 1)
