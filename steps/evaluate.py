"""evaluate: score a trained model on the holdout, for the gate.

The step scores the evaluated bundle, the baselines and the champion's retrained recipe on the
holdout. It loads the shipped bundle in a serving process and compares the answers to the golden
queries. It also writes the live record, `live.json`: the scores of the serving recommender on
ratings newer than its training.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from marquee.artefacts.evaluation import evaluation_json
from marquee.errors import BundleError, MarqueeError, NotFoundError, retry_helps
from marquee.identifiers import canonical_json
from marquee.lake import Lake
from marquee.policy import Model
from marquee.process_secrets import variables_for
from marquee.run_folder import LIVE, degraded_tasks, inputs_of, live_sentence, timings_path
from marquee.settings import REPOSITORY
from release.ledger import Ledger
from release.promotion import RECORD_FILE, bundle_folder
from steps.run import Run

SPLITS = {"recommender": "split/ratings", "budget": "split/titles"}
BUNDLES = ("evaluated", "shipped", "incumbent")
"""The bundles that a training job writes; the last only where the champion has another recipe."""
HEADLINE = ("rmse", "ndcg@10", "coverage", "log_rmse", "interval_coverage")
SECTIONS = ("holdout", "metrics", "versus", "shipped")


def evaluate(run: Run, model: Model) -> dict[str, Any]:
    """Write `evaluation.json` and `record.jsonl` beside the model; returns the metrics.

    A second call reads the existing files.
    """
    target = run.path(f"models/{model}/evaluation.json")
    if not run.lake.exists(target):
        started = time.time()
        with _scratch("marquee-evaluate-") as scratch:
            run.lake.create_once(
                target, lambda: canonical_json(evaluation_json(_measure(run, model, scratch)))
            )
        _write_timings(run, model, started)
    if model == "recommender":
        print(f"live record: {live_sentence(record_live(run))}", flush=True)
    metrics: dict[str, Any] = run.lake.read_json(target)["metrics"]
    print(json.dumps(metrics), flush=True)
    print(main_metrics_line(metrics), flush=True)
    return metrics


def main_metrics_line(metrics: Mapping[str, Any]) -> str:
    """The main metrics in one line, for the task's log."""
    figures = [f"{name} {metrics[name]:.4g}" for name in HEADLINE if metrics.get(name) is not None]
    return ", ".join(figures) or "no figures: what was trained cannot be scored"


def _measure(run: Run, model: Model, scratch: Path) -> dict[str, Any]:
    """The content of `evaluation.json`.

    A bundle that cannot be scored, such as one with NaN factors, gives an evaluation without
    metrics. The gate rejects such an evaluation. The task does not fail, because a retry would give
    the same result.
    """
    folder = run.path(f"models/{model}")
    bundles = {name: _fetch(run.lake, folder, f"{name}/bundle", scratch / name) for name in BUNDLES}
    split = run.lake.fetch(run.path(SPLITS[model]), scratch / "split")
    shipped = bundles["shipped"]
    assert bundles["evaluated"] and shipped  # the training job publishes them whole
    extra = {"beside": _fetch(run.lake, folder, "beside", scratch / "beside")}
    record = fetch_record(run, model, scratch)
    own = scratch / "own" / RECORD_FILE
    own.parent.mkdir()
    try:
        value = _evaluator(model)(
            **bundles,
            train=split / "train",
            holdout=split / "holdout",
            seed=run.settings.seed,
            record=record,
            own_record=own,
            **(extra if model == "budget" else {}),
        )
    except BundleError as error:
        value = {"model": model, "why": str(error)} | {key: {} for key in SECTIONS}
    if own.exists():
        # The record of a retry may differ in the last digits, so the first record stays.
        run.lake.create_once(f"{folder}/{RECORD_FILE}", own.read_bytes)
    value["shipped"] = value.get("shipped", {}) | check_in_serving(shipped, model)
    if lost := degraded_tasks(run.lake, run.id):
        value["degraded"] = [one.model_dump() for one in lost]
    return value


