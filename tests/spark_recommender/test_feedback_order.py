"""Training learns the ratings that the API states of a person, whatever the clocks state.

Real feedback logs, the real publisher and Spark's merging, over seeded random histories: all of
them are published into one lake, so that one Spark job shows what training learns of each.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from marquee.clock import OFFSET, iso, seconds
from marquee.identifiers import person_id
from marquee.lake import Lake, open_lake
from marquee.run_folder import inputs_of
from serving.feedback_log import EVERYTHING, FeedbackLog
from sources.feedback_in_lake import publish_feedback
from spark_apps.preparation.rating_dataset import (
    Scale,
    latest_of_each_pair,
    rows_before,
    valid_rows,
    validate,
)
from spark_apps.preparation.raw_ratings import read_feedback
from spark_apps.prepare_ratings import complete_by
from steps.freeze_inputs import frozen_feedback
from tests.frozen_inputs import frozen
from tests.plugins.spark_session import spark  # noqa: F401

START = 1_750_000_000  # June 2025
YEARS_AHEAD = 300_000_000
WEEK, LATER = 7 * 86_400, 1200
"""From as-of to as-of; from an as-of to the freeze of its run."""
PEOPLE, TITLES, STARS = ("a", "b"), (1, 2, 3), (0.5, 2.5, 5.0)
Ratings = dict[int, float]
Clock = Callable[[float], None]


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Sets the clock of sealing, as a drill does."""
    monkeypatch.delenv(OFFSET, raising=False)
    machine = seconds()

    def set_to(moment: float) -> None:
        monkeypatch.setenv(OFFSET, str(moment - machine))

    return set_to


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = open_lake((tmp_path / "lake").as_uri())
    lake.create_json("world.json", {"format": 1, "world": "made-up", "drill": True})
    return lake


def weekly_run(lake: Lake, as_of: float) -> Mapping[str, int]:
    """By when each segment was written, as the job reads it from what a run of `as_of` froze."""
    then, frozen_at = (datetime.fromtimestamp(int(t), UTC) for t in (as_of, as_of + LATER))
    run = f"week-{int(as_of)}"
    feedback = [one.model_dump(mode="json") for one in frozen_feedback(lake, frozen_at)]
    inputs = frozen(run, iso(then), frozen_at=iso(frozen_at), feedback=feedback)
    lake.create_json(f"runs/{run}/inputs.json", inputs)
    return complete_by(inputs_of(lake, run))


def learnt(
    session: SparkSession, lake: Lake, as_of: float, written: Mapping[str, int] | None = None
) -> Mapping[int, Ratings]:
    """What training would see at a moment: stars by title, by user id."""
    uris = [lake.uri(f"raw/feedback/{name}/feedback.jsonl") for name in lake.names("raw/feedback")]
    good = valid_rows(validate(read_feedback(session, uris, written), Scale(0.5, 5.0)))
    found: dict[int, Ratings] = {}
    for row in latest_of_each_pair(rows_before(good, int(as_of))).collect():
        found.setdefault(row.user_id, {})[row.movie_id] = row.rating
    return found


def rated_now(log: FeedbackLog, person: str) -> Ratings:
    """The ratings that the API states of a person, without those taken back."""
    return {title: stars for title, stars in log.feedback_of(person).items() if stars is not None}


@dataclass
class Server:
    """A serving host whose clock goes wrong at random."""

    name: str
    folder: Path
    lake: Lake
    chance: random.Random
    set_clock: Clock
    people: tuple[str, ...]
    time: float = START
    error: float | None = 0.0
    """What its clock adds to the time; None: it starts in 1970."""
    feedback_log: FeedbackLog = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.feedback_log = FeedbackLog(self.folder, self.name, clock=self.clock)

    def clock(self) -> float:
        return self.time - START if self.error is None else self.time + self.error

    def break_clock(self) -> None:
        self.error = self.chance.choice([0.0, -5.0, -86_400.0, float(YEARS_AHEAD), None])

    def tear(self) -> None:
        """A crash in the middle of a line."""
        for path in self.folder.glob(f"{self.name}-*.open.jsonl"):
            with path.open("ab") as stream:
                stream.write(b'{"person": "p-')
        self.restart()

    def rate(self) -> None:
        titles = self.chance.sample(TITLES, self.chance.randint(1, len(TITLES)))
        stars = {title: self.chance.choice(STARS) for title in titles}
        self.feedback_log.write(self.chance.choice(self.people), stars)

    def forget(self) -> None:
        person = self.chance.choice(self.people)
        known = dict.fromkeys(rated_now(self.feedback_log, person))
        self.feedback_log.write(person, known if self.chance.random() < 0.5 else {EVERYTHING: None})

    def take_back(self) -> None:
        self.feedback_log.write(self.chance.choice(self.people), {self.chance.choice(TITLES): None})

    def publish(self) -> None:
        self.set_clock(self.time)
        publish_feedback(self.lake, self.folder, self.name)

    def act(self) -> None:
        self.time += self.chance.choice([0.0, 0.3, 40.0, 90_000.0])
        acts = [self.rate] * 5 + [self.take_back] * 3 + [self.forget, self.tear, self.restart]
        self.chance.choice([*acts, self.publish, self.break_clock, self.break_clock])()


