"""What people rate on any host reaches the lake, once, and every other host."""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from marquee.errors import LakeFullError, LakeUnavailableError
from marquee.identifiers import person_id
from marquee.lake import FolderLake, Lake, Manifest, World, claim_world
from serving.backend import Backend
from serving.feedback_hand_over import SECONDS_BEFORE_RETRY, HandOver, HandOverTimes
from serving.feedback_log import EVERYTHING, FeedbackLog, current_ratings
from sources.feedback_in_lake import publish_feedback
from sources.feedback_lines import Feedback
from sources.feedback_segments import append_feedback, seal_feedback

NOON = 1_767_000_000


class Away(FolderLake):
    """A lake that answers only where `is_away` is False, and takes where `is_full` is."""

    is_away = False
    is_full = False

    def publish(self, folder: Path, path: str, rows: int | None = None, **facts: Any) -> Manifest:
        if self.is_full:
            raise LakeFullError("it is full")
        return super().publish(folder, path, rows, **facts)

    def read_bytes(self, path: str) -> bytes:
        if self.is_away:
            raise LakeUnavailableError("it is away")
        return super().read_bytes(path)


@pytest.fixture
def lake(tmp_path: Path) -> Away:
    lake = Away(f"file://{tmp_path / 'lake'}")
    claim_world(lake, World("ours"))
    return lake


def lines(lake: Lake) -> list[tuple[str, int | None, float | None]]:
    """Every line in the lake, sorted."""
    found = []
    for name in lake.names("raw/feedback"):
        data = lake.read_bytes(f"raw/feedback/{name}/feedback.jsonl")
        rows = [json.loads(row) for row in data.splitlines()]
        found += [(row["person"], row["movie_id"], row["rating"]) for row in rows]
    return sorted(found, key=str)


class Host:
    """A serving host: a folder of its own, a clock, a feedback log and its hand-over."""

    def __init__(self, lake: Lake, folder: Path, server: str = "local") -> None:
        self.moment = NOON
        self.log = FeedbackLog(folder, server, clock=lambda: float(self.moment))
        self.exchange = HandOver(lake, self.log, world="ours")

    def rate(self, at: int, person: str, ratings: dict[int | None, float | None]) -> None:
        self.moment = NOON + at
        self.log.write(person, ratings)

    def ratings(self, person: str) -> dict[int, float]:
        return current_ratings(None, person_id(person), self.log.feedback_of(person))


@pytest.fixture
def hosts(lake: Away, tmp_path: Path) -> tuple[Host, Host]:
    """Two hosts whose servers bear the same name, as nobody has set it."""
    return Host(lake, tmp_path / "one"), Host(lake, tmp_path / "two")


def test_two_hosts_with_one_name_lose_nothing_and_learn_of_each_other(
    lake: Away, hosts: tuple[Host, Host]
) -> None:
    one, two = hosts
    one.rate(1, "p-ada", {1: 4.0})
    two.rate(2, "p-bo", {1: 2.0})
    two.rate(3, "p-ada", {1: 1.0, 2: 5.0})
    for host in (one, two, one):
        host.exchange.hand_over()
        assert host.exchange.failure == ""
    assert lines(lake) == [
        ("p-ada", 1, 1.0),
        ("p-ada", 1, 4.0),
        ("p-ada", 2, 5.0),
        ("p-bo", 1, 2.0),
    ]
    for host in hosts:
        assert host.ratings("p-ada") == {1: 1.0, 2: 5.0} and host.ratings("p-bo") == {1: 2.0}
    names = lake.names("raw/feedback")
    one.exchange.hand_over()
    assert lake.names("raw/feedback") == names and len(names) == 2


