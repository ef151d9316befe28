"""freeze_inputs: decide, once, what this run reads; everything after reads only this.

A retry finds `inputs.json` and keeps it. A model whose inputs, recipes, policy and code equal
those of its last decision is marked unchanged: its group ends early, unless the form forces it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from marquee.digest import digest_code, digest_value
from marquee.errors import SourceError
from marquee.names import iso, parse_moment
from marquee.release.ledger import Ledger
from marquee.release.policy import read_policy, tighten
from marquee.settings import REPOSITORY
from marquee.steps.history import is_settled, last_decision
from marquee.steps.run import MODELS, Model, Run

# What changes a model when it changes. The gate, the DAG and serving do not.
CODE = ("spark_apps", "marquee/scoring", "marquee/money", "marquee/normalise", "marquee/contracts")
COMMON = ("search", "code", "seed")


def freeze_inputs(run: Run, ratings: str | None = None) -> dict[str, Any]:
    """Write `inputs.json` and return what is unchanged: `{"unchanged": {model: run or None}}`.

    `ratings` is the release this run loaded; a backfill takes the newest the lake holds.
    """
    path = run.path("inputs.json")
    if not run.lake.exists(path):
        run.lake.create_json(path, _inputs(run, ratings))
    inputs = run.lake.read_json(path)
    unchanged = {model: inputs["models"][model]["unchanged_since"] for model in MODELS}
    for model, since in unchanged.items():
        if since:
            print(f"{model}: nothing it learns from has changed since run {since}", flush=True)
    return {"unchanged": unchanged}


def _inputs(run: Run, ratings: str | None) -> dict[str, Any]:
    common = {
        "format": 1,
        "world": run.settings.world,
        "run": run.id,
        "run_type": run.run_type,
        "as_of": iso(run.as_of),
        "ratings": _ratings(run, ratings),
        "feedback": _feedback(run),
        "titles": _titles(run),
        "search": run.form.search,
        "promote": "no" if run.is_backfill else run.form.promote,
        "force": run.form.force,
        "seed": run.settings.seed,
        "code": digest_code(REPOSITORY / room for room in CODE),
    }
    models = {model: _model(run, model, common) for model in MODELS}
    return common | {"models": models}


def _model(run: Run, model: Model, common: Mapping[str, Any]) -> dict[str, Any]:
    recipes = list(getattr(run.settings.recipes, model))
    policy = read_policy(model, getattr(run.settings.policy, model))
    policy = tighten(policy, run.form.tighten.get(model, {}))
    asked = {"recipes": recipes, "policy": asdict(policy)}
    fingerprint = digest_value(asked | _learns_from(model, common))
    last = None if run.form.force or run.is_backfill else last_decision(run.lake, model)
    same = last and last["fingerprint"] == fingerprint and is_settled(run.lake, model, last)
    return asked | {
        "fingerprint": fingerprint,
        "unchanged_since": last["run"] if last and same else None,
        "champion": _champion(run, model),
    }


def _learns_from(model: Model, common: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs a model's content depends on: digests, and as-of only where it cuts."""
    cut = int(parse_moment(common["as_of"]).timestamp())
    value = {key: common[key] for key in COMMON} | {"ratings": common["ratings"]["digest"]}
    value["scale"] = common["ratings"]["scale"]
    if model == "recommender":
        value["feedback"] = [f["digest"] for f in common["feedback"]]
        value["cut"] = cut if cut <= common["ratings"]["last_time"] else None
    else:
        value["titles"] = [t["digest"] for t in common["titles"]]
        # Titles are cut by release: only another year of as-of can let another title in.
        value["year"] = parse_moment(common["as_of"]).year
    return value


def _ratings(run: Run, path: str | None) -> dict[str, Any]:
    path = path or _newest_release(run)
    manifest = run.lake.manifest(path)
    return {
        "path": path,
        "digest": manifest.digest,
        "rows": manifest.rows,
        "last_time": manifest.facts["last_time"],
        "scale": [run.settings.ratings.lowest, run.settings.ratings.highest],
        "text_ids": manifest.facts.get("text_ids", []),
    }


def _newest_release(run: Run) -> str:
    paths = [f"raw/ratings/{name}" for name in run.lake.names("raw/ratings")]
    if not paths:
        raise SourceError(
            "the lake holds no ratings yet", "let one live run load them, then backfill"
        )
    return max(paths, key=lambda path: str(run.lake.manifest(path).facts.get("loaded_at")))


def _feedback(run: Run) -> list[dict[str, str]]:
    if run.is_backfill:
        return []
    paths = [f"raw/feedback/{name}" for name in run.lake.names("raw/feedback")]
    return [{"path": path, "digest": run.lake.manifest(path).digest} for path in paths]


def _titles(run: Run) -> list[dict[str, str]]:
    """Every snapshot; a live run's are all before as-of, a backfill is told their moments."""
    found = []
    for moment in run.lake.names("raw/titles"):
        for name in run.lake.names(f"raw/titles/{moment}"):
            path = f"raw/titles/{moment}/{name}"
            as_of = iso(parse_moment(moment.removeprefix("as_of=")))
            found.append({"path": path, "digest": run.lake.manifest(path).digest, "as_of": as_of})
    return found


def _champion(run: Run, model: Model) -> dict[str, Any] | None:
    ledger = Ledger(run.lake, model)
    entry = ledger.at(run.as_of) if run.is_backfill else ledger.head()
    if entry is None:
        return None
    return {
        "number": entry.number,
        "digest": entry.digest,
        "bundle": entry.bundle,
        "recipe": dict(entry.recipe),
        "code": entry.code,
    }
