"""Questions over topics, end to end: the plain loop and the micro-batches of Spark.

    python -m bench.streams [--requests 5000] [--rate 50] [--how loop,spark] [--bundles FOLDER]

A broker of its own, a lake with small made-up models (or the two bundles `recommender` and `budget`
in FOLDER), and the process that answers. *Requests a second*: all are sent at once, until the last
committed answer is read. *Latency*: at a steady rate, from sending a request until its committed
answer is read. The first requests of each kind are not counted.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bench.resource_use import measured
from local_stack.java_setup import fetch_listed
from local_stack.kafka import JARS
from marquee.lake import Lake, open_lake
from marquee.settings import load_settings
from streams.messages import request_message
from tests.plugins.kafka_broker import Broker
from tests.serving.serving_bundles import promote_folder
from tests.streams.stream_rig import AnswerReader, Said, StreamRig, made_up_lake

QUESTIONS: dict[str, Said] = {
    "budget-estimate": ("budget-estimate", {"genres": ["Comedy"], "year": 2020}),
    "prediction": ("prediction", {"user_id": 10, "movie_id": 5}),
    "recommendations": ("recommendations", {"user_id": 20, "n": 10}),
}
WARM = 200
"""Requests of each kind before the measurement."""


def main() -> int:
    """Measure, and print one table."""
    options = _options()
    print(f"{'how':<6} {'question':<16} {'requests/s':>10} {'p50 ms':>8} {'p99 ms':>8}")
    for how in options.how.split(","):
        with (
            tempfile.TemporaryDirectory() as scratch,
            rig_of(Path(scratch), options.bundles) as rig,
            ExitStack() as watched,
        ):
            process = rig.start(*arguments(how, rig.folder))
            peak = watched.enter_context(measured(process.pid))
            for name, said in QUESTIONS.items():
                rate, one, late = measure(
                    rig, said, name, options.requests, options.rate, options.seconds
                )
                print(f"{how:<6} {name:<16} {rate:>10.0f} {one:>8.1f} {late:>8.1f}", flush=True)
            watched.close()
            print(f"{how:<6} at its peak {peak.peak_mb:.0f} MB", flush=True)
    return 0


def measure(
    rig: StreamRig, said: Said, name: str, requests: int, rate: float, seconds: float
) -> tuple[float, float, float]:
    """Requests a second, and median and 99th percentile of the milliseconds until an answer."""
    rig.answers(rig.ask([said] * WARM, f"warm-{name}"))
    many = throughput(rig, said, requests, name)
    one, late = np.percentile(latencies(rig, said, rate, seconds, name), [50, 99]) * 1000
    return many, float(one), float(late)


def throughput(rig: StreamRig, said: Said, count: int, start: str) -> float:
    """Requests a second where all wait in the topic: sent at once, until the last is read."""
    with AnswerReader(rig, rig.settings.streams.answers) as reader:
        reader.to_end()
        begun = time.perf_counter()
        wanted = set(rig.ask([said] * count, f"many-{start}"))
        while wanted:
            wanted -= {message["id"] for message in answered(reader.more())}
        return count / (time.perf_counter() - begun)


def latencies(
    rig: StreamRig, said: Said, rate: float, seconds: float, start: str
) -> Sequence[float]:
    """Seconds from sending each request until its answer is read, at a steady rate."""
    sent: dict[str, float] = {}
    waits: list[float] = []
    with AnswerReader(rig, rig.settings.streams.answers) as reader:
        reader.to_end()
        begun = time.perf_counter()
        count = int(rate * seconds)
        while len(waits) < count:
            due = min(count, int((time.perf_counter() - begun) * rate) + 1)
            for number in range(len(sent), due):
                sent[f"one-{start}-{number}"] = time.perf_counter()
                rig.send(request_message(f"one-{start}-{number}", *said))
            ended = [message["id"] for message in answered(reader.more(1 / rate))]
            waits += [time.perf_counter() - sent[name] for name in ended if name in sent]
    return waits


def answered(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages; a problem among them would be measured as if it were an answer."""
    for message in messages:
        if message["status"] != 200:
            raise SystemExit(f"error: {message['id']} is answered with {message['problem']}")
    return messages


@contextmanager
def rig_of(
    folder: Path, bundles: Path | None = None, lake: Lake | None = None
) -> Iterator[StreamRig]:
    """A broker, and topics over a lake; without one over `bundles`, or over made-up models."""
    for jars in (JARS, "spark-kafka"):
        fetch_listed(jars, load_settings("local"))
    broker = Broker(folder / "kafka")
    broker.start()
    try:
        if lake is None:
            lake = made_up_lake(folder) if bundles is None else _lake_of(bundles, folder)
        with closing(StreamRig(broker, lake, folder / "rig")) as rig:
            rig.producer = rig.brokers.producer(linger_ms=0)
            yield rig
    finally:
        broker.kill()


def _lake_of(bundles: Path, folder: Path) -> Lake:
    lake = open_lake(f"file://{folder / 'lake'}")
    for model in ("recommender", "budget"):
        promote_folder(lake, model, bundles / model)
    return lake


def arguments(how: str, folder: Path) -> tuple[str, ...]:
    """Of `python -m streams`."""
    spark = ("spark", "--master", "local[2]", "--checkpoint", str(folder / "checkpoint"))
    return spark if how == "spark" else ()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.streams", description=__doc__)
    parser.add_argument("--requests", type=int, default=5000, help="of each kind (%(default)s)")
    parser.add_argument("--rate", type=float, default=50, help="requests a second (%(default)s)")
    parser.add_argument("--seconds", type=float, default=10, help="of latency (%(default)s)")
    parser.add_argument("--how", default="loop,spark", help="loop, spark or both")
    parser.add_argument("--bundles", type=Path, help="folder with `recommender` and `budget`")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
