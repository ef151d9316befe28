"""Broker, server and load, killed (SIGKILL) at random moments: each event is in training once.

A real server takes ratings and publishes them to a real broker; a kiosk of somebody else's writes
to the same topic, sometimes nonsense; loads in processes of their own read the topic. At the end
Spark reads what a run would train on. `python -m tests.drill.feedback_kill LAKE ADDRESS` is a load.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from broker.client import Brokers, Topic
from broker.feedback_outbox import Outbox
from broker.feedback_topic import take_feedback
from broker.refused_messages import send_refused
from local_stack.java_setup import cache_folder, fetch_listed, java_home
from local_stack.kafka import JARS
from marquee.clock import seconds
from marquee.errors import AwayError
from marquee.identifiers import person_id
from marquee.lake import Lake, World, claim_world, open_lake
from marquee.settings import REPOSITORY, load_settings
from sources.feedback_in_lake import publish_feedback
from tests.drill.rounds import Drill, Figures
from tests.plugins.free_ports import free_port
from tests.plugins.kafka_broker import Broker

SCALE = (0.5, 5.0)
TOPIC = "drill.feedback"
EVENTS_A_KILL = 12
SECONDS_BEFORE_KILL = 1.0
"""Of at most; the events of a round take as long."""
VICTIMS = ("broker", "server", "load")
SECONDS_TO_RECOVER = 400


def load(lake: Lake, address: str) -> None:
    """What a run's load does with the topic."""
    brokers, refused = Brokers(address), Topic(f"{TOPIC}.refused")
    brokers.ensure_topics([Topic(TOPIC)])
    sent = send_refused(lake, brokers, TOPIC, refused)
    take_feedback(lake, brokers, TOPIC, SCALE, sent)
    send_refused(lake, brokers, TOPIC, refused)


class Server:
    """The API, as a process that may be killed and started again at its address."""

    def __init__(self, lake: Lake, folder: Path, address: str) -> None:
        self.feedback, port = folder / "feedback", free_port()
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)
        flags = ["--port", str(port), "--lake", lake.root, "--webhdfs", ""]
        flags += ["--cache", str(folder / "cache"), "--feedback", str(self.feedback)]
        self._words = [sys.executable, "-m", "serving", *flags]
        self._environment = os.environ | {
            "MARQUEE_WORLD": "ours",
            "MARQUEE_SERVING__FEEDBACK_MINUTES": "0.05",
            "MARQUEE_KAFKA__BOOTSTRAP": address,
            "MARQUEE_KAFKA__FEEDBACK_TOPIC": TOPIC,
        }
        self._log = (folder / "serving.log").open("ab")
        self._process: subprocess.Popen[bytes] | None = None
        self.cut_off = 0
        """Requests that a kill left without an answer."""

    def start(self) -> None:
        if self._process is None:
            out: dict[str, Any] = {"stdout": self._log, "stderr": self._log}
            self._process = subprocess.Popen(
                self._words, env=self._environment, cwd=REPOSITORY, **out
            )
        wait_until(lambda: self.client.get("/readyz").status_code == 200)

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def rate(self, person: str, stars: float) -> bool:
        """Whether the rating was acknowledged."""
        with suppress(httpx.HTTPError):
            given = {"ratings": [{"movie_id": 1, "rating": stars}]}
            return self.client.post(f"/v1/users/{person}/ratings", json=given).status_code == 202
        self.cut_off += 1
        return False


class Kiosk:
    """Another producer: it sends each message until it is acknowledged."""

    def __init__(self, address: str) -> None:
        self._brokers = Brokers(address)
        self.events = 0
        self.nonsense = 0
        self._owed: list[bytes] = []

    def speak(self, chance: random.Random) -> None:
        if chance.random() < 0.3:
            self.nonsense += 1
            self._owed.append(f"nonsense {self.nonsense}".encode())
        else:
            self.events += 1
            self._owed.append(json.dumps(self._event(self.events)).encode())
        self.send()

    def send(self) -> bool:
        """Send what is owed; what may have arrived already is sent again."""
        if not self._owed:
            return True
        failed: list[object] = []
        producer = self._brokers.producer(delivery_timeout_ms=3000)
        for value in self._owed:
            producer.produce(TOPIC, value, b"kiosk", on_delivery=lambda e, _: failed.append(e))
        producer.flush()
        if not any(failed):
            self._owed.clear()
        return not self._owed

    @staticmethod
    def _event(number: int) -> dict[str, object]:
        known = {"version": 1, "server": "kiosk", "seq": number, "person": f"p-kiosk-{number}"}
        return {**known, "movie_id": 1, "rating": 4.0, "time": int(seconds())}


