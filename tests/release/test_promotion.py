"""Promotion: every refusal alone, every crash healed, and the way back."""

from __future__ import annotations

import json
import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from promoted_runs import BUNDLES, MODEL, judged, promoted, refused
from release_examples import (
    clock_at,
    publish_run,
    recommender_evaluation,
    week,
)

from marquee.errors import (
    AheadOfClockError,
    BundleError,
    LakeError,
    LedgerError,
    PromotionRefusedError,
)
from marquee.lake import Lake, open_lake
from release import promotion
from release.ledger import Ledger
from release.manual_entries import roll_back
from release.promotion import promote, served_digest


def test_an_approved_run_becomes_champion(lake: Lake, scratch: Path) -> None:
    entry = promoted(lake, scratch, 0)
    assert (entry.number, entry.kind, entry.run) == (1, "promote", "week-0")
    assert entry.bundle.startswith("20260104T030000Z-")
    folder = f"{BUNDLES}/{entry.bundle}"
    assert lake.names(folder) == [
        "_manifest.json", "bundle", "card.json", "data.json", "evaluation.json", "report.html",
        "verdict.json",
    ]  # fmt: skip
    assert lake.names(f"{folder}/bundle") == ["bundle.json", "user_factors.npy"]
    assert served_digest(lake, MODEL, entry.bundle) == entry.bundle_digest
    assert lake.read_bytes(f"{folder}/verdict.json") == lake.read_bytes(
        "runs/week-0/models/recommender/verdict.json"
    )


def test_asked_again_a_run_gets_its_entry(lake: Lake, scratch: Path) -> None:
    first = promoted(lake, scratch, 0)
    second = promoted(lake, scratch, 1)
    assert promote(lake, MODEL, "week-0", approved=False) == first
    assert promote(lake, MODEL, "week-1", approved=False) == second
    assert len(Ledger(lake, MODEL).entries()) == 2


def test_a_run_without_a_verdict_is_refused(lake: Lake, scratch: Path) -> None:
    publish_run(lake, scratch, "r1")
    refused(lake, "r1", "no verdict to trust")
    refused(lake, "never-ran", "no verdict to trust")


def test_a_refused_challenger_is_refused(lake: Lake, scratch: Path) -> None:
    bad = recommender_evaluation() | {"shipped": {"loads": False, "why": "torn"}}
    refused(lake, judged(lake, scratch, "r1", evaluation=bad), "3 of 14 conditions do not hold")


def test_a_backfill_is_refused(lake: Lake, scratch: Path) -> None:
    refused(lake, judged(lake, scratch, "r1", run_type="backfill"), "backfill", approved=True)


def test_a_run_told_not_to_promote_is_refused(lake: Lake, scratch: Path) -> None:
    refused(lake, judged(lake, scratch, "r1", promote="no"), "told not to", approved=True)


def test_a_run_that_asks_waits_for_its_approval(lake: Lake, scratch: Path) -> None:
    run = judged(lake, scratch, "r1", promote="ask")
    refused(lake, run, "approval")
    assert promote(lake, MODEL, run, approved=True).run == "r1"


def test_a_head_that_moved_is_refused(lake: Lake, scratch: Path) -> None:
    slow = judged(lake, scratch, "slow", as_of=week(5))
    promoted(lake, scratch, 0)
    refused(lake, slow, "changed after this run was judged")


@pytest.mark.parametrize("as_of", [week(1), week(0)])
def test_an_as_of_that_is_not_later_is_refused(lake: Lake, scratch: Path, as_of: Any) -> None:
    promoted(lake, scratch, 1)
    refused(lake, judged(lake, scratch, "old", as_of=as_of), "not later than the latest promoted")


def test_an_as_of_that_has_not_come_yet_is_refused(lake: Lake, scratch: Path) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=6)
    run = judged(lake, scratch, "ahead", as_of=soon.replace(microsecond=0))
    with pytest.raises(AheadOfClockError, match="as-of of run ahead"):
        promote(lake, MODEL, run, approved=False)
    assert Ledger(lake, MODEL).entries() == []
    skewed = datetime.now(UTC) + timedelta(minutes=3)
    run = judged(lake, scratch, "skewed", as_of=skewed.replace(microsecond=0))
    assert promote(lake, MODEL, run, approved=False).number == 1


def test_a_ledger_cut_after_the_verdict_is_refused(lake: Lake, scratch: Path) -> None:
    promoted(lake, scratch, 0)
    promoted(lake, scratch, 1)
    run = judged(lake, scratch, "r2", as_of=week(2))
    lake.delete("serving/recommender/ledger/000002.json")
    with pytest.raises(LedgerError, match="ends with entry 1, and entry 2 is known"):
        promote(lake, MODEL, run, approved=False)


def test_a_verdict_moved_from_another_run_is_refused(lake: Lake, scratch: Path) -> None:
    judged(lake, scratch, "good")
    publish_run(lake, scratch, "thief")
    stolen = lake.read_bytes("runs/good/models/recommender/verdict.json")
    lake.create("runs/thief/models/recommender/verdict.json", stolen)
    refused(lake, "thief", "about another run")


