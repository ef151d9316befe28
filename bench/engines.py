"""All engines in one table: what an answer costs, how many come, memory, seconds after a start.

    python -m bench.engines [--lake ROOT --webhdfs URL] [--parts native,exports,loop,...]

Without `--lake`, small models are trained for it first, as a run does. Each engine answers alone,
with who asks it on the same cores; Spark Connect, streams and documents are processes of their own.

- *one*, *slowest of 100*: median and 99th percentile from question to answer; of streams at 50
  questions a second, until the committed answer is read
- *a second*: answers where many wait: pairs, films or messages; documents as they are published
- *ready*: from the start of the processes until they answer; *again*: from a start after a kill
- *worst*: the largest difference from the native scorer (log10 dollars)
"""

from __future__ import annotations

import argparse
import json
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path

from bench.connect import FILM, PAIRS, Run, loaded, times
from bench.document_speed import measure as measure_documents
from bench.document_speed import server_at
from bench.exports import measure_bundle
from bench.spark_session import spark_session
from bench.streams import arguments, rig_of
from bench.streams import measure as measure_stream
from local_stack.processes import memory_mb
from marquee.lake import Lake, open_lake
from marquee.settings import load_settings
from serving.backend import Backend, current_champion, open_backend
from serving.bundle_cache import BundleCache
from serving.questions import answer_question
from streams.messages import stream_caller
from tests.connect.trained_lake import trained_lake
from tests.streams.stream_rig import Said

REQUESTS, RATE, SECONDS = 5_000, 50.0, 10.0
"""Of streams: how many wait at once, how many a second come otherwise, and for how long."""


@dataclass(frozen=True)
class Cost:
    """A line of the table; milliseconds, answers a second, megabytes, seconds."""

    engine: str
    question: str
    one: float | None = None
    slowest_of_100: float | None = None
    a_second: float | None = None
    mb: float | None = None
    ready: float | None = None
    again: float | None = None
    worst: float | None = None


@dataclass(frozen=True)
class Place:
    """The lake that is asked, and a folder for one engine."""

    lake: Lake
    webhdfs: str
    folder: Path

    def backend(self) -> Backend:
        """The native engine, with both models loaded."""
        return loaded(open_backend(self.lake, self.folder / "own", self.folder / "feedback"))


def questions(backend: Backend) -> dict[str, Said]:
    """What an engine is asked, of the first person and title of the lake."""
    model = current_champion(backend.recommender).model.recommender
    person, movie = int(model.user_ids[0]), int(model.movie_ids[0])
    return {
        "stars": ("prediction", {"user_id": person, "movie_id": movie}),
        "a list of ten": ("recommendations", {"user_id": person, "n": 10}),
        "a budget": ("budget-estimate", FILM),
    }


def native(place: Place) -> Iterator[Cost]:
    """NumPy, in this process: what the API does beyond HTTP."""
    started = time.perf_counter()
    backend, caller = place.backend(), stream_caller(("read",))
    ready = time.perf_counter() - started
    for name, said in questions(backend).items():
        one, late = times(partial(answer_question, backend, caller, *said), 500)
        yield Cost("native", name, one, late, 1000 / one, ready=ready)


def exports(place: Place) -> Iterator[Cost]:
    """The champion's widest question in the stock engines."""
    entry = current_champion(place.backend().budget).entry
    folder = BundleCache(place.lake, "budget", place.folder / "own").fetch(entry)
    for row in measure_bundle(folder, 20_000):
        name = "native, rows" if row["engine"] == "native" else row["engine"]
        one, many = row["one row"] / 1000, row["batch"]
        yield Cost(name, "a budget", one, None, many, ready=row["load"], worst=row["worst"])


def connect(place: Place) -> Iterator[Cost]:
    """The job server: Spark Connect and our worker before it."""
    run = Run(place.folder, place.lake.root, place.webhdfs)
    try:
        ready, costs = sum(run.begin()), []
        for name, spark, _ in run.questions():
            one, late = times(spark, 30)
            many = PAIRS / one * 1000 if f"{PAIRS:,}" in name else None
            costs.append(Cost("spark-connect", name, one, late, many))
        held = sum(run.mb(name) for name in run.running)
        again = run.restart()
        for cost in costs:
            yield Cost(**asdict(cost) | {"mb": held, "ready": ready, "again": again})
    finally:
        run.end()


