"""A broker that asks who one is: each wrong answer is one line, and nothing is lost meanwhile."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from broker.client import Brokers, Topic, check_brokers
from broker.feedback_outbox import feedback_outbox
from broker.feedback_topic import segments_of
from local_stack.java_setup import fetch_listed, listed_folder
from local_stack.kafka import JARS
from marquee.clock import seconds
from marquee.daemon_settings import KAFKA_PASSWORD, KAFKA_USERNAME
from marquee.errors import SettingsError
from marquee.settings import REPOSITORY, Settings, load_settings
from serving.feedback_log import FeedbackLog
from steps.load_sources import load_feedback
from steps.run import Run
from tests.broker.secure_broker import PLAIN_USER, SecureBroker, write_certificates
from tests.broker.test_feedback_outbox import eventually
from tests.plugins.airflow_process import found_by
from tests.steps.conftest import make_run, release  # noqa: F401

SPOKEN = ("bootstrap", "security", "mechanism", "ca_file", "feedback_topic")
Make = Callable[..., Run]
USER, RIGHT, WRONG = "bob", 'bob\'s "pass" \\ 1', "s3cr3t-but-wrong"


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    """A broker that knows ada by PLAIN and bob by SCRAM; both may use topics feedback…"""
    fetch_listed(JARS, load_settings("local"))
    broker = SecureBroker(tmp_path_factory.mktemp("secure"))
    broker.start()
    broker.set_password(USER, RIGHT)
    for user in (USER, *PLAIN_USER):
        broker.allow(user, "feedback")
    yield broker
    broker.kill()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks in vain waits a short while."""
    monkeypatch.setattr("broker.client.SECONDS_TO_ANSWER", 3.0)


@pytest.fixture
def as_bob(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KAFKA_USERNAME, USER)
    monkeypatch.setenv(KAFKA_PASSWORD, RIGHT)


def login(password: str, user: str = USER) -> Callable[[], dict[str, str]]:
    """What Airflow's connection gives."""
    return lambda: {KAFKA_USERNAME: user, KAFKA_PASSWORD: password}


def tls(broker: SecureBroker, authority: Path) -> dict[str, Any]:
    """`[kafka]` for the listener with TLS."""
    address = f"127.0.0.1:{broker.tls}"
    return {"bootstrap": address, "security": "sasl_ssl", "ca_file": str(authority)}


def at(run: Run, settings: Settings) -> Run:
    """The run, at a place with the Kafka of these settings."""
    return replace(run, settings=run.settings.model_copy(update={"kafka": settings.kafka}))


def put(settings: Settings, *values: object, by: Callable[[], dict[str, str]]) -> None:
    producer = Brokers.of(settings, by).producer()
    for value in values:
        producer.produce(settings.kafka.feedback_topic, json.dumps(value).encode(), b"p-ada")
    assert producer.flush(30) == 0


def event(seq: int) -> dict[str, object]:
    known = {"version": 1, "server": "kiosk", "seq": seq, "person": "p-ada", "movie_id": 10}
    return {**known, "rating": 4.5, "time": int(seconds())}


def is_one_clear_line(error: object, *words: str) -> None:
    text = str(error)
    assert all(word in text for word in words), text
    assert "\n" not in text and " — " in text and "start Kafka" not in text, text
    assert not any(secret in text for secret in (RIGHT, WRONG, *PLAIN_USER.values())), text


