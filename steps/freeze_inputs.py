"""freeze_inputs: decide, once, what this run reads; everything after reads only this.

A retry finds `inputs.json` and keeps it. A model whose fingerprint equals that of its last
decision is marked unchanged: its group ends early, unless the form forces it.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from marquee.artefacts.card import Degraded
from marquee.artefacts.inputs import (
    ChampionInput,
    EarlierTitles,
    Inputs,
    ModelInputs,
    RatingsInput,
    TitlesInput,
    degraded_training,
    inputs_of,
    inputs_path,
    is_own,
)
from marquee.artefacts.ledger_entry import Entry
from marquee.clock import now, refuse_ahead
from marquee.drill import training_fault
from marquee.errors import (
    ContractError,
    LakeError,
    NotFoundError,
    SourceError,
    retry_helps,
)
from marquee.lake import Manifest
from marquee.names import iso, parse_moment
from marquee.policy import MODELS, Model, read_policy, tighten
from release.timeline import entry_at
from release.witness import standing_entries
from sources.title_snapshots import moment_of, snapshots
from steps.claim_world import check
from steps.fingerprint import computing_code, fingerprint
from steps.frozen_feedback import frozen_feedback
from steps.history import is_settled, last_decision
from steps.run import Run

INSTEAD = {
    "crawl_titles": "load_titles took what it had gathered, if any",
    "load_titles": "the recommender goes on with {titles}; the budget model waits",
    "load_feedback": "what was rated through the API since the last load waits for the next run",
}
"""What a run goes on with where a task failed for good."""


def freeze_inputs(
    run: Run, ratings: str | None = None, failed: Sequence[str] = ()
) -> dict[str, Any]:
    """Write `inputs.json` and return what is unchanged: `{"unchanged": {model: run or None}}`.

    `ratings` is the release this run loaded; a backfill takes the newest the lake holds. `failed`
    names tasks before this one that ended for good without what they were for: the run goes on
    with what the lake holds, and is marked as degraded.
    """
    check(run)
    run.lake.create_once(inputs_path(run.id), lambda: _inputs(run, ratings, failed).to_bytes())
    inputs = inputs_of(run.lake, run.id)
    unchanged = {model: inputs.models[model].unchanged_since for model in MODELS}
    for one in inputs.degraded:
        print(f"degraded: {one}", flush=True)
    for model, since in unchanged.items():
        if since:
            print(f"{model}: nothing it learns from has changed since run {since}", flush=True)
    return {"unchanged": unchanged}


def _inputs(run: Run, ratings: str | None, failed: Sequence[str]) -> Inputs:
    refuse_ahead(run.as_of, "the run's as-of")
    frozen_at = now()
    titles, unread = _titles(run)
    ledgers = {model: standing_entries(run.lake, model) for model in MODELS}
    inputs = Inputs(
        world=run.settings.world,
        run=run.id,
        run_type=run.run_type,
        as_of=run.as_of,
        frozen_at=frozen_at,
        ratings=_ratings(run, ratings),
        feedback=() if run.is_backfill else frozen_feedback(run.lake, frozen_at),
        titles=titles,
        earlier_titles=_earlier_titles(run),
        degraded=(*(_degraded(task, titles) for task in INSTEAD if task in failed), *unread),
        search=run.form.search,
        promote="no" if run.is_backfill else run.form.promote,
        force=run.form.force,
        seed=run.settings.seed,
        code=computing_code(training_fault(run.lake)),
        interval_seconds=int(run.interval.total_seconds()),
        models={model: _asked(run, model, entries) for model, entries in ledgers.items()},
    )
    models = {m: _with_history(run, m, inputs, entries) for m, entries in ledgers.items()}
    return inputs.model_copy(update={"models": models})


def _asked(run: Run, model: Model, entries: Sequence[Entry]) -> ModelInputs:
    """What the run asks for and is compared with; its fingerprint wants all inputs first."""
    policy = read_policy(model, getattr(run.settings.policy, model))
    policy = tighten(policy, run.form.tighten.get(model, {}))
    recipes = getattr(run.settings.recipes, model)
    champion = _champion(run, entries)
    return ModelInputs(recipes=recipes, policy=asdict(policy), fingerprint="", champion=champion)


def _with_history(run: Run, model: Model, inputs: Inputs, entries: Sequence[Entry]) -> ModelInputs:
    """With the fingerprint, and the run since which it has not changed."""
    asked = inputs.models[model]
    found = fingerprint(run.lake, model, inputs, entries)
    last = None if run.form.force or run.is_backfill else last_decision(run.lake, model)
    is_same = last is not None and last.subject.fingerprint == found
    is_settled_by_it = (
        last is not None
        and is_same
        and is_settled(last, entries)
        # What was trained without this run's titles is no answer to the same inputs.
        and not (model == "recommender" and degraded_training(run.lake, last.subject.run))
    )
    since = last.subject.run if last and is_settled_by_it else None
    return asked.model_copy(update={"fingerprint": found, "unchanged_since": since})


def _ratings(run: Run, path: str | None) -> RatingsInput:
    path = path or _newest_release(run)
    manifest = run.lake.manifest(path)
    return RatingsInput(
        path=path,
        digest=manifest.digest,
        rows=manifest.rows or 0,
        last_time=manifest.facts["last_time"],
        scale=(run.settings.ratings.lowest, run.settings.ratings.highest),
        text_ids=tuple(manifest.facts.get("text_ids", ())),
    )


def _newest_release(run: Run) -> str:
    paths = [f"raw/ratings/{name}" for name in run.lake.names("raw/ratings")]
    found = {path: _readable(run, path) for path in paths}
    loaded = {path: str(one.facts.get("loaded_at")) for path, one in found.items() if one}
    if not loaded:
        raise SourceError(
            "the lake holds no ratings yet", "let one live run load them, then backfill"
        )
    return max(loaded, key=lambda path: loaded[path])


def _readable(run: Run, path: str) -> Manifest | None:
    """The manifest of what an earlier run left; None, with a word, where it cannot be used: that
    must not keep every later run from what it can do without."""
    try:
        return run.lake.manifest(path)
    except NotFoundError:
        return None
    except LakeError as error:
        if retry_helps(error):
            raise
        print(f"passed over: {error}", flush=True)
        return None


def _titles(run: Run) -> tuple[tuple[TitlesInput, ...], list[Degraded]]:
    """Every snapshot, and what to say of those that cannot be used.

    Which of their pages may be known is judged page by page.
    """
    paths = snapshots(run.lake)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda path: (path, _readable(run, path)), paths))
    titles = tuple(_snapshot(run, path, manifest) for path, manifest in found if manifest)
    lost = [path for path, manifest in found if not manifest]
    without = "the recommender goes on without {}, which cannot be read; the budget model waits"
    return titles, [
        Degraded(task="load_titles", instead=without.format(run.lake.uri(path))) for path in lost
    ]


def _earlier_titles(run: Run) -> EarlierTitles | None:
    """What the run with the latest as-of before this one's has prepared, of those that have."""

    def read(name: str) -> Inputs | None:
        try:
            return inputs_of(run.lake, name)
        except NotFoundError:
            return None
        except ContractError as error:
            print(f"passed over: {error}", flush=True)
            return None

    with ThreadPoolExecutor(8) as pool:
        found = [one for one in pool.map(read, run.lake.names("runs")) if one]
    earlier = [one for one in found if one.as_of < run.as_of and one.run != run.id]
    for one in sorted(earlier, key=lambda one: one.as_of, reverse=True):
        path = f"runs/{one.run}/prepared/titles"
        if manifest := _readable(run, path):
            return EarlierTitles(path=path, digest=manifest.digest)
    return None


def _degraded(task: str, titles: Sequence[TitlesInput]) -> Degraded:
    """What the run goes on with where `task` failed."""
    return Degraded(task=task, instead=INSTEAD[task].format(titles=_held(titles)))


def _held(titles: Sequence[TitlesInput]) -> str:
    if not titles:
        return "no titles but the release's own list, for the lake holds none"
    last = max(titles, key=lambda one: one.loaded_at or one.as_of)
    return f"the titles the lake holds, loaded by {iso(last.loaded_at or last.as_of)}"


def _snapshot(run: Run, path: str, manifest: Manifest) -> TitlesInput:
    loaded_at = manifest.facts.get("loaded_at")
    return TitlesInput(
        path=path,
        digest=manifest.digest,
        as_of=moment_of(path, manifest),
        own=is_own(path, run.id),
        loaded_at=parse_moment(loaded_at) if loaded_at else None,
    )


def _champion(run: Run, entries: Sequence[Entry]) -> ChampionInput | None:
    entry = entry_at(entries, run.as_of if run.is_backfill else now(), now())
    if entry is None:
        return None
    return ChampionInput(
        number=entry.number,
        digest=entry.digest,
        bundle=entry.bundle,
        recipe=dict(entry.recipe),
        code=entry.code,
    )