class SealsByItself(Server):
    """A serving host that publishes by its own clock, right or wrong."""

    def publish(self) -> None:
        self.set_clock(self.clock())
        publish_feedback(self.lake, self.folder, self.name)


def histories(
    kind: type[Server], seeds: range, acts: int, lake: Lake, at: Clock, folder: Path
) -> list[Server]:
    """Servers of people of their own that acted at random, and were published."""
    servers = []
    for seed in seeds:
        people = tuple(f"p-{seed}{name}" for name in PEOPLE)
        chance = random.Random(seed)
        server = kind(f"s{seed:03d}", folder / f"host{seed}", lake, chance, at, people)
        for _ in range(acts):
            server.act()
        server.publish()
        servers.append(server)
    return servers


def test_training_learns_what_the_api_says(
    spark: SparkSession,  # noqa: F811
    lake: Lake,
    at: Clock,
    tmp_path: Path,
) -> None:
    servers = histories(Server, range(25), 40, lake, at, tmp_path)
    as_of = max(server.time for server in servers) + 10
    trained = learnt(spark, lake, as_of)
    rated = 0
    for server in servers:
        again = FeedbackLog(server.folder, server.name)
        for person in server.people:
            expected = rated_now(server.feedback_log, person)
            assert rated_now(again, person) == expected, (server.name, person)
            assert trained.get(person_id(person), {}) == expected, (server.name, person)
            rated += len(expected)
    assert rated > 50


def test_two_servers_agree_on_the_later_word(
    spark: SparkSession,  # noqa: F811
    lake: Lake,
    at: Clock,
    tmp_path: Path,
) -> None:
    folders = {}
    for seed in range(12):
        folder = folders[seed] = tmp_path / f"both{seed}"
        people = (f"p-both{seed}",)
        pair = [
            Server(f"{name}{seed}", folder, lake, random.Random(seed * 2 + n), at, people)
            for n, name in enumerate(("left", "right"))
        ]
        for step in range(40):
            pair[step % 2].act()
            pair[0].time = pair[1].time = max(one.time for one in pair)
        for one in pair:
            one.publish()
    trained = learnt(spark, lake, START + 10**8)
    expected = {
        seed: rated_now(FeedbackLog(folder, "any"), f"p-both{seed}")
        for seed, folder in folders.items()
    }
    assert sum(map(len, expected.values())) > 10
    assert {seed: trained.get(person_id(f"p-both{seed}"), {}) for seed in folders} == expected


def test_what_was_said_after_the_as_of_waits_for_the_next_run(
    spark: SparkSession,  # noqa: F811
    lake: Lake,
    at: Clock,
    tmp_path: Path,
) -> None:
    server = Server("s", tmp_path / "s", lake, random.Random(0), at, ("p-a",))
    for stars in (1.0, 2.0, 3.0):
        server.time += 100
        server.feedback_log.write("p-a", {1: stars})
    server.publish()  # the run of that as-of seals the lines since, too
    found = [learnt(spark, lake, START + late).get(person_id("p-a")) for late in (100, 200, 999)]
    assert found == [None, {1: 1.0}, {1: 3.0}]


@pytest.mark.parametrize("error", [float(YEARS_AHEAD), 5e9])
def test_a_word_of_a_clock_far_ahead_is_neither_lost_nor_wins_for_ever(
    spark: SparkSession,  # noqa: F811
    lake: Lake,
    at: Clock,
    tmp_path: Path,
    error: float,
) -> None:
    server = Server("s", tmp_path / "s", lake, random.Random(0), at, ("p-a",))
    server.error = error
    server.feedback_log.write("p-a", {1: 1.0, 2: 1.0})
    server.time += 1000
    server.publish()
    learnt_then = learnt(spark, lake, server.time + 1)
    assert learnt_then == {person_id("p-a"): {1: 1.0, 2: 1.0}}
    server.error, server.time = 0.0, server.time + 1000
    server.feedback_log.write("p-a", {1: None, 2: 5.0})
    server.time += 1000
    server.publish()
    assert learnt(spark, lake, server.time)[person_id("p-a")] == {2: 5.0}


