"""A ledger that lost entries is not followed; what served, serves on."""

from __future__ import annotations

from pathlib import Path

import pytest
from serving_bundles import (
    promote_recommender,
)

from marquee.lake import Lake
from release.ledger import Ledger
from serving.engines import LoadedRecommender
from serving.follower import Follower
from tests.serving.followers import number, open_follower


def shorten(lake: Lake, number: int) -> None:
    lake.delete(f"serving/recommender/ledger/{number:06d}.json")


@pytest.mark.parametrize(("lost", "damage"), [(1, "the first entry is number 2"), (2, "2 to 2")])
def test_a_gap_is_called_one(
    lake: Lake, tmp_path: Path, follower: Follower[LoadedRecommender], lost: int, damage: str
) -> None:
    for seed in range(3):
        promote_recommender(lake, tmp_path / str(seed), seed=seed)
    follower.poll()
    lake.delete(f"serving/recommender/ledger/{lost:06d}.json")
    follower.poll()
    assert number(follower) == 3, "what served, serves on"
    assert damage in follower.view.failure and "ends with" not in follower.view.failure


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("remaining", [0, 1])
def test_a_ledger_that_lost_entries_is_not_followed(
    lake: Lake,
    tmp_path: Path,
    follower: Follower[LoadedRecommender],
    clock: list[float],
    restarted: bool,
    remaining: int,
) -> None:
    for seed in (1, 2):
        promote_recommender(lake, tmp_path / f"made-{seed}", seed)
        follower.poll()
    for lost in range(2, remaining, -1):
        shorten(lake, lost)
    watched = open_follower(lake, tmp_path, clock) if restarted else follower
    for _ in range(2):
        watched.poll()
        assert number(watched) == 2, "what served, serves on"
        assert f"ends with entry {remaining}, and entry 2 is known" in watched.view.failure
        assert "restore it" in watched.view.failure


@pytest.mark.parametrize("restarted", [False, True])
def test_a_ledger_with_another_entry_in_its_place_is_not_followed(
    lake: Lake,
    tmp_path: Path,
    follower: Follower[LoadedRecommender],
    clock: list[float],
    restarted: bool,
) -> None:
    first = promote_recommender(lake, tmp_path / "one", seed=1)
    second = promote_recommender(lake, tmp_path / "two", seed=2)
    follower.poll()
    shorten(lake, 2)
    Ledger(lake, "recommender").append(second.with_changes(reason="another history"), first)
    watched = open_follower(lake, tmp_path, clock) if restarted else follower
    watched.poll()
    champion = watched.view.champion
    assert champion is not None and champion.entry == second
    assert "another entry 2 than the one that was read before" in watched.view.failure


def test_what_is_known_of_the_ledger_outlives_a_restart_without_another_bundle(
    lake: Lake, tmp_path: Path, follower: Follower[LoadedRecommender], clock: list[float]
) -> None:
    """A hold, or a world accepted, adds an entry and swaps nothing."""
    one = promote_recommender(lake, tmp_path / "one", seed=1)
    follower.poll()
    Ledger(lake, "recommender").append(one.with_changes(kind="accept_world", world="r1"), one)
    follower.poll()
    shorten(lake, 2)
    restarted = open_follower(lake, tmp_path, clock)
    restarted.poll()
    assert number(restarted) == 2 and "ends with entry 1" in restarted.view.failure


def test_a_ledger_that_was_restored_is_followed_again(
    lake: Lake, tmp_path: Path, follower: Follower[LoadedRecommender]
) -> None:
    entries = [promote_recommender(lake, tmp_path / f"{seed}", seed) for seed in (1, 2)]
    follower.poll()
    shorten(lake, 2)
    follower.poll()
    assert follower.view.failure
    lake.create("serving/recommender/ledger/000002.json", entries[1].to_bytes())
    promote_recommender(lake, tmp_path / "three", 3)
    follower.poll()
    assert (number(follower), follower.view.failure) == (3, "")


def test_a_start_on_a_broken_ledger_serves_its_head_and_says_so(
    lake: Lake, tmp_path: Path, follower: Follower[LoadedRecommender]
) -> None:
    for seed in (1, 2, 3):
        promote_recommender(lake, tmp_path / f"made-{seed}", seed)
    shorten(lake, 2)
    follower.poll()
    assert number(follower) == 3 and "entries 2 to 2 are missing" in follower.view.failure