def fetch_record(run: Run, model: Model, scratch: Path) -> Path | None:
    """The local path of the champion's holdout record; None without a champion or a record."""
    champion = inputs_of(run.lake, run.id).models[model].champion
    if champion is None:
        return None
    target = scratch / "champion" / RECORD_FILE
    with suppress(NotFoundError):
        data = run.lake.read_bytes(f"{bundle_folder(model, champion.bundle)}/{RECORD_FILE}")
        target.parent.mkdir()
        target.write_bytes(data)
    return target if target.exists() else None


def _evaluator(model: Model) -> Callable[..., dict[str, Any]]:
    """The model's scorer. The import is here, so that only this task loads NumPy and Arrow."""
    if model == "budget":
        from scoring.budget.holdout_evaluation import evaluate_budget

        return evaluate_budget
    from scoring.recommender.holdout_evaluation import evaluate_recommender

    return evaluate_recommender


def check_in_serving(bundle: Path, model: Model) -> dict[str, Any]:
    """Load a bundle in a separate serving process and check its golden queries there."""
    command = [sys.executable, "-m", "serving.check", str(bundle), "--model", model]
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env=variables_for("serving", os.environ),
        capture_output=True,
        text=True,
        timeout=300,
    )
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        why = (done.stderr.strip().splitlines() or ["no word"])[-1]
        return {"loads": False, "why": f"the serving process ended: {why}"}
    return found


def record_live(run: Run) -> dict[str, Any]:
    """Write the live record `runs/R/live.json` once, and return it.

    The live record scores the recommender that served at the freeze of this run. Where nothing can
    be measured, the key `why` holds the reason. The gate does not read the live record.
    """
    written = run.lake.create_once(run.path(LIVE), lambda: canonical_json(_live_record(run)))
    found: dict[str, Any] = json.loads(written)
    return found


def _live_record(run: Run) -> dict[str, Any]:
    try:
        with _scratch("marquee-live-") as scratch:
            return _measure_live(run, scratch)
    except MarqueeError as error:
        if retry_helps(error):
            raise
        return {"rows": 0, "people": 0, "alarm": False, "why": f"not measured: {error}"}


def _measure_live(run: Run, scratch: Path) -> dict[str, Any]:
    champion = inputs_of(run.lake, run.id).models["recommender"].champion
    if champion is None:
        return {"rows": 0, "people": 0, "alarm": False, "why": "nothing has served yet"}
    entry = Ledger(run.lake, "recommender").entry(champion.number)
    since = int(entry.as_of.timestamp())
    served = {"bundle": entry.bundle, "number": entry.number}
    folder = bundle_folder("recommender", entry.bundle)
    bundle = run.lake.fetch(folder, scratch / "bundle", below="bundle")
    ratings = run.lake.fetch(run.path("prepared/ratings"), scratch / "ratings")
    from scoring.recommender.live_record import live_record  # as in `_evaluator`

    return served | live_record(bundle, ratings, since, run.settings.seed)


@contextmanager
def _scratch(prefix: str) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fetch(lake: Lake, folder: str, below: str, target: Path) -> Path | None:
    """One sub-folder of the model's folder; None where the training job left none."""
    if not lake.manifest(folder).below(below).files:
        return None
    return lake.fetch(folder, target, below=below)


def _write_timings(run: Run, model: Model, started: float) -> None:
    task = f"evaluate_{model}"
    value: dict[str, Any] = {"task": task, "started": started, "session_ready": started}
    value |= {"work": {"evaluate": time.time() - started}, "finished": time.time()}
    peaks = {"evaluation": resource.RUSAGE_SELF, "its serving check": resource.RUSAGE_CHILDREN}
    value |= {"peak_mb": {name: _peak_mb(of) for name, of in peaks.items()}}
    run.lake.create_once(timings_path(run.id, task), lambda: canonical_json(value))


def _peak_mb(of: int) -> float:
    """Peak resident megabytes of this process, or of its largest finished child process."""
    return round(resource.getrusage(of).ru_maxrss / 1024, 1)
