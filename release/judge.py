"""The gate at the lake: read what a run was given and measured, decide, write it down once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from marquee.artefacts.card import Card, read_card
from marquee.artefacts.evaluation import read_evaluation
from marquee.artefacts.inputs import ChampionInput, Inputs, inputs_of
from marquee.artefacts.ledger_entry import Entry
from marquee.artefacts.reading import number
from marquee.artefacts.subject import Head, Subject
from marquee.artefacts.verdict import Verdict, read_verdict
from marquee.digest import canonical_json
from marquee.errors import MarqueeError, NotFoundError
from marquee.lake import Lake
from marquee.policy import Model, read_policy
from release.against import Against
from release.bundles import bundle_folder, model_folder, shipped_digest
from release.gate import decide
from release.live import read_live
from release.past import worlds_since
from release.same_world import Worlds
from release.witness import standing_entries
from release.world import world_of_entry, world_of_run
from report import model_report


def judge(lake: Lake, model: Model, run: str) -> Verdict:
    """Decide on a run's challenger, and leave `verdict.json` and `report.html` beside it.

    A verdict is written once: asked again, the run gets the one it has. Raises NotFoundError
    where the model, its evaluation or the run's inputs are missing, ContractError where the
    inputs or the card are not ones, LedgerError where the ledger lost what was read from it; an
    evaluation that makes no sense is a refusal, not an error.
    """
    folder = model_folder(run, model)
    case = _read_case(lake, model, run)
    data = lake.create_once(
        f"{folder}/verdict.json", lambda: canonical_json(_decide(lake, model, case).to_json())
    )
    verdict = read_verdict(data)
    lake.create_once(f"{folder}/report.html", lambda: _page(lake, verdict, case).encode())
    return verdict


@dataclass(frozen=True)
class _Case:
    """What a run left for its gate, and what it is judged against."""

    inputs: Inputs
    evaluation: Any
    card: Card
    champion: Entry | None
    worlds: Worlds


def _read_case(lake: Lake, model: Model, run: str) -> _Case:
    folder = model_folder(run, model)
    evaluation = _json_or_none(lake.read_bytes(f"{folder}/evaluation.json"))
    card = read_card(lake.read_bytes(f"{folder}/card.json"), lake.uri(f"{folder}/card.json"))
    inputs = inputs_of(lake, run)
    entries = _entries(lake, model, inputs.models[model].champion)
    champion = entries[-1] if entries else None
    reference = world_of_entry(lake, model, champion) if champion else None
    since = _intervals(lake, inputs, champion) if champion else 1.0
    past = worlds_since(lake, model, entries)
    worlds = Worlds(world_of_run(lake, run), reference, since, past)
    return _Case(inputs, evaluation, card, champion, worlds)


def _intervals(lake: Lake, inputs: Inputs, champion: Entry) -> float:
    """The schedule's intervals since the as-of of the world compared with; at least one."""
    as_of = champion.as_of
    if champion.world:
        with suppress(MarqueeError):  # an accepted run that was swept away: the champion's as-of
            as_of = inputs_of(lake, champion.world).as_of
    return max((inputs.as_of - as_of) / inputs.interval, 1.0)


def _decide(lake: Lake, model: Model, case: _Case) -> Verdict:
    shipped = shipped_digest(lake, model, case.inputs.run)
    subject = _subject(case.inputs, model, case.card.recipe, shipped)
    return decide(
        case.evaluation,
        read_policy(model, case.inputs.models[model].policy),
        subject=subject,
        against=against_of(lake, model, case.champion, subject.recipe, subject.code),
        worlds=case.worlds,
    )


def _page(lake: Lake, verdict: Verdict, case: _Case) -> str:
    run, model = verdict.subject.run, verdict.subject.model
    return model_report(
        verdict,
        case.evaluation,
        _json_at(lake, f"{model_folder(run, model)}/card.json"),
        timings=_timings(lake, model, run),
        live=read_live(lake, run) if model == "recommender" else None,
        worlds=case.worlds,
        degraded=[str(one) for one in (*case.inputs.degraded, *case.card.degraded)],
    )


def _timings(lake: Lake, model: str, run: str) -> list[Any]:
    """What the run's tasks took that this model came through, in order of their start."""
    others = {"recommender", "budget"} - {model}
    names = [n for n in lake.names(f"runs/{run}/timings") if not any(o in n for o in others)]
    found = [_json_or_none(lake.read_bytes(f"runs/{run}/timings/{name}")) for name in names]
    return sorted(found, key=lambda value: number(value, "started") or 0.0)


def against_of(
    lake: Lake, model: Model, entry: Entry | None, recipe: Mapping[str, Any], code: str
) -> Against:
    """The champion of a ledger entry beside a challenger's recipe and code."""
    if entry is None:
        return Against(head=None)
    return Against(
        head=Head(entry.number, entry.digest),
        same_recipe=canonical_json(entry.recipe) == canonical_json(recipe),
        same_code=entry.code == code,
        accepted=entry.losses,
        recorded=read_evaluation(
            _json_at(lake, f"{bundle_folder(model, entry.bundle)}/evaluation.json")
        ),
    )


def _entries(lake: Lake, model: Model, champion: ChampionInput | None) -> Sequence[Entry]:
    """The ledger up to the entry the run was told of; LedgerError where it has not that one."""
    entries = standing_entries(lake, model, champion)
    return entries[: champion.number] if champion else []


def _subject(inputs: Inputs, model: Model, recipe: Any, bundle_digest: str) -> Subject:
    return Subject(
        run=inputs.run,
        model=model,
        as_of=inputs.as_of,
        run_type=inputs.run_type,
        promote=inputs.promote,
        recipe=recipe,
        code=inputs.code,
        fingerprint=inputs.models[model].fingerprint,
        bundle_digest=bundle_digest,
    )


def _json_at(lake: Lake, path: str) -> Any:
    try:
        return _json_or_none(lake.read_bytes(path))
    except NotFoundError:
        return None


def _json_or_none(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