def run(seed: int, kills: int, folder: Path) -> Figures:
    """Kill one of the three `kills` times, each while ratings come and a load reads."""
    chance = random.Random(seed)
    settings = load_settings("local")
    os.environ.setdefault("JAVA_HOME", str(java_home(cache_folder(settings))))
    fetch_listed(JARS, settings)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        lake, broker = open_lake(f"file://{place}/lake"), Broker(place / "kafka")
        _promote(lake, place)
        server, kiosk = Server(lake, place, broker.address), Kiosk(broker.address)
        killed, acknowledged = Counter[str](), dict[str, float]()
        try:
            broker.start()
            Brokers(broker.address).ensure_topics([Topic(TOPIC)])
            server.start()
            for number in range(kills):
                victim = VICTIMS[number % len(VICTIMS)]
                _round(victim, chance, lake, broker, server, kiosk, acknowledged)
                killed[victim] += 1
            wait_until(kiosk.send)
            server.kill()
            wait_until(_outbox(server, broker.address).publish)  # as the next start would
            for _ in range(2):
                load(lake, broker.address)
            publish_feedback(lake, server.feedback, "local")
            found = _findings(lake, broker.address, server.feedback, kiosk, acknowledged)
        finally:
            server.kill()
            broker.kill()
    kinds = {f"kills_of_{name}": count for name, count in sorted(killed.items())}
    counted = {"acknowledged": len(acknowledged), "cut_off": server.cut_off}
    return {"kills": kills, **kinds, **counted, **found}


def _outbox(server: Server, address: str) -> Outbox:
    return Outbox(lambda: Brokers(address), Topic(TOPIC), server.feedback, "local")


def _round(
    victim: str,
    chance: random.Random,
    lake: Lake,
    broker: Broker,
    server: Server,
    kiosk: Kiosk,
    acknowledged: dict[str, float],
) -> None:
    """One kill at a random moment, in the middle of requests, of publishing and of a load."""
    reading = _start_load(lake, broker.address)
    kill_load = partial(_kill_load, lake, broker.address, chance)
    kill = {"broker": broker.kill, "server": server.kill, "load": kill_load}[victim]
    wait = chance.uniform(0, SECONDS_BEFORE_KILL)
    with ThreadPoolExecutor(1) as beside:
        killed = beside.submit(lambda: (time.sleep(wait), kill()))
        for _ in range(EVENTS_A_KILL):
            person = f"p-{len(acknowledged)}-{chance.randrange(10**9)}"
            stars = chance.randint(1, 10) / 2
            if server.rate(person, stars):
                acknowledged[person] = stars
            if chance.random() < 0.2:
                kiosk.speak(chance)
            time.sleep(chance.uniform(0, 0.1))
        killed.result()
    broker.start()
    server.start()
    said = reading.communicate()[1]
    assert reading.returncode in (0, 75), said


def _start_load(lake: Lake, address: str) -> subprocess.Popen[str]:
    """A load in a process of its own, at work."""
    words = [sys.executable, "-m", "tests.drill.feedback_kill", lake.root, address]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    started = subprocess.Popen(words, cwd=REPOSITORY, text=True, **pipes)
    assert started.stdout is not None
    started.stdout.readline()
    return started


def _kill_load(lake: Lake, address: str, chance: random.Random) -> None:
    """Start loads and kill them; the first that had not ended is the one that counts."""
    for _ in range(100):
        started = _start_load(lake, address)
        time.sleep(chance.uniform(0, SECONDS_BEFORE_KILL / 2))
        started.kill()
        said = started.communicate()[1]
        if started.returncode == -signal.SIGKILL:
            return
        assert started.returncode in (0, 75), said
    raise AssertionError("no load was killed while it was at work")


