"""Writers that append to one ledger at once, and what must be true afterwards."""

from __future__ import annotations

from typing import Any

from release_examples import FIRST_SUNDAY, RECIPE

from marquee.artefacts.ledger_entry import Draft
from marquee.errors import HeadMovedError
from marquee.lake import Lake
from release.ledger import Ledger


def draft(run: str = "r1", **changes: Any) -> Draft:
    values: dict[str, Any] = {
        "kind": "promote", "bundle": f"bundle-{run}", "bundle_digest": "b" * 64, "run": run,
        "as_of": FIRST_SUNDAY, "recipe": RECIPE, "code": "c0de", "at": FIRST_SUNDAY,
        "verdict": "e" * 64,
    }  # fmt: skip
    return Draft(**values | changes)


def race(lake: Lake, name: str, rounds: int) -> list[int]:
    """Append as often as it goes; the numbers this writer won."""
    ledger, won = Ledger(lake, "recommender"), []
    while len(won) < rounds:
        try:
            won.append(ledger.append(draft(f"{name}-{len(won)}"), ledger.head()).number)
        except HeadMovedError:
            continue
    return won


def check_race(lake: Lake, won: list[list[int]], total: int) -> None:
    assert sorted(number for numbers in won for number in numbers) == list(range(1, total + 1))
    assert len({entry.run for entry in Ledger(lake, "recommender").linked_entries()}) == total
