"""The plain loop over a real broker: answers, bad messages, outages, kills."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest
from confluent_kafka import Consumer, TopicPartition

from local_stack.stack import Stack
from marquee.errors import AwayError, NameTakenError, SettingsError
from marquee.lake import World, claim_world, open_lake
from marquee.settings import REPOSITORY
from streams.__main__ import main
from streams.loop import StreamLoop
from streams.messages import Answerer, request_message
from streams.sessions import MadeAnewError, Progress, run_sessions
from tests.plugins.kafka_broker import Broker
from tests.serving.serving_bundles import promote_budget, promote_recommender
from tests.streams.stream_rig import Said, StreamRig

MIXED: list[Said] = [
    ("budget-estimate", {"year": 2020}),
    ("prediction", {"user_id": 10, "movie_id": 5}),
    ("recommendations", {"user_id": 20, "n": 3}),
    ("title", {"movie_id": 999}),
]
Rigs = Callable[..., StreamRig]


def test_good_and_bad_messages_are_answered_or_refused_and_never_stop_the_loop(
    make_rig: Rigs,
) -> None:
    rig = make_rig()
    before = rig.ask(MIXED, "before")
    bad = [b"no JSON", None, b'{"version": 1}', b"\xff" * 1_100_000]
    for value in bad:
        rig.send(value)
    rig.send(b'{"version": 9, "id": "newer"}')
    rig.send(request_message("long", "titles", {"q": "x" * 1_000_000}))
    after = rig.ask(MIXED, "after")
    process = rig.start()
    found = rig.answers([*before, *after, "newer", "long"])
    statuses = [found[name]["status"] for name in before]
    assert statuses == [found[name]["status"] for name in after] == [200, 200, 200, 404]
    assert (found["newer"]["status"], found["long"]["status"]) == (422, 413)
    refused = rig.refused(len(bad))
    assert sorted(len(value) for value, _ in refused) == [0, 7, 14, 900_000]
    assert all(headers["reason"] and headers["from"] for _, headers in refused)
    assert rig.end(process) == 0
    assert set(rig.all_answers().values()) == {1}


def test_the_program_of_the_guide_reads_the_answer_to_its_question(make_rig: Rigs) -> None:
    rig = make_rig()
    process = rig.start()
    text = (REPOSITORY / "docs/guides/streams.md").read_text()
    code = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0]
    code = code.replace("127.0.0.1:9092", rig.broker.address)
    for topic in ("answers", "requests"):
        code = code.replace(f"marquee.{topic}", getattr(rig.settings.streams, topic))
    said = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert json.loads(said)["status"] == 200
    assert rig.end(process) == 0


def test_a_loop_that_is_killed_goes_on_where_its_last_transaction_ended(make_rig: Rigs) -> None:
    rig = make_rig()
    process = rig.start()
    ids = rig.ask(MIXED * 100, "one")
    rig.answers(ids[:20])
    rig.end(process, signal.SIGKILL)
    ids += rig.ask(MIXED * 50, "two")
    process = rig.start()
    rig.answers(ids)
    assert rig.end(process) == 0
    assert rig.all_answers() == dict.fromkeys(ids, 1)


def test_a_broker_that_is_away_is_waited_for(make_rig: Rigs) -> None:
    rig = make_rig()
    process = rig.start()
    ids = rig.ask(MIXED * 25, "one")
    rig.answers(ids[:5])
    rig.broker.kill()
    rig.wait_for_log("Kafka at")
    assert process.poll() is None
    rig.broker.start()
    ids += rig.ask(MIXED, "two")
    rig.answers(ids)
    assert rig.end(process) == 0
    assert rig.all_answers() == dict.fromkeys(ids, 1)
    status = json.loads((rig.folder / "status.json").read_text())
    assert status["champions"].keys() == {"recommender", "budget"}


def test_wrong_settings_end_with_one_line(make_rig: Rigs) -> None:
    rig = make_rig()
    rig.settings_of["MARQUEE_KAFKA__BOOTSTRAP"] = ""
    process = rig.start()
    assert process.wait(60) == 2
    assert rig.log().startswith("error: this place has no Kafka")


@pytest.mark.parametrize("name", ["", "a b/c", "ä", "x" * 101])
def test_a_name_that_kafka_would_refuse_ends_with_one_line(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--name", name])
    assert ended.value.code == 2
    assert "--name: a name of a loop is 1 to 100 letters" in capsys.readouterr().err


def test_offsets_that_the_topic_does_not_have_lose_nothing(make_rig: Rigs) -> None:
    rig = make_rig()
    ids = rig.ask(MIXED)
    group, topic = rig.settings.streams.group, rig.settings.streams.requests
    consumer = rig.brokers.consumer(group_id=group)
    ahead = [TopicPartition(topic, part, 10_000) for part in range(rig.partitions)]
    consumer.commit(offsets=ahead, asynchronous=False)
    consumer.close()
    process = rig.start()
    rig.answers(ids)
    rig.wait_for_log("ends before offset 10000: it is read anew")
    assert rig.end(process) == 0


def test_of_two_loops_of_one_name_one_ends_with_a_line_and_one_goes_on(make_rig: Rigs) -> None:
    rig = make_rig()
    both = [rig.start()]
    rig.answers(rig.ask(MIXED, "one"))
    both.append(rig.start())
    rig.wait_for_log("another loop runs as '1' in the group")
    until = time.monotonic() + 60
    while (left := [one for one in both if one.poll() is None]) == both:
        assert time.monotonic() < until, rig.log()
        time.sleep(0.05)
    (other,) = left
    assert [one.returncode for one in both if one is not other] == [2]
    rig.answers(rig.ask(MIXED * 5, "two"))
    assert rig.end(other) == 0
    assert set(rig.all_answers().values()) == {1} and "Traceback" not in rig.log()
    assert "FATAL" not in rig.log()


def test_a_name_is_lost_for_good_only_where_it_is_lost_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.sessions.SECONDS_BETWEEN_SESSIONS", 0)
    taken, away = NameTakenError("taken"), AwayError("away")
    stop, done = threading.Event(), []
    lost = [taken] * 4
    ends = iter([*lost[1:], away, *lost[1:], MadeAnewError("q"), *lost])

    def session(_: threading.Event) -> None:
        done.append(1)
        raise next(ends)

    with pytest.raises(SettingsError, match="a twin"):
        run_sessions(session, Progress(), stop, SettingsError("a twin"))
    assert len(done) == 12


def test_a_batch_across_two_assignments_is_read_again(make_rig: Rigs) -> None:
    """Its first request may be another loop's by now, or of a topic that was deleted."""
    rig = make_rig()
    loop = StreamLoop(rig.brokers, rig.settings.streams, cast("Answerer", None), "1")
    with closing(rig.brokers.consumer()) as consumer:

        class Rebalanced:
            """A consumer whose partitions are given anew in the middle of a batch."""

            def poll(self, _seconds: float) -> str:
                return "first"

            def consume(self, _most: int, timeout: float) -> list[str]:
                loop._on_assign(consumer, [])
                return ["of another assignment"]

        with pytest.raises(AwayError, match="partitions were given anew"):
            loop._next(cast("Consumer", Rebalanced()))


