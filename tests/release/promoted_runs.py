"""Weekly runs judged and promoted, and promotions that must be refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gate_step import judge
from release_examples import (
    champion_of,
    clock_at,
    publish_run,
    week,
)

from marquee.artefacts.ledger_entry import Entry
from marquee.errors import (
    PromotionRefusedError,
)
from marquee.lake import Lake
from release.ledger import Ledger
from release.promotion import promote

MODEL = "recommender"


BUNDLES = "serving/recommender/bundles"


def judged(lake: Lake, scratch: Path, run: str, **inputs: Any) -> str:
    publish_run(lake, scratch, run, champion=champion_of(lake), **inputs)
    judge(lake, MODEL, run)
    return run


def promoted(lake: Lake, scratch: Path, number: int) -> Entry:
    """The n-th weekly run, promoted on its day."""
    run = judged(lake, scratch, f"week-{number}", as_of=week(number))
    return promote(lake, MODEL, run, approved=False, clock=clock_at(week(number)))


def refused(lake: Lake, run: str, because: str, approved: bool = False) -> None:
    before, bundles = Ledger(lake, MODEL).entries(), lake.names(BUNDLES)
    with pytest.raises(PromotionRefusedError, match=because):
        promote(lake, MODEL, run, approved=approved)
    assert Ledger(lake, MODEL).entries() == before
    assert lake.names(BUNDLES) == bundles
