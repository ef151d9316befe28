"""The gate at the lake: read what a run was given and measured, decide, write it down once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from marquee.digest import canonical_json
from marquee.errors import ContractError
from marquee.lake import Lake
from marquee.release.bundles import model_folder, shipped_digest
from marquee.release.gate import decide
from marquee.release.inputs import Inputs, inputs_of
from marquee.release.ledger import Ledger
from marquee.release.live import read_live
from marquee.release.policy import Model, read_policy
from marquee.release.reading import dig, number
from marquee.release.report import model_report
from marquee.release.subject import Subject
from marquee.release.verdict import Verdict, read_verdict


def judge(lake: Lake, model: Model, run: str) -> Verdict:
    """Decide on a run's challenger, and leave `verdict.json` and `report.html` beside it.

    A verdict is written once: asked again, the run gets the one it has. Raises NotFoundError
    where the model, its evaluation or the run's inputs are missing, ContractError where the
    inputs are not ones; an evaluation that makes no sense is a refusal, not an error.
    """
    folder = model_folder(run, model)
    evaluation = _json_or_none(lake.read_bytes(f"{folder}/evaluation.json"))
    card = _json_or_none(lake.read_bytes(f"{folder}/card.json"))
    if lake.exists(f"{folder}/verdict.json"):
        verdict = read_verdict(lake.read_bytes(f"{folder}/verdict.json"))
    else:
        verdict = _decide(lake, model, run, evaluation, card)
        lake.create_json(f"{folder}/verdict.json", verdict.to_json())
    if not lake.exists(f"{folder}/report.html"):
        live = read_live(lake, run) if model == "recommender" else None
        costs = _timings(lake, model, run)
        page = model_report(verdict, evaluation, card, timings=costs, live=live)
        lake.create(f"{folder}/report.html", page.encode())
    return verdict


def _timings(lake: Lake, model: str, run: str) -> list[Any]:
    """What the run's tasks took that this model came through, in order of their start."""
    others = {"recommender", "budget"} - {model}
    names = [n for n in lake.names(f"runs/{run}/timings") if not any(o in n for o in others)]
    found = [_json_or_none(lake.read_bytes(f"runs/{run}/timings/{name}")) for name in names]
    return sorted(found, key=lambda value: number(value, "started") or 0.0)


def same_maker(champion: Mapping[str, Any] | None, recipe: Mapping[str, Any], code: str) -> bool:
    """Whether recipe and code are the champion's, so that only the rows are newer."""
    if champion is None:
        return False
    theirs = [champion.get("recipe"), champion.get("code")]
    return canonical_json(theirs) == canonical_json([recipe, code])


def _decide(lake: Lake, model: Model, run: str, evaluation: Any, card: Any) -> Verdict:
    inputs = inputs_of(lake, run)
    asked = inputs.models[model]
    recipe = dig(card, "recipe")
    if recipe is None:
        raise ContractError(f"card.json of run {run} names no recipe", "train in a new run")
    subject = _subject(inputs, model, recipe, shipped_digest(lake, model, run))
    champion = asked.champion.model_dump() if asked.champion else None
    accepted = Ledger(lake, model).entry(champion["number"]).losses if champion else {}
    policy = read_policy(model, asked.policy)
    return decide(
        evaluation,
        policy,
        subject=subject,
        champion=champion,
        incumbent_same=same_maker(champion, subject.recipe, subject.code),
        accepted_losses=accepted,
    )


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


def _json_or_none(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