@pytest.mark.hdfs
def test_a_lake_that_is_silent_at_the_start_is_waited_for(
    hdfs: Stack, kafka: Broker, tmp_path: Path
) -> None:
    """Nothing is cached, so nothing is answered: a request can wait, and an answer is final."""
    web = hdfs.settings.lake.webhdfs
    lake = open_lake(f"{hdfs.settings.lake.root}-streams", web)
    promote_recommender(lake, tmp_path / "one")
    promote_budget(lake, tmp_path / "two")
    rig = StreamRig(kafka, lake, tmp_path / "rig")
    namenode = next(p["pid"] for p in hdfs.supervisor.processes() if p["name"] == "namenode")
    os.kill(namenode, signal.SIGSTOP)
    try:
        process = rig.start("--webhdfs", web)
        ids = rig.ask(MIXED)
        rig.wait_for_log(f"{lake.root} does not answer yet")
        assert process.poll() is None and not rig.all_answers()
    finally:
        os.kill(namenode, signal.SIGCONT)
    assert [rig.answers(ids)[name]["status"] for name in ids] == [200, 200, 200, 404]
    assert rig.end(process) == 0
    assert "Instantiated" not in rig.log() and "Traceback" not in rig.log()
    rig.close()


def test_a_lake_of_another_world_ends_with_one_line(make_rig: Rigs, tmp_path: Path) -> None:
    lake = open_lake(f"file://{tmp_path / 'theirs'}")
    claim_world(lake, World("theirs"))
    rig = make_rig(MARQUEE_WORLD="ours")
    process = rig.start("--lake", lake.root)
    assert process.wait(60) == 2
    assert rig.log().splitlines()[-1].startswith(f"error: {lake.root} holds the world 'theirs'")
