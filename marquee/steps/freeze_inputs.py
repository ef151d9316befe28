"""freeze_inputs: decide, once, what this run reads; everything after reads only this.

A retry finds `inputs.json` and keeps it. A model whose inputs, recipes, policy and code equal
those of its last decision is marked unchanged: its group ends early, unless the form forces it.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from marquee.digest import digest_code, digest_value
from marquee.errors import SourceError
from marquee.names import now, parse_moment
from marquee.release.inputs import (
    ChampionInput,
    FeedbackInput,
    Inputs,
    ModelInputs,
    RatingsInput,
    TitlesInput,
    inputs_of,
    inputs_path,
    is_own,
)
from marquee.release.ledger import Ledger
from marquee.release.policy import read_policy, tighten
from marquee.settings import REPOSITORY
from marquee.steps.history import is_settled, last_decision
from marquee.steps.run import MODELS, Model, Run

# What changes a model when it changes. The gate, the DAG and serving do not.
CODE = ("spark_apps", "marquee/scoring", "marquee/money", "marquee/normalise", "marquee/contracts")


def freeze_inputs(run: Run, ratings: str | None = None) -> dict[str, Any]:
    """Write `inputs.json` and return what is unchanged: `{"unchanged": {model: run or None}}`.

    `ratings` is the release this run loaded; a backfill takes the newest the lake holds.
    """
    path = inputs_path(run.id)
    if not run.lake.exists(path):
        run.lake.create(path, _inputs(run, ratings).to_bytes())
    inputs = inputs_of(run.lake, run.id)
    unchanged = {model: inputs.models[model].unchanged_since for model in MODELS}
    for model, since in unchanged.items():
        if since:
            print(f"{model}: nothing it learns from has changed since run {since}", flush=True)
    return {"unchanged": unchanged}


def _inputs(run: Run, ratings: str | None) -> Inputs:
    inputs = Inputs(
        world=run.settings.world,
        run=run.id,
        run_type=run.run_type,
        as_of=run.as_of,
        frozen_at=now(),
        ratings=_ratings(run, ratings),
        feedback=_feedback(run),
        titles=_titles(run),
        search=run.form.search,
        promote="no" if run.is_backfill else run.form.promote,
        force=run.form.force,
        seed=run.settings.seed,
        code=digest_code(REPOSITORY / room for room in CODE),
        models={model: _asked(run, model) for model in MODELS},
    )
    models = {model: _with_history(run, model, inputs) for model in MODELS}
    return inputs.model_copy(update={"models": models})


def _asked(run: Run, model: Model) -> ModelInputs:
    """What the run asks for and is compared with; its fingerprint wants all inputs first."""
    policy = read_policy(model, getattr(run.settings.policy, model))
    policy = tighten(policy, run.form.tighten.get(model, {}))
    recipes = getattr(run.settings.recipes, model)
    champion = _champion(run, model)
    return ModelInputs(recipes=recipes, policy=asdict(policy), fingerprint="", champion=champion)


def _with_history(run: Run, model: Model, inputs: Inputs) -> ModelInputs:
    asked = inputs.models[model]
    told = {"recipes": asked.recipes, "policy": asked.policy}
    fingerprint = digest_value(told | _learns_from(model, inputs))
    last = None if run.form.force or run.is_backfill else last_decision(run.lake, model)
    same = last and last["fingerprint"] == fingerprint and is_settled(run.lake, model, last)
    since = last["run"] if last and same else None
    return asked.model_copy(update={"fingerprint": fingerprint, "unchanged_since": since})


def _learns_from(model: Model, inputs: Inputs) -> dict[str, Any]:
    """The inputs a model's content depends on: digests, and as-of only where it cuts."""
    ratings, cut = inputs.ratings, int(inputs.as_of.timestamp())
    value: dict[str, Any] = {"search": inputs.search, "code": inputs.code, "seed": inputs.seed}
    value |= {"ratings": ratings.digest, "scale": ratings.scale}
    if model == "recommender":
        value["feedback"] = [one.digest for one in inputs.feedback]
        value["cut"] = cut if cut <= ratings.last_time else None
    else:
        value["titles"] = [one.digest for one in inputs.titles]
        # Titles are cut by release: only another year of as-of can let another title in.
        value["year"] = inputs.as_of.year
    return value


def _ratings(run: Run, path: str | None) -> RatingsInput:
    path = path or _newest_release(run)
    manifest = run.lake.manifest(path)
    return RatingsInput(
        path=path,
        digest=manifest.digest,
        rows=manifest.rows or 0,
        last_time=manifest.facts["last_time"],
        scale=(run.settings.ratings.lowest, run.settings.ratings.highest),
        text_ids=manifest.facts.get("text_ids", ()),
    )


def _newest_release(run: Run) -> str:
    paths = [f"raw/ratings/{name}" for name in run.lake.names("raw/ratings")]
    if not paths:
        raise SourceError(
            "the lake holds no ratings yet", "let one live run load them, then backfill"
        )
    return max(paths, key=lambda path: str(run.lake.manifest(path).facts.get("loaded_at")))


def _feedback(run: Run) -> tuple[FeedbackInput, ...]:
    if run.is_backfill:
        return ()
    paths = [f"raw/feedback/{name}" for name in run.lake.names("raw/feedback")]
    return tuple(FeedbackInput(path=p, digest=run.lake.manifest(p).digest) for p in paths)


def _titles(run: Run) -> tuple[TitlesInput, ...]:
    """Every snapshot, with the moment it was loaded."""
    return tuple(
        _snapshot(run, f"raw/titles/{moment}/{name}", moment.removeprefix("as_of="))
        for moment in run.lake.names("raw/titles")
        for name in run.lake.names(f"raw/titles/{moment}")
    )


def _snapshot(run: Run, path: str, moment: str) -> TitlesInput:
    digest, as_of = run.lake.manifest(path).digest, parse_moment(moment)
    return TitlesInput(path=path, digest=digest, as_of=as_of, own=is_own(path, run.id))


def _champion(run: Run, model: Model) -> ChampionInput | None:
    ledger = Ledger(run.lake, model)
    entry = ledger.at(run.as_of) if run.is_backfill else ledger.head()
    if entry is None:
        return None
    return ChampionInput(
        number=entry.number,
        digest=entry.digest,
        bundle=entry.bundle,
        recipe=dict(entry.recipe),
        code=entry.code,
    )
