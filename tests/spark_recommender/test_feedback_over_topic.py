"""Training learns each event once, whether it comes in a segment, over a topic, or both ways."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from pyspark.sql import SparkSession

from broker.client import Brokers, Topic
from broker.feedback_outbox import Outbox
from broker.feedback_topic import take_feedback
from marquee.identifiers import person_id
from marquee.lake import open_lake
from serving.feedback_log import EVERYTHING, FeedbackLog
from sources.feedback_in_lake import publish_feedback
from spark_apps.preparation.raw_ratings import read_feedback
from tests.plugins.kafka_broker import Broker
from tests.plugins.spark_session import spark  # noqa: F401
from tests.spark_recommender.test_feedback_order import LATER, learnt, rated_now

SCALE = (0.5, 5.0)


def test_each_event_counts_once_whichever_way_it_came(
    spark: SparkSession,  # noqa: F811
    kafka: Broker,
    tmp_path: Path,
) -> None:
    lake = open_lake((tmp_path / "lake").as_uri())
    lake.create_json("world.json", {"format": 1, "world": "made-up", "drill": True})
    topic, brokers = Topic(kafka.topic("feedback")), Brokers(kafka.address)
    log = FeedbackLog(tmp_path / "feedback", "local+1 küche")
    outbox = Outbox(lambda: brokers, topic, log.folder, log.server)
    people = ("p-ada", "p-bob", "p-eve")
    log.write("p-ada", {1: 4.0, 2: 2.0})
    log.write("p-bob", {1: 1.0})
    assert outbox.publish()
    take_feedback(lake, brokers, topic.name, SCALE)  # over the topic alone, so far
    log.write("p-ada", {1: 3.0})
    publish_feedback(lake, log.folder, log.server)  # both ways; the last one in a segment alone
    log.write("p-ada", {2: None})
    log.write("p-bob", dict.fromkeys((1, EVERYTHING)))
    log.write("p-eve", {3: 5.0})
    assert outbox.publish()
    take_feedback(lake, brokers, topic.name, SCALE)  # the first line after the segment comes twice
    uris = [lake.uri(f"raw/feedback/{name}/feedback.jsonl") for name in lake.names("raw/feedback")]
    assert len(uris) == 3
    rows = read_feedback(spark, uris).select("feedback_position", "movie_id").collect()
    seen = Counter((row.feedback_position.server, row.feedback_position.place) for row in rows)
    assert len(seen) == log.lines, "each line has one place"
    end = max(int(row.time) for row in read_feedback(spark, uris).collect()) + LATER
    found = learnt(spark, lake, end)
    assert {p: found.get(person_id(p), {}) for p in people} == {
        p: rated_now(log, p) for p in people
    }
    assert found[person_id("p-ada")] == {1: 3.0}
