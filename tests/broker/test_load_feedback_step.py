"""load_feedback takes segments and the topic, and the run's report says what came."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from broker.client import Brokers
from marquee.clock import seconds
from marquee.errors import AwayError
from serving.feedback_log import FeedbackLog
from steps.freeze_inputs import freeze_inputs
from steps.load_sources import load_feedback, load_ratings
from steps.run import Run
from steps.run_report import report
from tests.plugins.kafka_broker import Broker
from tests.steps.conftest import make_run, release  # noqa: F401

Make = Callable[..., Run]


def with_topic(run: Run, broker: Broker) -> Run:
    """The run at a place whose feedback comes over topics of this test."""
    name = broker.topic("feedback")
    values = {"bootstrap": broker.address, "feedback_topic": name, "refused_topic": f"{name}.no"}
    kafka = run.settings.kafka.model_copy(update=values)
    return replace(run, settings=run.settings.model_copy(update={"kafka": kafka}))


def put(run: Run, *values: object) -> None:
    producer = Brokers.of(run.settings).producer()
    for value in values:
        producer.produce(run.settings.kafka.feedback_topic, json.dumps(value).encode(), b"p-ada")
    assert producer.flush(30) == 0


def event(seq: int) -> dict[str, object]:
    known = {"version": 1, "server": "kiosk", "seq": seq, "person": "p-ada", "movie_id": 10}
    return {**known, "rating": 4.5, "time": int(seconds())}


def test_a_run_takes_both_ways_and_reports_what_the_topic_brought(
    make_run: Make,  # noqa: F811
    kafka: Broker,
) -> None:
    run = with_topic(make_run("both"), kafka)
    assert load_feedback(run) == {"paths": 0, "events": 0, "refused": 0}, "it makes the topic"
    FeedbackLog(run.folders.feedback, "local").write("p-bob", {10: 3.0})
    put(run, event(1), {"version": 2}, event(2))
    assert load_feedback(run) == {"paths": 2, "events": 2, "refused": 1}
    assert load_feedback(run) == {"paths": 2, "events": 0, "refused": 0}, "a second attempt"
    path = load_ratings(run, run.settings.ratings.source, "r")["path"]
    freeze_inputs(run, path)
    said = "2 events over Kafka, 1 messages refused (1 unknown version)"
    assert report(run)["feedback"] == said


def test_without_kafka_the_step_is_an_outage_and_the_segments_are_loaded(
    make_run: Make,  # noqa: F811
    kafka: Broker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = with_topic(make_run("away"), kafka)
    FeedbackLog(run.folders.feedback, "local").write("p-bob", {10: 3.0})
    kafka.kill()
    monkeypatch.setattr("broker.client.SECONDS_TO_ANSWER", 1.0)
    with pytest.raises(AwayError, match=f"Kafka at {kafka.address}"):
        load_feedback(run)
    assert len(run.lake.names("raw/feedback")) == 1
    path = load_ratings(run, run.settings.ratings.source, "r")["path"]
    freeze_inputs(run, path, ["load_feedback"])
    assert "has not reached the lake waits for the next run" in report(run)["degraded"][0]
    monkeypatch.undo()
    kafka.start()
    put_first = with_topic(make_run("next"), kafka)
    load_feedback(put_first)
    put(put_first, event(1))
    assert load_feedback(put_first)["events"] == 1
