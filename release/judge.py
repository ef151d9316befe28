"""The gate at the lake: read a run's case, decide, and write the verdict once.

The `gate` step calls `judge`; the report reads the same figures of the data for its page.
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
from release.champion_conditions import Champion
from release.gate import CONDITIONS, GateCase, GateCondition, decide
from release.ledger import standing_entries
from release.promotion import DATA, bundle_folder, shipped_digest, standing_promotions
from release.same_world import DataComparison


def judge(
    lake: Lake, model: Model, run: str, conditions: Sequence[GateCondition] = CONDITIONS
) -> Verdict:
    """Decide on a run's challenger and leave `verdict.json` beside it.

    A verdict is written once: a second call returns the first verdict. Raises NotFoundError
    where the model, its evaluation or the run's inputs are missing, ContractError where the
    inputs or the card cannot be read, LedgerError where the ledger lost an entry that was read
    from it. An evaluation that makes no sense is a refusal, not an error.
    """
    case = read_case(lake, model, run)
    data = lake.create_once(
        verdict_path(run, model), lambda: canonical_json(decide(case, conditions).to_json())
    )
    return read_verdict(data)


def read_case(lake: Lake, model: Model, run: str) -> GateCase:
    """What a run left for its gate, and what it is judged against; errors as of `judge`."""
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
    """The ledger up to the entry that the inputs name; LedgerError where it lacks that one."""
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


def read_champion(
    lake: Lake, model: Model, entry: Entry | None, recipe: Mapping[str, Any], code: str
) -> Champion:
    """The champion of a ledger entry beside a challenger's recipe and code."""
    if entry is None:
        return Champion(head=None)
    evaluation = json_at(lake, f"{bundle_folder(model, entry.bundle)}/evaluation.json")
    return Champion(
        head=Head(entry.number, entry.digest),
        same_recipe=canonical_json(entry.recipe) == canonical_json(recipe),
        same_code=entry.code == code,
        accepted=entry.losses,
        recorded=read_evaluation(evaluation),
    )


def compare_data(
    lake: Lake, model: Model, inputs: Inputs, entries: Sequence[Entry]
) -> DataComparison:
    """The figures of the run's data and of those it is compared with.

    `entries` are the ledger's up to the run's champion, oldest first.
    """
    challenger = figures_of_run(lake, inputs.run)
    if not entries:
        return DataComparison(challenger, None)
    champion = entries[-1]
    return DataComparison(
        challenger,
        figures_of_entry(lake, model, champion),
        _intervals(lake, inputs, champion),
        figures_since(lake, model, entries),
    )


def _intervals(lake: Lake, inputs: Inputs, champion: Entry) -> float:
    """The schedule's intervals since the as-of of the reference data; at least one."""
    as_of = champion.as_of
    if champion.world:
        with suppress(MarqueeError):  # the accepted run was swept: the champion's as-of stands in
            as_of = inputs_of(lake, champion.world).as_of
    return max((inputs.as_of - as_of) / inputs.interval, 1.0)


def figures_of_entry(lake: Lake, model: str, entry: Entry) -> DataFigures:
    """The figures of the data a ledger entry's bundle was trained on, or of those accepted since.

    They lie in the bundle's `data.json`, else in its run; its card fills what both lack.
    """
    if entry.world:
        return figures_of_run(lake, entry.world)
    folder = bundle_folder(model, entry.bundle)
    stored = read_figures(json_at(lake, f"{folder}/{DATA}"))
    found = stored if stored != NO_FIGURES else figures_of_run(lake, entry.run)
    return completed_from_card(found, model, json_at(lake, f"{folder}/card.json"))


def figures_since(lake: Lake, model: str, entries: Sequence[Entry]) -> tuple[DataFigures, ...]:
    """The figures of everything that serves or served since a person last accepted changed data.

    The accepted data come first, then the standing promotions after them, oldest first.
    """
    start = max((e.number for e in entries if e.kind == "accept_world"), default=0)
    chosen = [e for e in standing_promotions(entries) if e.number > start]
    if start and chosen:
        chosen.insert(0, next(e for e in entries if e.number == start))
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        return tuple(pool.map(lambda entry: figures_of_entry(lake, model, entry), chosen))
