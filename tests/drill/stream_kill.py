"""Streams of questions, killed at random moments: every request is answered exactly once.

A part kills one thing (SIGKILL) again and again while requests come in: the plain loop, the driver
of Spark's micro-batches, or the broker under either. `gap` takes away what Spark recorded of its
last batch, which is written; every third time it takes the whole checkpoint. `anew_under_…` deletes
the topic of requests and makes it anew, with more or fewer partitions, while requests come in and
the stream runs, is stopped or is killed. A reader of committed messages must find one answer to
each request, and at most one to those that were deleted with their topic.
"""

from __future__ import annotations

import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from local_stack.java_setup import fetch_listed
from local_stack.kafka import JARS
from marquee.settings import load_settings
from tests.drill.rounds import Figures, NamedDrill
from tests.plugins.kafka_broker import Broker
from tests.streams.stream_rig import Said, StreamRig, made_up_lake

KILLS = 20
"""Of each part."""
REQUESTS = 60
"""Between two kills."""
MIXED: list[Said] = [
    ("budget-estimate", {"year": 2020}),
    ("prediction", {"user_id": 10, "movie_id": 5}),
    ("recommendations", {"user_id": 20, "n": 3}),
    ("title", {"movie_id": 999}),
]
SPARK = {"MARQUEE_STREAMS__SPARK_SECONDS": "0.1", "MARQUEE_STREAMS__SPARK_BATCH": "40"}
LOOP = {"MARQUEE_STREAMS__BATCH": "20"}


def kill_process(rig: StreamRig, rng: random.Random, how: Sequence[str], kills: int) -> list[str]:
    """Kill what answers, and start it again while more requests come."""
    ids: list[str] = []
    for number in range(kills):
        process = rig.start(*how)
        ids += rig.ask(rng.choices(MIXED, k=REQUESTS), f"kill-{number}")
        rig.answers([rng.choice(ids[-REQUESTS:])])  # it is at work
        time.sleep(rng.uniform(0, 0.3))
        rig.end(process, signal.SIGKILL)
    return ids


def kill_broker(rig: StreamRig, rng: random.Random, how: Sequence[str], kills: int) -> list[str]:
    """Kill the broker under what answers; it must go on by itself."""
    ids: list[str] = []
    process = rig.start(*how)
    for number in range(kills):
        ids += rig.ask(rng.choices(MIXED, k=REQUESTS), f"broker-{number}")
        rig.answers([rng.choice(ids[-REQUESTS:])])
        time.sleep(rng.uniform(0, 0.3))
        rig.broker.kill()
        rig.broker.start()
        assert process.poll() is None, rig.log()
    assert rig.end(process) == 0
    return ids


def lose_record(rig: StreamRig, rng: random.Random, how: Sequence[str], kills: int) -> list[str]:
    """Take away what Spark recorded of batches that are written."""
    ids: list[str] = []
    checkpoint = rig.folder / "checkpoint"
    for number in range(kills):
        process = rig.start(*how)
        ids += rig.ask(rng.choices(MIXED, k=REQUESTS), f"gap-{number}")
        rig.answers(ids[-REQUESTS:])
        rig.end(process, rng.choice((signal.SIGKILL, signal.SIGTERM)))
        if number % 3 == 2:
            shutil.rmtree(checkpoint)
            continue
        left = checkpoint.glob("session-*/commits/[0-9]*")  # an end in order leaves none
        done = sorted(left, key=lambda path: (path.stat().st_mtime, int(path.name)))
        for path in done[-rng.randint(1, 2) :]:
            path.unlink()
            (path.parent / f".{path.name}.crc").unlink(missing_ok=True)
    return ids


def make_anew(rig: StreamRig, rng: random.Random, how: Sequence[str], kills: int) -> list[str]:
    """Delete the topic of requests and make it anew, under what answers, or while that is away."""
    ids: list[str] = []
    process = rig.start(*how)
    for number in range(kills):
        old = rig.ask(rng.choices(MIXED, k=REQUESTS), f"old-{number}")
        rig.answers([rng.choice(old)])
        rig.may_be_lost |= set(old)
        signals = rng.choice(([], [signal.SIGTERM], [signal.SIGKILL]))
        for one in signals:
            rig.end(process, one)
        rig.make_anew(rng.randint(1, 4), rng.choice((0.0, 0.5, 2.0)))
        new = rig.ask(rng.choices(MIXED, k=rng.randint(1, 3 * REQUESTS)), f"new-{number}")
        if signals:
            process = rig.start(*how)
        rig.answers(new)
        ids += new
    assert rig.end(process) == 0
    return ids


Fault = Callable[[StreamRig, random.Random, Sequence[str], int], list[str]]
PARTS: dict[str, tuple[Fault, bool]] = {
    "loop": (kill_process, False),
    "broker_under_loop": (kill_broker, False),
    "spark": (kill_process, True),
    "broker_under_spark": (kill_broker, True),
    "gap": (lose_record, True),
    "anew_under_loop": (make_anew, False),
    "anew_under_spark": (make_anew, True),
}
"""By name: what is done, and whether Spark answers."""


def run_part(name: str, seed: int, kills: int, folder: Path) -> Figures:
    """One part: its faults, then a calm end; what became of its requests."""
    fault, is_spark = PARTS[name]
    fetch_listed(JARS, load_settings("local"))
    fetch_listed("spark-kafka", load_settings("local"))
    broker = Broker(folder / "kafka")
    broker.start()
    rig = StreamRig(broker, made_up_lake(folder), folder / "rig", SPARK if is_spark else LOOP)
    spark = ("spark", "--checkpoint", str(folder / "rig" / "checkpoint"), "--master", "local[2]")
    how = spark if is_spark else ()
    try:
        with closing(rig):
            ids = fault(rig, random.Random(f"{seed} {name}"), how, kills)
            process = rig.start(*how)
            rig.answers(ids)
            rig.end(process)
            return judged(ids, rig.all_answers(), kills, rig.may_be_lost)
    finally:
        broker.kill()


def judged(ids: Sequence[str], found: Counter[str], kills: int, may_be_lost: set[str]) -> Figures:
    """How many requests have no answer, more than one, or were never asked."""
    lost = len(set(ids) - found.keys())
    twice = sum(count > 1 for count in found.values())
    strange = len(found.keys() - set(ids) - may_be_lost)
    figures = {"kills": kills, "requests": len(ids), "lost": lost, "twice": twice}
    return {**figures, "failures": lost + twice + strange + (not ids)}


def run(seed: int, parts: Sequence[str], folder: Path) -> Figures:
    """All the parts that are wanted; their sum."""
    total: Counter[str] = Counter()
    for name in parts:
        with tempfile.TemporaryDirectory() as scratch:
            figures = run_part(name, seed, KILLS, Path(scratch))
        print(f"stream: {name}: {figures}", flush=True, file=sys.stderr)
        total.update(figures)
    return dict(total)


STREAM = NamedDrill(
    "every request is answered exactly once for a reader of committed messages",
    parts=tuple(PARTS),
    run=run,
)