def stream(how: str, place: Place) -> Iterator[Cost]:
    """A stream over a broker of its own."""
    asked = questions(place.backend())
    first = next(iter(asked.values()))
    with rig_of(place.folder, lake=place.lake) as rig:

        def answers(start: str) -> float:
            began = time.perf_counter()
            rig.start(*arguments(how, rig.folder))
            rig.answers(rig.ask([first], start))
            return time.perf_counter() - began

        ready, costs = answers("first"), []
        for name, said in asked.items():
            many, one, late = measure_stream(rig, said, name, REQUESTS, RATE, SECONDS)
            costs.append(Cost(f"stream, {how}", name, one, late, many))
        held = memory_mb([rig.processes[-1].pid])
        rig.end(rig.processes[-1], signal.SIGKILL)
        again = answers("again")
        for cost in costs:
            yield Cost(**asdict(cost) | {"mb": held, "ready": ready, "again": again})


def documents(place: Place) -> Iterator[Cost]:
    """A publication, and a reader of the pointer and three documents meanwhile."""
    with server_at("", place.folder) as (url, server):
        given = {"url": url, "database": f"bench-{secrets.token_hex(6)}"}
        settings = load_settings().documents.model_copy(update=given)
        found = measure_documents(settings, server, 20_000, place.folder)
    if found["mixed"] or found["lost"]:
        raise SystemExit(f"error: {found['mixed']} readings mixed, {found['lost']} lost")
    reading = found["reading_p50_ms"], found["reading_p99_ms"]
    yield Cost(
        f"documents ({server.partition(',')[0]})", "published", a_second=found["published_a_second"]
    )
    yield Cost("…", "pointer and three, meanwhile", *reading)


PARTS: dict[str, Callable[[Place], Iterator[Cost]]] = {
    "native": native,
    "exports": exports,
    "connect": connect,
    "loop": partial(stream, "loop"),
    "spark": partial(stream, "spark"),
    "documents": documents,
}


FORMS = {
    "one": "{:,.3g}",
    "slowest_of_100": "{:,.3g}",
    "a_second": "{:,.0f}",
    "mb": "{:,.0f}",
    "ready": "{:.3g}",
    "again": "{:.3g}",
    "worst": "{:.0e}",
}


def shown(cost: Cost) -> str:
    """A line of Markdown."""
    values = asdict(cost)
    numbers = ("" if values[n] is None else form.format(values[n]) for n, form in FORMS.items())
    return f"| {' | '.join((cost.engine, cost.question, *numbers))} |"


def _train(folder: Path) -> int:
    with spark_session("bench-engines") as spark:
        spark.sparkContext.setCheckpointDir(str(folder / "checkpoints"))
        print(trained_lake(folder, spark).root)
    return 0


def main() -> int:
    """Measure the parts one after the other, and print their table as it grows."""
    parser = argparse.ArgumentParser(prog="python -m bench.engines", description=__doc__)
    parser.add_argument("--lake", default="", help="root of a lake with both champions")
    parser.add_argument("--webhdfs", default="", help="the NameNode's http://host:port")
    parser.add_argument("--parts", default=",".join(PARTS), help="default: %(default)s")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    parser.add_argument("--train", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.train:
        return _train(options.train)
    if unknown := set(options.parts.split(",")) - PARTS.keys():
        parser.error(f"there is no part {', '.join(sorted(unknown))}: name {', '.join(PARTS)}")
    costs: list[Cost] = []
    with tempfile.TemporaryDirectory(prefix="bench-engines-") as scratch:
        root = options.lake
        if not root:
            # A process of its own: its virtual machine must not stand beside what is measured.
            command = [sys.executable, "-m", "bench.engines", "--train", scratch]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            root = f"file://{scratch}/lake"
        names = [field.name.replace("_", " ") for field in fields(Cost)]
        print(f"| {' | '.join(names)} |\n|{'---|' * len(names)}", flush=True)
        for name in options.parts.split(","):
            folder = Path(scratch) / f"part-{name}"
            folder.mkdir()
            place = Place(open_lake(root, options.webhdfs), options.webhdfs, folder)
            for cost in PARTS[name](place):
                costs.append(cost)
                print(shown(cost), flush=True)
    if options.json:
        options.json.write_text(json.dumps([asdict(cost) for cost in costs], indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
