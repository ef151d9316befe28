"""The gate with the lake: read a run's case, decide, and write the verdict once.

The `gate` step calls `judge`. The report page calls `compare_data`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from marquee.artefacts.document import json_or_none
from marquee.artefacts.evaluation import read_evaluation
from marquee.artefacts.inputs import ChampionInput, Inputs
from marquee.artefacts.ledger_entry import Entry
from marquee.artefacts.model_card import (
    NO_FIGURES,
    DataFigures,
    completed_from_card,
    read_card,
    read_figures,
)
from marquee.artefacts.verdict import Head, Subject, Verdict, read_verdict
from marquee.errors import MarqueeError
from marquee.identifiers import canonical_json
from marquee.lake import READS_AT_ONCE, Lake
from marquee.policy import Model, read_policy
from marquee.run_folder import figures_of_run, inputs_of, json_at, model_folder, verdict_path
from release.champion_conditions import GateChampion
from release.gate import CONDITIONS, GateCase, GateCondition, decide
from release.ledger import complete_entries
from release.promotion import DATA_FILE, bundle_folder, shipped_digest, standing_promotions
from release.same_world import DataComparison


def judge(
    lake: Lake, model: Model, run: str, conditions: Sequence[GateCondition] = CONDITIONS
) -> Verdict:
    """Decide on a run's challenger and write `verdict.json` into the model's folder.

    A second call returns the first verdict. An evaluation that makes no sense gives a refusal.
    Raises NotFoundError where the model, its evaluation or the run's inputs are missing,
    ContractError where the inputs or the card cannot be read, LedgerError where the ledger has
    lost an entry.
    """
    case = read_case(lake, model, run)
    data = lake.create_once(
        verdict_path(run, model), lambda: canonical_json(decide(case, conditions).to_json())
    )
    return read_verdict(data)


def read_case(lake: Lake, model: Model, run: str) -> GateCase:
    """The case of a run's challenger; raises as `judge`."""
    folder = model_folder(run, model)
    evaluation = json_or_none(lake.read_bytes(f"{folder}/evaluation.json"))
    card = read_card(lake.read_bytes(f"{folder}/card.json"), lake.uri(f"{folder}/card.json"))
    inputs = inputs_of(lake, run)
    entries = _entries(lake, model, inputs.models[model].champion)
    return GateCase(
        subject=_subject(inputs, model, card.recipe, shipped_digest(lake, model, run)),
        evaluation=read_evaluation(evaluation),
        policy=read_policy(model, inputs.models[model].policy),
        champion=read_champion(
            lake, model, entries[-1] if entries else None, card.recipe, inputs.code
        ),
        data=compare_data(lake, model, inputs, entries),
    )


def _entries(lake: Lake, model: Model, champion: ChampionInput | None) -> Sequence[Entry]:
    """The ledger up to the entry that the inputs name; LedgerError where that entry is lost."""
    entries = complete_entries(lake, model, champion)
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


def read_champion(
    lake: Lake, model: Model, entry: Entry | None, recipe: Mapping[str, Any], code: str
) -> GateChampion:
    """The champion of a ledger entry, compared with a challenger's recipe and code."""
    if entry is None:
        return GateChampion(head=None)
    evaluation = json_at(lake, f"{bundle_folder(model, entry.bundle)}/evaluation.json")
    return GateChampion(
        head=Head(entry.number, entry.digest),
        same_recipe=canonical_json(entry.recipe) == canonical_json(recipe),
        same_code=entry.code == code,
        accepted=entry.losses,
        recorded=read_evaluation(evaluation),
    )


def compare_data(
    lake: Lake, model: Model, inputs: Inputs, entries: Sequence[Entry]
) -> DataComparison:
    """The figures of the run's data, and of the data that served.

    `entries` are the ledger's entries up to the run's champion, oldest first.
    """
    challenger = figures_of_run(lake, inputs.run)
    if not entries:
        return DataComparison(challenger, None)
    champion = entries[-1]
    return DataComparison(
        challenger,
        figures_of_entry(lake, model, champion),
        _intervals(lake, inputs, champion),
        figures_since_acceptance(lake, model, entries),
    )


def _intervals(lake: Lake, inputs: Inputs, champion: Entry) -> float:
    """The schedule's intervals since the as-of of the reference data; at least one."""
    as_of = champion.as_of
    if champion.world:
        with suppress(MarqueeError):  # a swept run has no inputs: use the champion's as-of
            as_of = inputs_of(lake, champion.world).as_of
    return max((inputs.as_of - as_of) / inputs.interval, 1.0)


def figures_of_entry(lake: Lake, model: str, entry: Entry) -> DataFigures:
    """The reference figures that a ledger entry names.

    Where a person accepted the data of a run, they are that run's figures. Else they are the
    figures of the bundle's training data: from its `data.json`, else from its run. The card fills
    in missing figures.
    """
    if entry.world:
        return figures_of_run(lake, entry.world)
    folder = bundle_folder(model, entry.bundle)
    stored = read_figures(json_at(lake, f"{folder}/{DATA_FILE}"))
    found = stored if stored != NO_FIGURES else figures_of_run(lake, entry.run)
    return completed_from_card(found, model, json_at(lake, f"{folder}/card.json"))


def figures_since_acceptance(
    lake: Lake, model: str, entries: Sequence[Entry]
) -> tuple[DataFigures, ...]:
    """The figures of all reference data since a person last accepted a run's data, oldest first.

    The accepted data come first, then the data of the later promotions that are not rolled back.
    """
    start = max((e.number for e in entries if e.kind == "accept_world"), default=0)
    chosen = [e for e in standing_promotions(entries) if e.number > start]
    if start and chosen:
        chosen.insert(0, next(e for e in entries if e.number == start))
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        return tuple(pool.map(lambda entry: figures_of_entry(lake, model, entry), chosen))
