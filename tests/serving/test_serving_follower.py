"""Promotions are picked up, swapped whole, and a broken bundle never replaces a working one."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from serving_bundles import (
    promote_folder,
    promote_recommender,
    write_recommender,
)

from marquee.artefacts.ledger_entry import Draft
from marquee.lake import Lake, open_lake
from release.ledger import Ledger
from scoring.recommender.bundle import read_bundle
from serving.backend import Backend, current_champion, open_backend
from serving.bundle_cache import LOCK_FILE, BundleCache
from serving.engines import LoadedRecommender, load_recommender
from serving.follower import SECONDS_BEFORE_RETRY, Follower
from serving.problems import NothingServesError
from tests.serving.followers import number, open_follower


def broken(folder: Path, seed: int) -> Path:
    """A bundle that loads and answers otherwise than its golden queries say."""
    write_recommender(folder, seed)
    bias = np.load(folder / "item_bias.npy")
    np.save(folder / "item_bias.npy", bias + 0.3)
    return folder


def test_before_the_first_promotion_the_reason_is_given(
    backend: Backend, serve: Callable[[Backend], httpx.Client]
) -> None:
    backend.recommender.poll()
    backend.budget.poll()
    client = serve(backend)
    for path in ("/readyz", "/v1/users/1/recommendations", "/v1/titles?q=x"):
        response = client.get(path)
        assert response.status_code == 503
        assert response.headers["content-type"] == "application/problem+json"
        assert "no recommender has been promoted yet" in response.json()["detail"]
        assert response.headers["retry-after"]
    assert client.get("/livez").status_code == 200
    assert "The curtain is still down" in client.get("/").text


def test_a_promotion_is_followed_and_entries_are_known(
    lake: Lake, tmp_path: Path, follower: Follower[LoadedRecommender]
) -> None:
    promote_recommender(lake, tmp_path / "one", seed=1)
    follower.poll()
    first = follower.view
    promote_recommender(lake, tmp_path / "two", seed=2)
    follower.poll()
    assert first.champion is not None and follower.view.champion is not None
    assert first.champion.model is not follower.view.champion.model
    assert (number(follower), follower.swaps, follower.view.failure) == (2, 2, "")
    assert [e.number for e in follower.view.entries] == [1, 2]
    follower.poll()
    assert follower.swaps == 2, "the same head is not loaded again"


def test_a_roll_back_is_followed_without_the_lake_being_asked_for_the_bundle(
    lake: Lake, tmp_path: Path, follower: Follower[LoadedRecommender]
) -> None:
    one = promote_recommender(lake, tmp_path / "one", seed=1)
    follower.poll()
    two = promote_recommender(lake, tmp_path / "two", seed=2)
    follower.poll()
    lake.delete(f"serving/recommender/bundles/{one.bundle}")
    values = {k: getattr(one, k) for k in Draft.model_fields}
    draft = Draft(**values | {"kind": "roll_back", "reason": "worse", "hold": True})
    Ledger(lake, "recommender").append(draft, two)
    follower.poll()
    assert number(follower) == 3 and follower.view.failure == ""
    assert follower.view.champion is not None
    assert follower.view.champion.entry.bundle == one.bundle


def test_a_broken_bundle_never_replaces_a_working_one(
    lake: Lake,
    tmp_path: Path,
    follower: Follower[LoadedRecommender],
    clock: list[float],
) -> None:
    promote_recommender(lake, tmp_path / "one", seed=1)
    follower.poll()
    promote_folder(lake, "recommender", broken(tmp_path / "two", 2))
    follower.poll()
    assert number(follower) == 1
    assert "champion 2" in follower.view.failure and "golden" in follower.view.failure
    follower.poll()
    assert follower.refusals == 1, "it is not tried again at once"
    clock[0] += SECONDS_BEFORE_RETRY
    follower.poll()
    assert follower.refusals == 2
    promote_recommender(lake, tmp_path / "three", seed=3)
    follower.poll()
    assert (number(follower), follower.view.failure) == (3, "")


def test_a_start_with_a_broken_champion_serves_the_one_before(
    lake: Lake, tmp_path: Path, follower: Follower[LoadedRecommender]
) -> None:
    promote_recommender(lake, tmp_path / "one", seed=1)
    promote_folder(lake, "recommender", broken(tmp_path / "two", 2))
    follower.poll()
    assert number(follower) == 1
    assert "champion 2" in follower.view.failure
    follower.poll()
    assert number(follower) == 1 and "champion 2" in follower.view.failure


@pytest.mark.parametrize("damage", ["torn", "missing", "nan", "other digest", "not published"])
def test_every_damage_is_refused_and_named(
    lake: Lake, tmp_path: Path, follower: Follower[LoadedRecommender], damage: str
) -> None:
    folder = write_recommender(tmp_path / "made")
    array = folder / "item_factors.npy"
    if damage == "torn":
        array.write_bytes(array.read_bytes()[:-100])
    if damage == "missing":
        array.unlink()
    if damage == "nan":
        np.save(array, np.full_like(np.load(array), np.nan))
    digest = "0" * 64 if damage == "other digest" else None
    entry = promote_folder(lake, "recommender", folder, digest)
    if damage == "not published":
        lake.delete(f"serving/recommender/bundles/{entry.bundle}")
    follower.poll()
    assert number(follower) is None
    assert entry.bundle in follower.view.failure and follower.refusals == 1
    leftovers = [p for p in (tmp_path / "cache").rglob("*") if p.name.startswith(".part-")]
    assert leftovers == []


def test_processes_that_share_a_cache_leave_each_other_what_they_fetch(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = promote_recommender(lake, tmp_path / "made")
    ours, theirs = (BundleCache(lake, "recommender", tmp_path / "cache") for _ in range(2))
    fetch = lake.fetch

    def and_meanwhile(*given: str | Path, **rest: str) -> Path:
        monkeypatch.setattr(lake, "fetch", fetch)
        loaded = theirs.fetch(entry)
        theirs.prune({entry.bundle})
        still = (loaded / "bundle.json").stat()
        found = fetch(*given, **rest)
        assert still.st_ino == (loaded / "bundle.json").stat().st_ino
        return found

    monkeypatch.setattr(lake, "fetch", and_meanwhile)
    folder = ours.fetch(entry)
    read_bundle(folder)
    left = folder.parent / ".part-killed"
    left.mkdir()
    ours.prune({entry.bundle})
    assert left.exists()
    os.utime(left, (0, 0))
    ours.prune({entry.bundle})
    assert {one.name for one in folder.parent.iterdir()} == {entry.bundle, LOCK_FILE}


def test_many_that_fetch_one_bundle_at_once_all_load_it(lake: Lake, tmp_path: Path) -> None:
    entry = promote_recommender(lake, tmp_path / "made")

    def load(cache: Path) -> str:
        folder = BundleCache(lake, "recommender", cache).fetch(entry)
        read_bundle(folder)
        return folder.name

    with ThreadPoolExecutor(4) as threads:
        for number in range(20):
            found = threads.map(load, [tmp_path / f"cache-{number}"] * 4)
            assert set(found) == {entry.bundle}


def test_a_bundle_damaged_in_the_lake_after_promotion_is_refused(
    lake: Lake, tmp_path: Path, follower: Follower[LoadedRecommender]
) -> None:
    entry = promote_recommender(lake, tmp_path / "made")
    root = Path(lake.root.removeprefix("file://"))
    victim = root / f"serving/recommender/bundles/{entry.bundle}/bundle/titles.jsonl"
    victim.write_text(victim.read_text()[:-5])
    follower.poll()
    assert number(follower) is None and "differs from its manifest" in follower.view.failure


def test_a_damaged_cache_is_fetched_again(
    lake: Lake, tmp_path: Path, follower: Follower[LoadedRecommender], clock: list[float]
) -> None:
    entry = promote_recommender(lake, tmp_path / "made")
    follower.poll()
    cached = tmp_path / "cache" / "recommender" / entry.bundle / "titles.jsonl"
    cached.write_text("")
    again = open_follower(lake, tmp_path, clock)
    again.poll()
    assert number(again) == 1 and cached.read_text()


def test_a_server_starts_without_the_lake_from_what_it_served_last(
    lake: Lake,
    tmp_path: Path,
    follower: Follower[LoadedRecommender],
    clock: list[float],
    caplog: pytest.LogCaptureFixture,
) -> None:
    promote_recommender(lake, tmp_path / "made")
    follower.poll()
    # A lake that cannot be read: its ledger holds something that is no entry.
    away = open_lake(f"file://{tmp_path / 'away'}")
    away.create("serving/recommender/ledger/000001.json", b"?")
    restarted = open_follower(away, tmp_path, clock)
    restarted.resume()
    assert number(restarted) == 1
    assert not [one for one in caplog.records if one.levelname == "WARNING"]
    restarted.poll()
    assert number(restarted) == 1 and "not a ledger entry" in restarted.view.failure


def test_the_cache_keeps_the_champion_and_the_one_before(
    lake: Lake, tmp_path: Path, follower: Follower[LoadedRecommender]
) -> None:
    bundles = []
    for seed in (1, 2, 3):
        bundles.append(promote_recommender(lake, tmp_path / f"made-{seed}", seed).bundle)
        follower.poll()
    kept = {p.name for p in (tmp_path / "cache" / "recommender").iterdir() if p.is_dir()}
    assert kept == set(bundles[1:])


def test_no_request_sees_two_models(
    lake: Lake, backend: Backend, tmp_path: Path, serve: Callable[[Backend], httpx.Client]
) -> None:
    """Under promotions, every answer is wholly of the bundle it names."""
    made = {}
    for seed, mean in ((1, 1.5), (2, 4.5)):
        folder = write_recommender(tmp_path / f"made-{seed}", seed, mean)
        entry = promote_folder(lake, "recommender", folder)
        backend.recommender.poll()
        made[entry.bundle] = load_recommender(folder).recommender
    client = serve(backend)
    pairs = [(user, movie) for user in (10, 20, 30) for movie in range(1, 31)]
    body = {"pairs": [{"user_id": u, "movie_id": m} for u, m in pairs]}
    users, movies = (np.array(column) for column in zip(*pairs, strict=True))
    truth = {b: m.predict(users, movies).values for b, m in made.items()}
    done = threading.Event()

    def roll() -> None:
        """Let the two bundles take turns, as quickly as the ledger can be written."""
        ledger = Ledger(lake, "recommender")
        for turn in range(20):
            head = ledger.entries()[-1]
            entry = ledger.entry(1 + turn % 2)
            values = {k: getattr(entry, k) for k in Draft.model_fields}
            ledger.append(Draft(**values | {"kind": "roll_back", "reason": "turn"}), head)
            backend.recommender.poll()
        done.set()

    roller = threading.Thread(target=roll)
    roller.start()
    seen, answers = set(), 0
    while not done.is_set() or answers < 50:
        answer = client.post("/v1/predictions", json=body).json()
        values = [p["predicted_rating"] for p in answer["predictions"]]
        np.testing.assert_allclose(values, truth[answer["bundle"]], rtol=0, atol=1e-12)
        seen.add(answer["bundle"])
        answers += 1
    roller.join()
    assert backend.recommender.swaps >= 20
    assert seen == set(made)


def test_the_thread_picks_a_promotion_up_by_itself(
    lake: Lake, tmp_path: Path, follower: Follower[LoadedRecommender]
) -> None:
    loaded = threading.Event()

    def load(folder: Path) -> LoadedRecommender:
        model = load_recommender(folder)
        loaded.set()
        return model

    watched = Follower(lake, "recommender", load, tmp_path / "cache")
    watched.start(poll_seconds=0.01)
    try:
        promote_recommender(lake, tmp_path / "made")
        assert loaded.wait(timeout=30)
    finally:
        watched.stop()
    assert number(watched) == 1


def test_what_the_cache_remembers_is_the_entry_itself(
    lake: Lake, tmp_path: Path, follower: Follower[LoadedRecommender]
) -> None:
    entry = promote_recommender(lake, tmp_path / "made")
    follower.poll()
    kept = json.loads((tmp_path / "cache/recommender/last-served.json").read_text())
    assert kept == entry.to_json()


def test_before_the_ledger_is_read_the_remedy_is_to_ask_again(tmp_path: Path) -> None:
    lake = open_lake(f"file://{tmp_path / 'lake'}")
    backend = open_backend(lake, tmp_path / "cache", tmp_path / "feedback")
    with pytest.raises(NothingServesError, match="ask again in a moment"):
        current_champion(backend.recommender)
    backend.recommender.poll()
    with pytest.raises(NothingServesError, match="promote a model"):
        current_champion(backend.recommender)
