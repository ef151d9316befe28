"""What the lake says of a ledger elsewhere: a verdict names the entry it was decided against."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from marquee.errors import ContractError, NotFoundError
from marquee.lake import Lake
from marquee.release.bundles import model_folder
from marquee.release.entry import Entry
from marquee.release.ledger import HeadRef, Ledger
from marquee.release.subject import Head
from marquee.release.verdict import read_verdict


def standing_entries(lake: Lake, model: str, named: HeadRef | None) -> list[Entry]:
    """The ledger, after checking that it holds `named` and every entry a verdict names.

    A ledger that was cut short, or written anew from its first entry, is whole by itself; only
    what was read from it before tells. Raises LedgerError where it lost an entry.
    """
    ledger = Ledger(lake, model)
    entries = ledger.standing(named)
    for head in heads_named(lake, model):
        ledger.require(entries, head)
    return entries


def heads_named(lake: Lake, model: str) -> set[Head]:
    """The entries that the verdicts of all runs were decided against."""

    def read(run: str) -> Head | None:
        try:
            return read_verdict(lake.read_bytes(f"{model_folder(run, model)}/verdict.json")).head
        except (NotFoundError, ContractError):
            return None

    with ThreadPoolExecutor(8) as pool:
        return {head for head in pool.map(read, lake.names("runs")) if head}
