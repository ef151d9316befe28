"""freeze_inputs: write the run's datasets, recipes and policies to `inputs.json`.

Every later task of the run reads only the datasets in `inputs.json`. A retry keeps an existing
file. Where the fingerprint of a model equals the fingerprint of its last settled decision, the
model is marked unchanged and its tasks are skipped. The form's `force` prevents this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import datetime
from typing import Any

from marquee.artefacts.inputs import (
    ChampionInput,
    EarlierTitles,
    FeedbackInput,
    Inputs,
    ModelInputs,
    RatingsInput,
    TitlesInput,
    is_snapshot_of,
)
from marquee.artefacts.ledger_entry import Entry
from marquee.artefacts.model_card import Degraded
from marquee.clock import EARLIEST_CREDIBLE, iso, now, parse_moment, refuse_ahead
from marquee.errors import ContractError, LakeError, NotFoundError, SourceError, retry_helps
from marquee.lake import READS_AT_ONCE, Lake, Manifest, drill_fault
from marquee.policy import MODELS, Model, read_policy, tighten
from marquee.run_folder import inputs_of, inputs_path, read_all_runs
from release.ledger import complete_entries, entry_at
from sources.title_snapshots import load_moment, snapshots
from steps.export_champion import refuse_recipes
from steps.run import Run, check_lake
from steps.unchanged import code_version, fingerprint, last_time, unchanged_since

REPLACEMENTS = {
    "crawl_titles": "load_titles took what it had gathered, if any",
    "load_titles": "the recommender goes on with {titles}; the budget model waits",
    "load_feedback": "feedback that has not reached the lake waits for the next run",
}
"""The substitute for the output of a failed task."""


def freeze_inputs(
    run: Run, ratings: str | None = None, failed: Sequence[str] = ()
) -> dict[str, Any]:
    """Write `inputs.json` and return `{"unchanged": {model: earlier run or None}}`.

    `ratings` is the path of the release that this run loaded; None means the newest release in the
    lake. `failed` names the failed tasks of this run; the run is then degraded and uses earlier
    data of the lake. Raises SourceError where the lake holds no ratings, and ConflictError where
    the lake holds another world.
    """
    check_lake(run)
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
    ledgers = {model: complete_entries(run.lake, model) for model in MODELS}
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
        degraded=(*(_degraded(task, titles) for task in REPLACEMENTS if task in failed), *unread),
        search=run.form.search,
        promote="no" if run.is_backfill else run.form.promote,
        force=run.form.force,
        seed=run.settings.seed,
        code=code_version(drill_fault(run.lake)),
        interval_seconds=int(run.interval.total_seconds()),
        models={model: _model_inputs(run, model, entries) for model, entries in ledgers.items()},
    )
    models = {m: _with_fingerprint(run, m, inputs, entries) for m, entries in ledgers.items()}
    return inputs.model_copy(update={"models": models})


def _model_inputs(run: Run, model: Model, entries: Sequence[Entry]) -> ModelInputs:
    """Recipes, policy and champion of one model; `_with_fingerprint` adds the fingerprint."""
    policy = read_policy(model, getattr(run.settings.policy, model))
    policy = tighten(policy, run.form.tighten.get(model, {}))
    named = run.form.recipes.get(model)
    recipes = _recipes(getattr(run.settings.recipes, model), named)
    recipes = refuse_recipes(run.settings, model, recipes, named)
    champion = _champion(run, entries)
    return ModelInputs(recipes=recipes, policy=asdict(policy), fingerprint="", champion=champion)


def _recipes(tables: Sequence[dict[str, Any]], name: str | None) -> tuple[dict[str, Any], ...]:
    """All recipes; where the form names one, that one and those that stand beside it."""
    if name is None:
        return tuple(tables)
    named = [table for table in tables if table.get("name") == name]
    return (*named, *(t for t in tables if t.get("beside") and t not in named))


def _with_fingerprint(
    run: Run, model: Model, inputs: Inputs, entries: Sequence[Entry]
) -> ModelInputs:
    """The inputs of one model with the fingerprint and the earlier run with the same one."""
    found = fingerprint(run.lake, model, inputs, entries)
    must_train = run.form.force or run.is_backfill
    since = None if must_train else unchanged_since(run.lake, model, found, entries)
    return inputs.models[model].model_copy(update={"fingerprint": found, "unchanged_since": since})


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
    """The manifest of a folder; None where the folder is missing or damaged.

    A damaged folder prints a line instead of an error, because later runs can do without it.
    """
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
    """The readable snapshots of titles, and a Degraded for each damaged snapshot."""
    paths = snapshots(run.lake)
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        found = list(pool.map(lambda path: (path, _readable(run, path)), paths))
    titles = tuple(_snapshot(run, path, manifest) for path, manifest in found if manifest)
    lost = [path for path, manifest in found if not manifest]
    without = "the recommender goes on without {}, which cannot be read; the budget model waits"
    return titles, [
        Degraded(task="load_titles", instead=without.format(run.lake.uri(path))) for path in lost
    ]


def _snapshot(run: Run, path: str, manifest: Manifest) -> TitlesInput:
    loaded_at = manifest.facts.get("loaded_at")
    return TitlesInput(
        path=path,
        digest=manifest.digest,
        as_of=load_moment(path, manifest),
        own=is_snapshot_of(path, run.id),
        loaded_at=parse_moment(loaded_at) if loaded_at else None,
    )


def _degraded(task: str, titles: Sequence[TitlesInput]) -> Degraded:
    """The failed `task` with its substitute."""
    return Degraded(task=task, instead=REPLACEMENTS[task].format(titles=_titles_in_lake(titles)))


def _titles_in_lake(titles: Sequence[TitlesInput]) -> str:
    if not titles:
        return "no titles but the release's own list, for the lake holds none"
    last = max(titles, key=lambda one: one.loaded_at or one.as_of)
    return f"the titles the lake holds, loaded by {iso(last.loaded_at or last.as_of)}"


def _earlier_titles(run: Run) -> EarlierTitles | None:
    """The latest prepared titles of a run with an earlier as-of."""

    def pass_over(error: ContractError) -> None:
        print(f"passed over: {error}", flush=True)

    found = _inputs_of_all_runs(run.lake, pass_over)
    earlier = [one for one in found if one.as_of < run.as_of and one.run != run.id]
    for one in sorted(earlier, key=lambda one: one.as_of, reverse=True):
        path = f"runs/{one.run}/prepared/titles"
        if manifest := _readable(run, path):
            return EarlierTitles(path=path, digest=manifest.digest)
    return None


def frozen_feedback(lake: Lake, frozen_at: datetime) -> tuple[FeedbackInput, ...]:
    """Every segment of feedback in the lake.

    A line with a time after `frozen_at` comes from a server whose clock was ahead. Its segment gets
    a `said_by`: the moment of the first freeze that read the segment, the same in every later run.
    The line counts from that moment at the latest.
    """
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        found = list(pool.map(lambda name: _segment(lake, name), lake.names("raw/feedback")))
        lasts = list(pool.map(lambda one: last_time(lake, one), found))
    froze = int(frozen_at.timestamp())
    ahead = {one.path for one, last in zip(found, lasts, strict=True) if last >= froze}
    if not ahead:
        return tuple(found)
    said_by = dict.fromkeys(ahead, frozen_at) if frozen_at >= EARLIEST_CREDIBLE else {}
    for path, moment in _earlier_freezes(lake):
        if path in ahead:
            said_by[path] = min(moment, said_by.get(path, moment))
    return tuple(one.model_copy(update={"said_by": said_by.get(one.path)}) for one in found)


def _segment(lake: Lake, name: str) -> FeedbackInput:
    path = f"raw/feedback/{name}"
    return FeedbackInput(path=path, digest=lake.manifest(path).digest)


def _earlier_freezes(lake: Lake) -> Iterator[tuple[str, datetime]]:
    """Each (path of a segment, moment of the freeze) of earlier runs; format 1 has no moment."""
    for inputs in _inputs_of_all_runs(lake, lambda _: None):
        if inputs.frozen_at and inputs.frozen_at >= EARLIEST_CREDIBLE:
            yield from ((one.path, inputs.frozen_at) for one in inputs.feedback)


def _inputs_of_all_runs(lake: Lake, pass_over: Callable[[ContractError], None]) -> list[Inputs]:
    """The inputs of every run; `pass_over` gets the error of each damaged `inputs.json`."""

    def read(run: str) -> Inputs | None:
        try:
            return inputs_of(lake, run)
        except NotFoundError:
            return None
        except ContractError as error:
            pass_over(error)
            return None

    return read_all_runs(lake, read)