def test_who_is_forgotten_on_one_host_is_forgotten_on_all(
    lake: Away, hosts: tuple[Host, Host], tmp_path: Path
) -> None:
    one, two = hosts
    two.rate(1, "p-ada", {1: 4.0, 2: 3.0})
    two.rate(2, "p-bo", {1: 2.0})
    for host in (two, one):
        host.exchange.hand_over()
    assert one.ratings("p-ada") == {1: 4.0, 2: 3.0}
    one.rate(3, "p-ada", {1: None, 2: None, EVERYTHING: None})
    for host in hosts:
        host.exchange.hand_over()
    again = Host(lake, tmp_path / "two")
    for host in (one, two, again):
        assert host.ratings("p-ada") == {} and EVERYTHING in host.log.feedback_of("p-ada")
        assert host.ratings("p-bo") == {1: 2.0}
    two.rate(4, "p-ada", {3: 1.0})
    for host in (two, one):
        host.exchange.hand_over()
    assert one.ratings("p-ada") == two.ratings("p-ada") == {3: 1.0}, "who comes back, is back"


def test_a_lake_that_is_away_is_caught_up_with(
    lake: Away, backend: Backend, serve: Callable[[Backend], httpx.Client]
) -> None:
    exchange = HandOver(lake, backend.feedback, world="ours")
    client = serve(Backend(**(vars(backend) | {"hand_over": exchange})))
    lake.is_away = True
    for movie_id in (1, 2):
        client.delete(f"/v1/users/p-ada/ratings/{movie_id}").raise_for_status()
        exchange.hand_over()
    assert "wait for the lake: it is away" in exchange.failure
    assert exchange.failure in " ".join(client.get("/readyz").json()["wrong"])
    assert "marquee_feedback_waits 1.0" in client.get("/metrics").text
    assert exchange.seconds_to_wait() == SECONDS_BEFORE_RETRY
    lake.is_away = False
    exchange.hand_over()
    assert (exchange.failure, exchange.segments) == ("", 1), "an outage makes no more segments"
    assert lines(lake) == [("p-ada", 1, None), ("p-ada", 2, None)]
    assert "marquee_feedback_waits 0.0" in client.get("/metrics").text


def test_attempts_at_a_full_lake_end_one_segment(lake: Away, tmp_path: Path) -> None:
    host = Host(lake, tmp_path / "host")
    lake.is_full = True
    for movie_id in range(5):
        host.rate(movie_id, "p-ada", {movie_id: 3.0})
        host.exchange.hand_over()
        assert "wait for the lake: it is full" in host.exchange.failure
    lake.is_full = False
    host.exchange.hand_over()
    assert (host.exchange.failure, host.exchange.segments) == ("", 2)
    assert lines(lake) == [("p-ada", movie_id, 3.0) for movie_id in range(5)]


def test_a_damaged_segment_keeps_no_other_from_being_read(
    lake: Away, hosts: tuple[Host, Host], tmp_path: Path
) -> None:
    one, two = hosts
    for movie_id in (1, 2, 3):
        two.rate(movie_id, "p-ada", {movie_id: 4.0})
        two.exchange.hand_over()
    damaged = lake.names("raw/feedback")[1]
    file = tmp_path / "lake" / "raw" / "feedback" / damaged / "feedback.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole[:-9])
    one.exchange.hand_over()
    assert "other servers heard are missing here" in one.exchange.failure
    assert damaged in one.exchange.failure
    assert one.ratings("p-ada") == {1: 4.0, 3: 4.0}
    file.write_bytes(whole)
    one.exchange.hand_over()
    assert one.exchange.failure == "" and one.ratings("p-ada") == {1: 4.0, 2: 4.0, 3: 4.0}


def test_a_host_to_which_nobody_has_spoken_learns_of_one_with_older_names(
    lake: Away, hosts: tuple[Host, Host]
) -> None:
    one, two = hosts
    one.rate(1, "p-ada", {1: 4.0})
    (one.log.folder / "mark").touch()
    one.exchange.hand_over()
    assert lake.names("raw/feedback")[0].startswith("local-000001-")
    two.exchange.hand_over()
    assert two.ratings("p-ada") == {1: 4.0}


