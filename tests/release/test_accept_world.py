"""A changed world is accepted once, by a person, after it was refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gate_step import judge
from release_examples import DATA, RATINGS_FIGURES, champion_of, clock_at, publish_run, week

from marquee.artefacts.ledger_entry import Entry
from marquee.artefacts.verdict import Verdict
from marquee.errors import HeadMovedError, PromotionRefusedError
from marquee.lake import Lake
from release.ledger import Ledger
from release.manual_entries import accept_world, release_hold, roll_back
from release.promotion import promote

MODEL = "recommender"
SHRUNK = {**DATA, "ratings": RATINGS_FIGURES | {"rows": 90_000}}
SHRUNK_AGAIN = {**DATA, "ratings": RATINGS_FIGURES | {"rows": 80_000}}


def judged(lake: Lake, scratch: Path, number: int, data: dict[str, Any] = DATA) -> Verdict:
    run = f"week-{number}"
    publish_run(lake, scratch, run, as_of=week(number), champion=champion_of(lake), data=data)
    return judge(lake, MODEL, run)


def promoted(lake: Lake, number: int) -> Entry:
    return promote(lake, MODEL, f"week-{number}", approved=False, clock=clock_at(week(number)))


@pytest.fixture
def served(lake: Lake, scratch: Path) -> Lake:
    judged(lake, scratch, 0)
    promoted(lake, 0)
    return lake


def groups(verdict: Verdict) -> set[int]:
    return {condition.number for condition in verdict.failed}


def test_an_accepted_world_is_the_one_compared_with_until_the_next_promotion(
    served: Lake, scratch: Path
) -> None:
    assert groups(judged(served, scratch, 1, SHRUNK)) == {5}
    entry = accept_world(served, MODEL, "week-1", "the release dropped spam accounts")
    assert (entry.number, entry.kind, entry.world) == (2, "accept_world", "week-1")
    assert (entry.run, entry.reason) == ("week-0", "the release dropped spam accounts")
    assert judged(served, scratch, 2, SHRUNK).approved
    assert groups(judged(served, scratch, 3, DATA)) == set(), "a tenth more is no other world"
    third = promoted(served, 2)
    assert (third.number, third.world) == (3, "")
    assert groups(judged(served, scratch, 4, SHRUNK_AGAIN)) == {5}, "it was accepted once"


def test_what_is_judged_against_the_accepted_world_may_still_be_refused(
    served: Lake, scratch: Path
) -> None:
    judged(served, scratch, 1, SHRUNK)
    accept_world(served, MODEL, "week-1", "why")
    assert groups(judged(served, scratch, 2, SHRUNK_AGAIN)) == {5}


def test_roll_backs_and_holds_leave_the_accepted_world(served: Lake, scratch: Path) -> None:
    judged(served, scratch, 1)
    promoted(served, 1)
    judged(served, scratch, 2, SHRUNK)
    accept_world(served, MODEL, "week-2", "why")
    assert roll_back(served, MODEL, 1, "bad", hold=True).world == "week-2"
    assert release_hold(served, MODEL, "good").world == "week-2"
    assert judged(served, scratch, 3, SHRUNK).approved


def test_a_hold_stays_when_a_world_is_accepted(served: Lake, scratch: Path) -> None:
    judged(served, scratch, 1)
    promoted(served, 1)
    roll_back(served, MODEL, 1, "look first", hold=True)
    judged(served, scratch, 2, SHRUNK)
    assert accept_world(served, MODEL, "week-2", "why").hold is True


@pytest.mark.parametrize(
    ("run", "reason", "because"),
    [
        ("week-0", "why", "was not refused for its world"),
        ("week-9", "why", "no run 'week-9' has judged"),
        ("week-1", "  ", "needs a reason"),
    ],
)
def test_what_was_not_refused_is_not_accepted(
    served: Lake, scratch: Path, run: str, reason: str, because: str
) -> None:
    judged(served, scratch, 1, SHRUNK)
    with pytest.raises(PromotionRefusedError, match=because):
        accept_world(served, MODEL, run, reason)
    assert len(Ledger(served, MODEL).entries()) == 1


def test_a_backfills_world_is_not_the_world_of_now(served: Lake, scratch: Path) -> None:
    champion = champion_of(served)
    publish_run(
        served, scratch, "past", as_of=week(1), champion=champion, data=SHRUNK, run_type="backfill"
    )
    assert groups(judge(served, MODEL, "past")) == {5}
    with pytest.raises(PromotionRefusedError, match="run past is a backfill") as refused:
        accept_world(served, MODEL, "past", "why")
    assert "live run" in refused.value.remedy
    assert len(Ledger(served, MODEL).entries()) == 1


def test_a_world_is_accepted_once(served: Lake, scratch: Path) -> None:
    judged(served, scratch, 1, SHRUNK)
    accept_world(served, MODEL, "week-1", "why")
    with pytest.raises(PromotionRefusedError, match="week-1 is accepted already"):
        accept_world(served, MODEL, "week-1", "why")
    assert len(Ledger(served, MODEL).entries()) == 2


def test_before_the_first_promotion_there_is_no_world_to_accept(lake: Lake) -> None:
    with pytest.raises(PromotionRefusedError, match="nothing serves"):
        accept_world(lake, MODEL, "week-0", "why")


def test_figures_that_nobody_can_read_are_not_accepted(served: Lake, scratch: Path) -> None:
    broken = {"ratings": {"rows": "many"}}
    assert groups(judged(served, scratch, 1, broken)) == {5}
    with pytest.raises(PromotionRefusedError, match="no figures of its world"):
        accept_world(served, MODEL, "week-1", "why")


def test_the_other_models_figures_are_no_world_to_accept(served: Lake, scratch: Path) -> None:
    assert groups(judged(served, scratch, 1, {"titles": DATA["titles"]})) == {5}
    with pytest.raises(PromotionRefusedError, match="no figures of its world"):
        accept_world(served, MODEL, "week-1", "why")


def test_a_run_refused_beside_an_earlier_champion_is_not_accepted(
    served: Lake, scratch: Path
) -> None:
    judged(served, scratch, 1, SHRUNK)
    judged(served, scratch, 2)
    promoted(served, 2)
    with pytest.raises(PromotionRefusedError, match="beside another champion"):
        accept_world(served, MODEL, "week-1", "why")
    roll_back(served, MODEL, 1, "bad", hold=False)
    assert accept_world(served, MODEL, "week-1", "what it was beside serves again").world


@pytest.mark.parametrize(
    ("key", "kept", "weeks"), [("rows", 0.985, 6), ("people", 0.985, 6), ("mean", 0.98, 4)]
)
def test_a_slow_leak_is_seen_against_the_most_that_served(
    served: Lake, scratch: Path, key: str, kept: float, weeks: int
) -> None:
    """Each week loses too little to be another world; accepting one starts anew."""

    def leaked(week: int) -> dict[str, Any]:
        value = RATINGS_FIGURES[key] * kept**week
        return {**DATA, "ratings": RATINGS_FIGURES | {key: value if key == "mean" else int(value)}}

    for number in range(1, weeks + 1):
        assert judged(served, scratch, number, leaked(number)).approved, number
        promoted(served, number)
    refused = judged(served, scratch, weeks + 1, leaked(weeks + 1))
    name = "mean rating" if key == "mean" else key
    assert [c.name for c in refused.failed] == [f"{name} since then"]
    accept_world(served, MODEL, f"week-{weeks + 1}", "the accounts were deleted")
    for number in (weeks + 2, weeks + 3):
        assert judged(served, scratch, number, leaked(number)).approved, number
        promoted(served, number)


def test_a_head_that_moved_since_the_person_looked_is_refused(served: Lake, scratch: Path) -> None:
    seen = Ledger(served, MODEL).head()
    judged(served, scratch, 1)
    promoted(served, 1)
    judged(served, scratch, 2, SHRUNK)
    with pytest.raises(HeadMovedError, match="moved on") as refused:
        accept_world(served, MODEL, "week-2", "why", head=seen)
    assert "marquee ledger" in refused.value.remedy


def test_the_figures_beside_the_bundle_outlive_the_run(served: Lake, scratch: Path) -> None:
    for name in ("ratings", "titles"):
        served.delete(f"runs/week-0/data/{name}.json")
    assert groups(judged(served, scratch, 1, SHRUNK)) == {5}


def test_a_champion_of_the_first_release_is_compared_by_its_card(
    served: Lake, scratch: Path
) -> None:
    """It left no `data.json`, and its run no `data/ratings.json`."""
    head = Ledger(served, MODEL).head()
    assert head is not None
    folder = f"serving/{MODEL}/bundles/{head.bundle}"
    for path in (f"{folder}/data.json", "runs/week-0/data/ratings.json", f"{folder}/card.json"):
        served.delete(path)
    card = {"model": MODEL, "recipe": {}, "rows": 100_000, "people": 600, "titles": 9000}
    served.create_json(f"{folder}/card.json", card)
    verdict = judged(served, scratch, 1, SHRUNK)
    assert [c.name for c in verdict.conditions if c.number == 5] == ["rows", "people", "titles"]
    assert groups(verdict) == {5}
