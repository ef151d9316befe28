"""What the lake says of a ledger elsewhere: runs name the entry they were compared with.

A run names it twice: its inputs when they are frozen, its verdict when it is judged. A week in
which nothing changed leaves inputs alone.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from marquee.artefacts.inputs import inputs_of
from marquee.artefacts.ledger_entry import Entry
from marquee.artefacts.subject import Head
from marquee.artefacts.verdict import read_verdict
from marquee.errors import ContractError, LakeError, LakeUnavailableError
from marquee.lake import Lake
from marquee.policy import Model
from release.bundles import model_folder
from release.ledger import HeadRef, Ledger


def standing_entries(lake: Lake, model: Model, named: HeadRef | None = None) -> list[Entry]:
    """The ledger, after checking that it holds `named` and every entry that a run names.

    A ledger that was cut short, or written anew from its first entry, is whole by itself; only
    what was read from it before tells. Raises LedgerError where it lost an entry.
    """
    # Before the ledger is read: what is appended meanwhile may be named, and is not lost.
    known = sorted(heads_named(lake, model), key=lambda head: head.number, reverse=True)
    ledger = Ledger(lake, model)
    entries = ledger.standing(named)
    for head in known:
        ledger.require(entries, head)
    return entries


def heads_named(lake: Lake, model: Model) -> set[Head]:
    """The entries that the inputs and verdicts of all runs name."""

    def read(run: str) -> set[Head]:
        found = (_or_none(of, lake, model, run) for of in (_of_inputs, _of_verdict))
        return {head for head in found if head}

    with ThreadPoolExecutor(8) as pool:
        return set().union(*pool.map(read, lake.names("runs")))


def _or_none(
    of: Callable[[Lake, Model, str], Head | None], lake: Lake, model: Model, run: str
) -> Head | None:
    """None also where the document is missing or none: it is judged where it is used. A lake that
    does not answer is no reason to pass a witness over."""
    try:
        return of(lake, model, run)
    except LakeUnavailableError:
        raise
    except (LakeError, ContractError):
        return None


def _of_inputs(lake: Lake, model: Model, run: str) -> Head | None:
    champion = inputs_of(lake, run).models[model].champion
    return Head(champion.number, champion.digest) if champion else None


def _of_verdict(lake: Lake, model: Model, run: str) -> Head | None:
    return read_verdict(lake.read_bytes(f"{model_folder(run, model)}/verdict.json")).head
