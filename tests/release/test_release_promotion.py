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
from ledger_race import draft
from release_world import (
    champion_of,
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
    MarqueeError,
    NotFoundError,
    PromotionRefusedError,
)
from marquee.lake import Lake, open_lake
from marquee.release import promotion
from marquee.release.bundles import served_digest
from marquee.release.entry import Entry
from marquee.release.judge import judge
from marquee.release.ledger import Ledger
from marquee.release.promotion import promote, standing_promotions
from marquee.release.rollback import release_hold, roll_back

MODEL = "recommender"
BUNDLES = "serving/recommender/bundles"


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return tmp_path / "scratch"


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
    refused(lake, judged(lake, scratch, "r1", evaluation=bad), "3 of 12 conditions do not hold")


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


def test_a_hold_stands_until_it_is_released(lake: Lake, scratch: Path) -> None:
    for number in range(3):
        promoted(lake, scratch, number)
    roll_back(lake, MODEL, 2, "look first", hold=True)
    again = roll_back(lake, MODEL, 1, "that one was bad too", hold=False)
    assert again.hold is True
    refused(lake, judged(lake, scratch, "held", as_of=week(3)), "holds the recommender")
    assert release_hold(lake, MODEL, "both looked at").hold is False


def test_a_ledger_cut_after_the_verdict_is_refused(lake: Lake, scratch: Path) -> None:
    promoted(lake, scratch, 0)
    promoted(lake, scratch, 1)
    run = judged(lake, scratch, "r2", as_of=week(2))
    lake.delete("serving/recommender/ledger/000002.json")
    with pytest.raises(LedgerError, match="ends with entry 1, and entry 2 is known"):
        promote(lake, MODEL, run, approved=False)


def test_what_was_rolled_back_no_longer_counts_as_the_latest(lake: Lake, scratch: Path) -> None:
    """An as-of promoted by mistake must not stand in every later week's way."""
    promoted(lake, scratch, 0)
    promoted(lake, scratch, 40)
    refused(lake, judged(lake, scratch, "early", as_of=week(1)), "not later than the latest")
    roll_back(lake, MODEL, None, "week 40 was a slip of the pen", hold=False)
    refused(lake, judged(lake, scratch, "old", as_of=week(0)), "not later than the latest")
    assert promoted(lake, scratch, 2).number == 4
    assert promoted(lake, scratch, 3).number == 5


def test_a_roll_back_forward_counts_again(lake: Lake, scratch: Path) -> None:
    for number in (0, 1, 5):
        promoted(lake, scratch, number)
    roll_back(lake, MODEL, 1, "both were bad", hold=False)
    roll_back(lake, MODEL, 3, "they were not", hold=False)
    refused(lake, judged(lake, scratch, "between", as_of=week(3)), "not later than the latest")
    roll_back(lake, MODEL, 2, "week 5 was", hold=False)
    assert promoted(lake, scratch, 3).number == 7


@pytest.mark.parametrize(
    ("acts", "stand"),
    [
        ("a b c", "a b c"),
        ("a b c <b", "a b"),
        ("a b c <a", "a"),
        ("a b c <a d", "a d"),
        ("a b c <a <c", "a b c"),
        ("a b <a c <b", "a b"),
        ("a b <a c <b <c d", "a c d"),
        ("", ""),
    ],
)
def test_a_roll_back_undoes_what_came_after(acts: str, stand: str) -> None:
    made: dict[str, Entry] = {}
    history = []
    for number, act in enumerate(acts.split(), 1):
        name = act.removeprefix("<")
        kind = "roll_back" if act.startswith("<") else "promote"
        values = vars(draft(name, kind=kind)) | {"number": number, "previous": None}
        history.append(Entry(**values))
        made.setdefault(name, history[-1])
    assert standing_promotions(history) == tuple(made[name] for name in stand.split())


def test_a_hold_stops_promotion_until_it_is_released(lake: Lake, scratch: Path) -> None:
    promoted(lake, scratch, 0)
    promoted(lake, scratch, 1)
    roll_back(lake, MODEL, None, "complaints", hold=True)
    run = judged(lake, scratch, "held", as_of=week(2))
    refused(lake, run, "holds the recommender: complaints")
    release_hold(lake, MODEL, "fixed")
    refused(lake, run, "changed after this run was judged")
    assert promoted(lake, scratch, 3).number == 5


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
    assert len(Ledger(lake, MODEL).whole()) == 1
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
    (entry,) = Ledger(lake, MODEL).whole()
    assert sorted(outcomes) == sorted([entry.run, *["refused"] * 3])


