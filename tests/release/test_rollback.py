"""Rolling back, holding and releasing: the way back, and what it undoes."""

from __future__ import annotations

from pathlib import Path

import pytest
from ledger_race import draft
from promoted_runs import BUNDLES, MODEL, judged, promoted, refused
from release_examples import (
    clock_at,
    week,
)

from marquee.artefacts.ledger_entry import Entry
from marquee.errors import (
    MarqueeError,
    NotFoundError,
    PromotionRefusedError,
)
from marquee.lake import Lake
from release.ledger import Ledger
from release.manual_entries import release_hold, roll_back
from release.promotion import promote, standing_promotions


def test_a_hold_stands_until_it_is_released(lake: Lake, scratch: Path) -> None:
    for number in range(3):
        promoted(lake, scratch, number)
    roll_back(lake, MODEL, 2, "look first", hold=True)
    again = roll_back(lake, MODEL, 1, "that one was bad too", hold=False)
    assert again.hold is True
    refused(lake, judged(lake, scratch, "held", as_of=week(3)), "holds the recommender")
    assert release_hold(lake, MODEL, "both looked at").hold is False


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