@pytest.mark.parametrize("how", ["SCRAM", "PLAIN", "SCRAM over TLS", "PLAIN over TLS"])
def test_with_the_right_login_a_run_loads_what_the_api_published(
    how: str,
    secure: SecureBroker,
    make_run: Make,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values: dict[str, Any] = tls(secure, secure.authority) if "TLS" in how else {}
    user, password = USER, RIGHT
    if "PLAIN" in how:
        values["mechanism"] = "PLAIN"
        ((user, password),) = PLAIN_USER.items()
    settings = secure.settings(secure.topic("feedback"), **values)
    run = at(make_run("right"), settings)
    monkeypatch.setenv(KAFKA_USERNAME, user)
    monkeypatch.setenv(KAFKA_PASSWORD, password)
    log = FeedbackLog(run.folders.feedback, "local")
    log.write("p-bob", {10: 3.0})
    outbox = feedback_outbox(settings, log.folder, log.server, log.written)
    assert outbox is not None and outbox.publish(), outbox and outbox.failure
    put(settings, event(1), {"version": 2}, by=dict)
    # A connection's login comes before the environment's, which serving has.
    monkeypatch.setenv(KAFKA_USERNAME, "nobody")
    monkeypatch.setenv(KAFKA_PASSWORD, WRONG)
    found = load_feedback(run, login(password, user))
    assert found == {"paths": 2, "events": 2, "refused": 1}


def test_with_a_wrong_password_a_run_says_so_at_once_and_the_next_one_has_all(
    secure: SecureBroker,
    make_run: Make,  # noqa: F811
    hasty: None,
) -> None:
    settings = secure.settings(secure.topic("feedback"))
    run = at(make_run("wrong"), settings)
    FeedbackLog(run.folders.feedback, "local").write("p-bob", {10: 3.0})
    load_feedback(at(make_run("first"), settings), login(RIGHT))
    put(settings, event(1), by=login(RIGHT))
    with pytest.raises(SettingsError) as caught:
        load_feedback(run, login(WRONG))
    is_one_clear_line(caught.value, "refuses the user 'bob'", KAFKA_PASSWORD, "marquee_kafka")
    assert len(run.lake.names("raw/feedback")) == 1, "the segments of this host are loaded"
    assert load_feedback(run, login(RIGHT))["events"] == 1


WRONGS = {
    "a wrong password": ({}, WRONG, "refuses the user 'bob'", "MARQUEE_KAFKA_PASSWORD"),
    "a wrong mechanism": ({"mechanism": "SCRAM-SHA-256"}, RIGHT, "SCRAM-SHA-256", "mechanism"),
    "a wrong authority": ({"ca_file": "other.pem"}, RIGHT, "certificate verify failed", "ca_file"),
    "no such file": ({"ca_file": "none.pem"}, RIGHT, "none.pem cannot be read: No such", "PEM"),
}


@pytest.mark.parametrize("wrong", WRONGS)
def test_the_doctor_and_a_server_say_what_is_wrong(
    wrong: str,
    secure: SecureBroker,
    hasty: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    values, password, *words = WRONGS[wrong]
    if "ca_file" in values:
        write_certificates(tmp_path / "broker.pem", tmp_path / "other.pem")
        values = tls(secure, tmp_path / values["ca_file"])
    settings = secure.settings(secure.topic("feedback"), **values)
    monkeypatch.setenv(KAFKA_USERNAME, USER)
    monkeypatch.setenv(KAFKA_PASSWORD, password)
    (finding,) = check_brokers(settings)
    assert not finding.passed
    is_one_clear_line(finding, *words)
    log = FeedbackLog(tmp_path / "feedback", "local")
    log.write("p-bob", {10: 3.0})
    outbox = feedback_outbox(settings, log.folder, log.server, log.written)
    assert outbox is not None and not outbox.publish() and outbox.waiting == 1
    is_one_clear_line(outbox.failure, *words)


def test_a_topic_that_is_not_allowed_is_named_and_nothing_is_lost(
    secure: SecureBroker,
    make_run: Make,  # noqa: F811
) -> None:
    settings = secure.settings(secure.topic("feedback"))
    run, topic = at(make_run("acl"), settings), settings.kafka.feedback_topic
    load_feedback(run, login(RIGHT))
    put(settings, event(1), {"version": 2}, by=login(RIGHT))
    for one in (topic, f"{topic}.refused"):
        secure.refuse(USER, one)
        with pytest.raises(SettingsError) as caught:
            load_feedback(run, login(RIGHT))
        is_one_clear_line(caught.value, f"topic {one} ", "refuses the user 'bob'", "rights")
        secure.forgive(USER, one)
    assert len(segments_of(run.lake, topic)) == 1, "what was read before the refusal is kept"
    assert load_feedback(run, login(RIGHT))["events"] == 0
    brokers = Brokers.of(settings, login(RIGHT))
    consumer = brokers.consumer()
    brokers.read_from(consumer, f"{topic}.refused", {0: 0})
    values = [one.value() for one in brokers.until_end(consumer, f"{topic}.refused")]
    assert values == [b'{"version": 2}'], "the refused message is on its way once"
    consumer.close()


def test_a_server_goes_on_when_its_password_is_right_again(
    secure: SecureBroker,
    make_run: Make,  # noqa: F811
    hasty: None,
    as_bob: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("broker.feedback_outbox.SECONDS_BETWEEN_ATTEMPTS", 0.5)
    settings = secure.settings(secure.topic("feedback"))
    run = at(make_run("again"), settings)
    log = FeedbackLog(run.folders.feedback, "local")
    outbox = feedback_outbox(settings, log.folder, log.server, log.written)
    assert outbox is not None
    outbox.start()
    try:
        log.write("p-bob", {10: 3.0})
        eventually(lambda: outbox.published == 1)
        secure.set_password(USER, "another one")
        secure.kill()  # a connection that stands is not asked again
        secure.start()
        log.write("p-bob", {10: 4.0})
        eventually(lambda: "refuses the user 'bob'" in outbox.failure)
        is_one_clear_line(outbox.failure, "ratings are kept", KAFKA_PASSWORD)
        secure.set_password(USER, RIGHT)
        eventually(lambda: outbox.failure == "" and outbox.waiting == 0)
    finally:
        outbox.request_stop()
        secure.set_password(USER, RIGHT)
    assert load_feedback(run, login(RIGHT))["events"] == 2


SPARK = """
import json, os, sys
from pathlib import Path
from marquee.settings import load_settings
from streams.sessions import why_ended
from marquee.process_secrets import java_kafka_security
from streams.spark_batches import start_session
jars, folder, places = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
session = start_session("local[1]", "512m", jars, folder)
options = {"startingOffsets": "earliest", "endingOffsets": "latest"}
options |= {f"kafka.{n}.timeout.ms": "10000" for n in ("request", "default.api", "metadata")}
for place, variables in places.items():
    os.environ.update(variables)
    kafka = load_settings().kafka
    options |= {"subscribe": kafka.feedback_topic, "kafka.bootstrap.servers": kafka.bootstrap}
    try:
        frame = session.read.format("kafka").options(**options | java_kafka_security(kafka)).load()
        print(f"{place}:", [bytes(row.value) for row in frame.collect()])
    except Exception as error:
        print(f"{place}: {why_ended(str(error))}")
"""


def test_sparks_own_client_shows_the_same_login(
    secure: SecureBroker, as_bob: None, tmp_path: Path
) -> None:
    fetch_listed("spark-kafka", load_settings("local"))
    settings = secure.settings(secure.topic("feedback"))
    Brokers.of(settings).ensure_topics([Topic(settings.kafka.feedback_topic)])
    put(settings, "asked", by=dict)
    ((user, password),) = PLAIN_USER.items()
    places = {
        "PLAIN": ({"mechanism": "PLAIN"}, user, password),
        "SCRAM": ({}, USER, RIGHT),
        "TLS": (tls(secure, secure.authority), USER, RIGHT),
        "wrong": ({}, USER, WRONG),
    }
    given = {
        place: {
            **{
                f"MARQUEE_KAFKA__{name.upper()}": str(value)
                for name, value in settings.kafka.model_copy(update=values)
                if name in SPOKEN
            },
            KAFKA_USERNAME: user,
            KAFKA_PASSWORD: password,
        }
        for place, (values, user, password) in places.items()
    }
    jars = str(listed_folder("spark-kafka", load_settings("local")))
    done = subprocess.run(
        [sys.executable, "-c", SPARK, jars, str(tmp_path), json.dumps(given)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    *right, wrong = done.stdout.splitlines() or [done.stderr]
    assert right == [f"{place}: [b'\"asked\"']" for place in ("PLAIN", "SCRAM", "TLS")], wrong
    assert wrong.startswith("wrong: Kafka refuses Spark's client: ")
    assert not any(secret in done.stdout + done.stderr for secret in (RIGHT, WRONG))


SCRIPT = """
import json, os, sys
from airflow.sdk._shared.secrets_masker import redact
import marquee_airflow.runs as module
from marquee.errors import MarqueeError
found = {"none": module.kafka_login()}
for name, given in json.loads(sys.argv[1]).items():
    os.environ["AIRFLOW_CONN_MARQUEE_KAFKA"] = json.dumps({"conn_type": "generic", **given})
    try:
        found[name] = module.kafka_login()
    except MarqueeError as error:
        found[name] = str(error)
found["log"] = redact("its password is hunter2-of-bob")
"""


def test_a_connection_of_airflow_gives_the_login_and_its_password_is_masked(tmp_path: Path) -> None:
    both = {"login": USER, "password": "hunter2-of-bob"}
    halves = {"no password": {"login": USER}, "no login": {"password": "hunter2-of-bob"}}
    given = json.dumps({"both": both, "empty": {}, **halves})
    found = found_by(SCRIPT, tmp_path, given)
    assert found["none"] == found["empty"] == {}
    assert found["both"] == {KAFKA_USERNAME: USER, KAFKA_PASSWORD: "hunter2-of-bob"}
    for what in halves:
        assert found[what].startswith(f"Airflow's connection marquee_kafka has {what} — give it")
    assert found["log"] == "its password is ***"
