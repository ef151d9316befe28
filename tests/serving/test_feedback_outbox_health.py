"""What the API says of feedback that waits for Kafka: degraded, never unready."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from broker.client import Brokers, Topic
from broker.feedback_outbox import Outbox
from serving.backend import Backend
from tests.plugins.free_ports import free_port


def test_feedback_that_waits_for_kafka_is_said_and_stops_nothing(
    two: Backend,
    serve: Callable[[Backend], httpx.Client],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("broker.client.SECONDS_TO_ANSWER", 0.5)
    log, address = two.feedback, f"127.0.0.1:{free_port()}"
    outbox = Outbox(lambda: Brokers(address), Topic("feedback"), log.folder, log.server)
    client = serve(Backend(**(vars(two) | {"outbox": outbox})))
    given = {"ratings": [{"movie_id": 1, "rating": 5}]}
    assert client.post("/v1/users/p-ada/ratings", json=given).status_code == 202
    assert not outbox.publish()
    ready = client.get("/readyz")
    assert ready.status_code == 200 and ready.json()["status"] == "degraded"
    (wrong,) = ready.json()["wrong"]
    assert wrong.startswith("feedback: ratings are kept and wait for Kafka: ")
    assert f"(Kafka at {address})" in wrong and wrong.endswith("(1 lines wait)")
    metrics = client.get("/metrics").text
    assert "marquee_feedback_publishing_trouble 1.0" in metrics
    assert "marquee_feedback_unpublished 1.0" in metrics