def rewrite_verdict(lake: Lake, run: str, **changes: Any) -> None:
    path = f"runs/{run}/models/recommender/verdict.json"
    value = lake.read_json(path) | changes
    lake.delete(path)
    lake.create(path, json.dumps(value).encode())


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"bundle_digest": "0" * 64}, "not the one its verdict judged"),
        ({"conditions": []}, "what its conditions do not"),
        ({"approved": 1, "conditions": "all"}, "not a verdict"),
        ({"format": 3}, "a later release wrote the verdict"),
        ({"format": 0}, "not a verdict"),
        ({"promote": "always"}, "not a verdict"),
        ({"losses": {"rmse": -1}}, "not a verdict"),
        ({"head": {"number": 1}}, "not a verdict"),
    ],
)
def test_a_verdict_somebody_edited_is_refused(
    lake: Lake, scratch: Path, changes: dict[str, Any], because: str
) -> None:
    run = judged(lake, scratch, "r1")
    rewrite_verdict(lake, run, **changes)
    refused(lake, run, because)


def test_a_refusal_turned_into_approval_by_hand_is_refused(lake: Lake, scratch: Path) -> None:
    bad = recommender_evaluation() | {"shipped": None}
    run = judged(lake, scratch, "r1", evaluation=bad)
    rewrite_verdict(lake, run, approved=True)
    refused(lake, run, "what its conditions do not")


def test_a_bundle_changed_on_the_disk_is_not_copied(lake: Lake, scratch: Path) -> None:
    run = judged(lake, scratch, "r1")
    path = f"runs/{run}/models/recommender/shipped/bundle/user_factors.npy"
    lake.delete(path)
    lake.create(path, b"other factors")
    with pytest.raises(LakeError, match="differs from its manifest"):
        promote(lake, MODEL, run, approved=False)
    assert Ledger(lake, MODEL).entries() == []


def test_a_card_changed_on_the_disk_is_not_copied(lake: Lake, scratch: Path) -> None:
    run = judged(lake, scratch, "r1")
    lake.delete(f"runs/{run}/models/recommender/card.json")
    lake.create(f"runs/{run}/models/recommender/card.json", b"{}")
    with pytest.raises(BundleError, match=r"card.json differs from its manifest"):
        promote(lake, MODEL, run, approved=False)
    assert Ledger(lake, MODEL).entries() == []


def test_a_broken_chain_stops_everything(lake: Lake, scratch: Path) -> None:
    promoted(lake, scratch, 0)
    promoted(lake, scratch, 1)
    run = judged(lake, scratch, "r2", as_of=week(2))
    lake.delete("serving/recommender/ledger/000001.json")
    with pytest.raises(LedgerError, match="broken"):
        promote(lake, MODEL, run, approved=False)
    with pytest.raises(LedgerError, match="broken"):
        roll_back(lake, MODEL, None, "why", hold=False)


def _die_before_the_entry(root: str, run: str) -> None:
    """Promote, and be killed after the copy and before the entry."""
    publish = promotion.publish_bundle

    def publish_and_die(*args: Any) -> str:
        publish(*args)
        os.kill(os.getpid(), 9)
        raise AssertionError

    promotion.publish_bundle = publish_and_die
    promote(open_lake(root), MODEL, run, approved=False)


def test_killed_between_copy_and_entry_the_retry_ends_well(lake: Lake, scratch: Path) -> None:
    run = judged(lake, scratch, "r1")
    context = multiprocessing.get_context("spawn")
    victim = context.Process(target=_die_before_the_entry, args=(lake.root, run))
    victim.start()
    victim.join(60)
    assert victim.exitcode == -9
    assert Ledger(lake, MODEL).head() is None, "nothing serves yet"
    (orphan,) = lake.names(BUNDLES)
    entry = promote(lake, MODEL, run, approved=False)
    assert (entry.number, entry.bundle) == (1, orphan)
    assert lake.names(BUNDLES) == [orphan]


def test_attempts_of_one_run_at_once_make_one_entry(lake: Lake, scratch: Path) -> None:
    run = judged(lake, scratch, "r1")
    with ThreadPoolExecutor(6) as pool:
        futures = [
            pool.submit(promote, lake, MODEL, run, approved=False, clock=clock_at(week(n)))
            for n in range(6)
        ]
        entries = [future.result() for future in futures]
    assert len(Ledger(lake, MODEL).linked_entries()) == 1
    assert {entry.digest for entry in entries} == {entries[0].digest}


def test_runs_that_race_for_one_head_make_one_champion(lake: Lake, scratch: Path) -> None:
    runs = [judged(lake, scratch, f"r{n}", as_of=week(n)) for n in range(4)]

    def attempt(run: str) -> str:
        try:
            return promote(lake, MODEL, run, approved=False).run
        except PromotionRefusedError:
            return "refused"

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(attempt, runs))
    (entry,) = Ledger(lake, MODEL).linked_entries()
    assert sorted(outcomes) == sorted([entry.run, *["refused"] * 3])
