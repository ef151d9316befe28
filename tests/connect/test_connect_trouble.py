"""Away, restarted, unknown, refused: the answers where Spark Connect cannot answer."""

from __future__ import annotations

import signal

import httpx
import pytest

from tests.plugins.connect_server import SECRET, address, eventually, is_ready, with_engine
from tests.plugins.free_ports import free_port
from tests.plugins.live_server import running

LIST = "/v1/users/7/recommendations"


def test_an_unknown_engine_is_named_with_the_known_ones(api):
    answer = api.get(LIST, params={"engine": "abacus"})
    assert answer.status_code == 422
    assert "abacus" in answer.json()["detail"]
    assert "native, spark-connect" in answer.json()["detail"]


def test_without_a_worker_the_engine_is_unknown(native):
    with running(native) as client:
        assert client.get(LIST, params={"engine": "spark-connect"}).status_code == 422
        assert client.get(LIST, params={"engine": "native"}).json()["engine"] == "native"
        assert client.get(LIST).json()["engine"] == "native"


def test_a_worker_that_is_away_is_a_503_and_native_answers_on(native):
    away = with_engine(native, f"http://127.0.0.1:{free_port()}")
    with running(away) as client:
        answer = client.get(LIST, params={"engine": "spark-connect"})
        assert answer.status_code == 503 and answer.headers["Retry-After"] == "10"
        assert "spark-connect does not answer" in answer.json()["detail"]
        assert client.get(LIST).status_code == 200
        ready = client.get("/readyz").json()
        assert ready["status"] == "degraded" and "spark-connect" in ready["wrong"][0]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/users/abc/recommendations", 422),
        ("/v1/users/7/predictions/999999", 404),
        ("/v1/titles/999999/similar", 404),
        ("/v1/users/7/recommendations?genre=Puppetry", 422),
        ("/v1/users/7/recommendations?n=0", 422),
        ("/v1/users/7/recommendations?exclude=abc", 422),
    ],
)
def test_bad_requests_are_refused_as_by_the_native_engine(api, path, status):
    spark = api.get(
        path, params=dict(httpx.QueryParams(path.partition("?")[2])) | {"engine": "spark-connect"}
    )
    native = api.get(path)
    assert spark.status_code == native.status_code == status
    assert spark.json()["detail"] == native.json()["detail"]


def test_ratings_since_the_training_are_the_native_engines_alone(api, native):
    rated = api.post("/v1/users/p-ada/ratings", json={"ratings": [{"movie_id": 7, "rating": 5}]})
    assert rated.is_success, rated.text
    for path in ("/v1/users/p-ada/recommendations", "/v1/users/p-ada/predictions/30"):
        assert api.get(path).status_code == 200
        answer = api.get(path, params={"engine": "spark-connect"})
        assert answer.status_code == 422 and "native engine alone" in answer.json()["detail"]
    pairs = {"pairs": [{"user_id": 7, "movie_id": 30}, {"user_id": "p-ada", "movie_id": 30}]}
    answer = api.post("/v1/predictions", json=pairs, params={"engine": "spark-connect"})
    assert answer.status_code == 422 and "native engine alone" in answer.json()["detail"]


def test_the_worker_answers_nobody_without_the_secret(connect_worker, native):
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        answer = httpx.get(address(connect_worker) + LIST, headers=headers)
        assert answer.status_code == 401, answer.text
    for path in ("/livez", "/readyz"):
        assert httpx.get(address(connect_worker) + path).status_code == 200
    shown = {"Authorization": f"Bearer {SECRET}"}
    assert httpx.get(address(connect_worker) + LIST, headers=shown, timeout=60).status_code == 200
    with running(with_engine(native, address(connect_worker), "wrong")) as client:
        assert client.get(LIST, params={"engine": "spark-connect"}).status_code == 503


def test_the_worker_keeps_no_ratings(connect_worker):
    shown = {"Authorization": f"Bearer {SECRET}"}
    rating = {"ratings": [{"movie_id": 7, "rating": 5}]}
    answers = [
        httpx.post(f"{address(connect_worker)}/v1/users/p-ada/ratings", json=rating, headers=shown),
        httpx.delete(f"{address(connect_worker)}/v1/users/p-ada", headers=shown),
    ]
    for answer in answers:
        assert answer.status_code == 501 and "the API" in answer.json()["detail"]


def test_models_load_again_after_the_server_was_killed(api, connect_server, connect_worker):
    def answers() -> bool:
        return api.get(LIST, params={"engine": "spark-connect"}).status_code == 200

    before = api.get(LIST, params={"engine": "spark-connect"})
    assert before.status_code == 200
    connect_server.kill(signal.SIGKILL)
    lost = api.get(LIST, params={"engine": "spark-connect"})
    assert lost.status_code == 503 and lost.headers["Retry-After"] == "10"
    assert "lost" in lost.json()["detail"] or "does not answer" in lost.json()["detail"]
    assert api.get(LIST).status_code == 200
    ready = httpx.get(f"{address(connect_worker)}/readyz", timeout=10)
    assert ready.status_code == 503 and "the engine is away" in ready.json()["detail"]
    connect_server.start()
    eventually(answers, connect_worker)
    after = api.get(LIST, params={"engine": "spark-connect"})
    assert after.json() == before.json()
    assert is_ready(connect_worker)