def test_a_full_disk_of_the_host_gathers_no_remains(
    lake: Away, hosts: tuple[Host, Host], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = hosts
    two.rate(1, "p-ada", {1: 4.0})
    two.exchange.hand_over()
    one.exchange.hand_over()

    two.rate(2, "p-ada", {2: 4.0})
    two.exchange.hand_over()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        one.exchange.hand_over()
    assert "No space left" in one.exchange.failure
    assert len(list((one.log.folder / "others").iterdir())) == 1
    one.exchange.hand_over()
    assert one.exchange.failure == "" and one.ratings("p-ada") == {1: 4.0, 2: 4.0}


def test_a_lake_of_another_world_or_of_none_gets_nothing(tmp_path: Path) -> None:
    theirs, new = (FolderLake(f"file://{tmp_path / name}") for name in ("theirs", "new"))
    claim_world(theirs, World("theirs"))
    for lake, failure in ((theirs, "holds the world 'theirs', not 'ours'"), (new, "")):
        host = Host(lake, tmp_path / "feedback")
        host.rate(1, "p-ada", {1: 4.0})
        host.exchange.hand_over()
        assert failure in host.exchange.failure and bool(failure) == bool(host.exchange.failure)
        assert lake.names("raw/feedback") == []


def test_many_publishers_of_one_folder_double_nothing(lake: Away, tmp_path: Path) -> None:
    """Serving and the weekly run of its own host, and a second server of the same folder."""
    host = Host(lake, tmp_path)
    written = threading.Event()

    def publish() -> None:
        while not written.is_set():
            publish_feedback(lake, tmp_path, "local")

    publishers = [threading.Thread(target=publish) for _ in range(3)]
    for publisher in publishers:
        publisher.start()
    for movie_id in range(60):
        host.rate(movie_id, "p-ada", {movie_id: 3.0})
    written.set()
    for publisher in publishers:
        publisher.join()
    host.exchange.hand_over()
    assert lines(lake) == sorted((("p-ada", m, 3.0) for m in range(60)), key=str)


def test_segments_that_older_code_published_keep_their_names(lake: Away, tmp_path: Path) -> None:
    append_feedback(tmp_path, "local", [Feedback("p-ada", 1, 4.0, NOON)])
    seal_feedback(tmp_path, "local")
    (path,) = publish_feedback(lake, tmp_path, "local")
    mark = (tmp_path / "mark").read_text()
    older = path.replace(f"local{mark}-", "local-")
    (tmp_path / "lake" / path).rename(tmp_path / "lake" / older)
    (tmp_path / "mark").unlink()
    assert publish_feedback(lake, tmp_path, "local") == [older]
    assert (tmp_path / "mark").read_text() == ""
    assert lines(lake) == [("p-ada", 1, 4.0)]


def test_a_host_that_has_lost_its_disk_begins_anew_and_gets_back_what_it_said(
    lake: Away, tmp_path: Path
) -> None:
    lost, new = Host(lake, tmp_path / "lost"), Host(lake, tmp_path / "new")
    lost.rate(1, "p-ada", {1: 4.0, 2: 3.0})
    lost.exchange.hand_over()
    new.rate(2, "p-ada", {1: 2.0})
    new.exchange.hand_over()
    assert new.ratings("p-ada") == {1: 2.0, 2: 3.0}
    assert len(lines(lake)) == 3


def test_the_pause_ends_when_a_run_is_due(lake: Away, tmp_path: Path) -> None:
    log = FeedbackLog(tmp_path, "local")
    every_minute = HandOver(lake, log, HandOverTimes(30.0, "* * * * *"))
    assert 1 < every_minute.seconds_to_wait() <= 61
    assert HandOver(lake, log, HandOverTimes(0.5, "* * * * *")).seconds_to_wait() <= 30
    assert HandOver(lake, log, HandOverTimes(7.0)).seconds_to_wait() == 420