def _findings(
    lake: Lake, address: str, feedback: Path, kiosk: Kiosk, acknowledged: dict[str, float]
) -> Figures:
    """What Spark reads for training, and what is on the topic of refused messages."""
    uris = [lake.uri(f"raw/feedback/{leaf}/feedback.jsonl") for leaf in lake.names("raw/feedback")]
    over_topic = [uri for uri in uris if "/topic-" in uri]
    both, alone = _trained(uris), _trained(over_topic)
    wanted = {person_id(person): stars for person, stars in acknowledged.items()}
    events = {person_id(f"p-kiosk-{n}"): 4.0 for n in range(1, kiosk.events + 1)}
    wanted |= events
    missing = sum(both.get(user) != [stars] for user, stars in wanted.items())
    missing += sum(len(lines) != 1 for user, lines in both.items() if user not in wanted)
    late = sum(alone.get(user) != [stars] for user, stars in wanted.items())
    sent = Counter(one for one in _values(address, TOPIC) if one.startswith("nonsense"))
    refused = Counter(_values(address, f"{TOPIC}.refused"))
    lost = (sent - refused).total() + (refused - sent).total()
    lines = sum(path.read_text().count("person") for path in feedback.glob("local-*.jsonl"))
    return {
        "lines_of_the_server": lines,
        "events_of_the_kiosk": kiosk.events,
        "segments": len(uris),
        "over_the_topic": len(over_topic),
        "not_once_in_training": missing,
        "not_once_by_topic_alone": late,
        "nonsense": sent.total(),
        "nonsense_not_refused_once": lost,
        "failures": missing + late + lost + int(len(sent) != kiosk.nonsense),
    }


def _trained(uris: list[str]) -> dict[int, list[float]]:
    """By person, the stars of each line that training would see."""
    from pyspark.sql import SparkSession

    from spark_apps.preparation.raw_ratings import read_feedback

    session = SparkSession.builder.master("local[2]").getOrCreate()
    session.conf.set("spark.sql.shuffle.partitions", "2")
    found: dict[int, list[float]] = {}
    for row in read_feedback(session, uris).select("user_id", "rating").collect():
        found.setdefault(int(row.user_id), []).append(float(row.rating))
    return found


def _values(address: str, topic: str) -> list[str]:
    """The committed messages of a topic."""
    brokers = Brokers(address)
    brokers.ensure_topics([Topic(topic)])
    consumer = brokers.consumer()
    bound = brokers.offsets(consumer, topic)[0]
    brokers.read_from(consumer, topic, {0: bound.earliest})
    found = [bytes(one.value()).decode() for one in brokers.until_end(consumer, topic)]
    consumer.close()
    return found


def _promote(lake: Lake, folder: Path) -> None:
    """A champion, so that the server takes ratings."""
    sys.path.append(str(REPOSITORY / "tests" / "serving"))
    from serving_bundles import promote_recommender

    promote_recommender(lake, folder / "champion")
    claim_world(lake, World("ours"))


def wait_until(holds: Any) -> None:
    """Ask until it holds; an error of HTTP or of Kafka means that it does not yet."""
    until = time.monotonic() + SECONDS_TO_RECOVER
    while True:
        with suppress(httpx.HTTPError, AwayError):
            if holds():
                return
        assert time.monotonic() < until, "it did not recover"
        time.sleep(0.1)


def main() -> int:
    """One load, as a process; its first line says that it is at work."""
    print("reading", flush=True)
    try:
        load(open_lake(sys.argv[1]), sys.argv[2])
    except AwayError as error:
        print(f"error: {error}", file=sys.stderr)
        return 75
    return 0


FEEDBACK_KILL = Drill(
    "each rating, and each event of another producer, is in training once, by the topic alone too",
    count=60,
    a_round=30,
    run=run,
)

if __name__ == "__main__":
    sys.exit(main())