def test_a_sealing_of_a_clock_far_ahead_gives_way_to_the_next_word(
    spark: SparkSession,  # noqa: F811
    lake: Lake,
    at: Clock,
    tmp_path: Path,
) -> None:
    server = Server("s", tmp_path / "s", lake, random.Random(0), at, ("p-a",))
    server.error = YEARS_AHEAD
    server.feedback_log.write("p-a", {1: 1.0, 2: 4.0})
    at(server.time + YEARS_AHEAD + 10)
    publish_feedback(lake, server.folder, "s")
    server.error, server.time = 0.0, server.time + 1000
    server.feedback_log.write("p-a", {1: None})
    server.time += 10
    server.publish()
    for as_of in (server.time, server.time + 2 * YEARS_AHEAD):
        assert learnt(spark, lake, as_of) == {person_id("p-a"): {2: 4.0}}


@pytest.mark.parametrize("name", ["s", "büro 1"])
def test_what_a_clock_ahead_sealed_last_is_learnt_by_the_next_run(
    spark: SparkSession,  # noqa: F811
    lake: Lake,
    at: Clock,
    tmp_path: Path,
    name: str,
) -> None:
    """Nobody rates again: only the first freeze states that the lines were written by then."""
    server = Server(name, tmp_path / "s", lake, random.Random(0), at, ("p-a",))
    server.error = YEARS_AHEAD
    server.feedback_log.write("p-a", {1: 1.5, 2: 4.5, 3: 3.0})
    server.feedback_log.write("p-a", {3: None})
    at(server.time + YEARS_AHEAD + 10)
    publish_feedback(lake, server.folder, name)
    weeks = [START + 3600 + n * WEEK for n in range(3)]
    found = [learnt(spark, lake, as_of, weekly_run(lake, as_of)) for as_of in weeks]
    expected = {person_id("p-a"): rated_now(FeedbackLog(server.folder, name), "p-a")}
    assert expected == {person_id("p-a"): {1: 1.5, 2: 4.5}}
    assert found == [{}, expected, expected]


def test_training_learns_what_the_api_says_though_clocks_ahead_seal(
    spark: SparkSession,  # noqa: F811
    lake: Lake,
    at: Clock,
    tmp_path: Path,
) -> None:
    servers = histories(SealsByItself, range(100, 125), 30, lake, at, tmp_path)
    first = max(server.time for server in servers) + 10
    weekly_run(lake, first)
    trained = learnt(spark, lake, first + WEEK, weekly_run(lake, first + WEEK))
    unbounded = learnt(spark, lake, first + WEEK)
    expected = {p: rated_now(FeedbackLog(s.folder, s.name), p) for s in servers for p in s.people}
    assert {p: trained.get(person_id(p), {}) for p in expected} == expected
    assert {p: unbounded.get(person_id(p), {}) for p in expected} != expected


def test_lines_and_segments_from_before_there_were_numbers_keep_their_order(
    spark: SparkSession,  # noqa: F811
    lake: Lake,
    at: Clock,
    tmp_path: Path,
) -> None:
    def old(stars: float | None, time: int, title: int = 1) -> str:
        return json.dumps({"person": "p-a", "movie_id": title, "rating": stars, "time": time})

    folder = tmp_path / "s"
    folder.mkdir()
    first = [old(4.0, START + 9), old(None, START + 3), old(3.0, START, 2), old(1.0, START, 2)]
    (folder / "s-000001.jsonl").write_text("\n".join(first) + "\n")
    (folder / "s-000002.open.jsonl").write_text(old(2.5, START - 4, 3) + "\n")
    feedback_log = FeedbackLog(folder, "s", clock=lambda: START - 50)
    feedback_log.write("p-a", {3: 5.0})
    at(START + 100)
    publish_feedback(lake, folder, "s")
    assert (
        lake.read_bytes(
            next(
                f"raw/feedback/{n}/feedback.jsonl" for n in lake.names("raw/feedback") if "1-" in n
            )
        )
        == ("\n".join(first) + "\n").encode()
    )
    expected = rated_now(FeedbackLog(folder, "s"), "p-a")
    assert expected == rated_now(feedback_log, "p-a") == {2: 1.0, 3: 5.0}
    assert learnt(spark, lake, START + 200) == {person_id("p-a"): expected}