def test_rolling_back_goes_to_what_served_before(lake: Lake, scratch: Path) -> None:
    entries = [promoted(lake, scratch, n) for n in range(3)]
    back = roll_back(lake, MODEL, None, "bad week", hold=False, clock=clock_at(week(3)))
    assert (back.number, back.kind, back.bundle) == (4, "roll_back", entries[1].bundle)
    assert (back.bundle_digest, back.losses) == (entries[1].bundle_digest, entries[1].losses)
    again = roll_back(lake, MODEL, None, "that one too", hold=False)
    assert again.bundle == entries[0].bundle
    refuse_roll_back(lake, None, "nothing before the champion")


def test_after_a_roll_back_the_bad_one_is_not_what_served_before(lake: Lake, scratch: Path) -> None:
    good, bad = promoted(lake, scratch, 0), promoted(lake, scratch, 1)
    roll_back(lake, MODEL, None, "bad", hold=False)
    promoted(lake, scratch, 2)
    back = roll_back(lake, MODEL, None, "bad as well", hold=False)
    assert back.bundle == good.bundle != bad.bundle


def test_rolling_back_to_a_number(lake: Lake, scratch: Path) -> None:
    entries = [promoted(lake, scratch, n) for n in range(3)]
    assert roll_back(lake, MODEL, 1, "the first", hold=True).bundle == entries[0].bundle


def refuse_roll_back(lake: Lake, to: int | None, because: str, reason: str = "why") -> None:
    before = Ledger(lake, MODEL).entries()
    with pytest.raises(MarqueeError, match=because):
        roll_back(lake, MODEL, to, reason, hold=False)
    assert Ledger(lake, MODEL).entries() == before


def test_roll_backs_that_make_no_sense(lake: Lake, scratch: Path) -> None:
    refuse_roll_back(lake, None, "nothing was ever promoted")
    entry = promoted(lake, scratch, 0)
    refuse_roll_back(lake, 0, "no entry 0")
    refuse_roll_back(lake, 2, "no entry 2")
    refuse_roll_back(lake, 1, "is the champion already")
    promoted(lake, scratch, 1)
    refuse_roll_back(lake, 1, "needs a reason", reason="  ")
    lake.delete(f"{BUNDLES}/{entry.bundle}")
    with pytest.raises(NotFoundError):
        roll_back(lake, MODEL, 1, "its bundle is gone", hold=False)


def test_there_is_no_hold_to_release(lake: Lake, scratch: Path) -> None:
    promoted(lake, scratch, 0)
    with pytest.raises(PromotionRefusedError, match="no hold"):
        release_hold(lake, MODEL, "to be sure")


def test_releasing_a_hold_keeps_the_champion(lake: Lake, scratch: Path) -> None:
    promoted(lake, scratch, 0)
    promoted(lake, scratch, 1)
    held = roll_back(lake, MODEL, None, "look first", hold=True)
    released = release_hold(lake, MODEL, "looked")
    assert (released.kind, released.hold, released.bundle) == ("release_hold", False, held.bundle)


def test_a_rolled_back_run_is_not_promoted_again(lake: Lake, scratch: Path) -> None:
    entries = [promoted(lake, scratch, number) for number in range(4)]
    back = roll_back(lake, MODEL, 2, "two bad ones", hold=False)
    for number in (2, 3):
        with pytest.raises(PromotionRefusedError, match="already, and it was rolled") as refused:
            promote(lake, MODEL, f"week-{number}", approved=False)
        assert f"marquee rollback {MODEL} --to {number + 1} " in refused.value.remedy
    for number in (0, 1):
        assert promote(lake, MODEL, f"week-{number}", approved=False) == entries[number]
    assert Ledger(lake, MODEL).head() == back


def test_a_run_rolled_back_and_forward_again_stands(lake: Lake, scratch: Path) -> None:
    promoted(lake, scratch, 0)
    second = promoted(lake, scratch, 1)
    roll_back(lake, MODEL, None, "bad", hold=False)
    roll_back(lake, MODEL, 2, "it was not", hold=False)
    assert promote(lake, MODEL, "week-1", approved=False) == second
