"""How fast a generation is published to CouchDB, and how long a reader waits meanwhile.

    python -m bench.document_speed [--rows 20000] [--url http://host:5984] [--out FILE]

A made-up recommender of so many ratings (`bench.made_up_bundle`) and a small budget bundle are
published, then a second generation of the same size while a reader asks for random documents; each
reading takes the pointer, and then three documents, which must be of one generation. Without
`--url` the server is pouchdb-server, the stand-in of the tests (Node 20): its figures say nothing
about CouchDB. (The file is not named `documents`, so that no script of this folder imports it for
the room.)
"""

from __future__ import annotations

import argparse
import json
import os
import random
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.made_up_bundle import write_folder
from bench.resource_use import measured
from documents.couch import Couch
from documents.generation import answering, documents_of, read_pair
from documents.publication import publish
from marquee.document_settings import DocumentsSettings
from marquee.lake import World, claim_world, open_lake
from marquee.settings import REPOSITORY, load_settings
from tests.plugins.couch_server import CouchServer, pouchdb_server
from tests.serving.serving_bundles import promote_budget, promote_folder

SEED = 20200229


@dataclass
class Reader(threading.Thread):
    """Asks for the pointer and three random documents, again and again."""

    settings: DocumentsSettings
    stop: threading.Event = field(default_factory=threading.Event)
    milliseconds: list[float] = field(default_factory=list)
    mixed: int = 0
    lost: int = 0

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        generator = random.Random(SEED)
        with Couch(self.settings) as couch:
            names = [name for page in couch.rows(str(_current(couch))) for name, _ in page]
            tails = [name.partition(":")[2] for name in names]
            while not self.stop.is_set():
                started = time.perf_counter()
                generation = _current(couch)
                asked = [f"{generation}:{tail}" for tail in generator.sample(tails, 3)]
                found = [couch.get(name) for name in asked]
                self.milliseconds.append((time.perf_counter() - started) * 1000)
                self.lost += sum(one is None for one in found)
                self.mixed += len({one["generation"] for one in found if one}) > 1


def _current(couch: Couch) -> Any:
    pointer = couch.get("current")
    return pointer and pointer["generation"]


def measure(settings: DocumentsSettings, server: str, rows: int, folder: Path) -> dict[str, Any]:
    """Documents a second of the answers alone, of a publication, of one repeated; the reader."""
    lake = open_lake(f"file://{folder / 'lake'}")
    claim_world(lake, World("made-up", False, None))
    write_folder(folder / "one", rows, SEED, split=False)
    write_folder(folder / "two", rows, SEED + 1, split=False)
    promote_folder(lake, "recommender", folder / "one" / "shipped")
    promote_budget(lake, folder / "budget")
    pair, quiet = read_pair(lake), lambda text: None
    with answering(lake, pair) as backend:
        answers, total = _timed(lambda: sum(1 for _ in documents_of(backend, "g", settings.top_n)))
    with Couch(settings) as couch:
        publication, _ = _timed(lambda: publish(lake, couch, quiet))
        repeated, _ = _timed(lambda: publish(lake, couch, quiet, replace=True))
        promote_folder(lake, "recommender", folder / "two" / "shipped")
        reader = Reader(settings)
        reader.start()
        under_load, _ = _timed(lambda: publish(lake, couch, quiet))
        reader.stop.set()
        reader.join()
    own = {"URL": settings.url, "DATABASE": f"{settings.database}-again"}
    variables = {f"MARQUEE_DOCUMENTS__{name}": text for name, text in own.items()}
    command = [sys.executable, "-m", "documents", "--lake", lake.root, "--webhdfs", ""]
    process = subprocess.Popen(command, cwd=REPOSITORY, env=os.environ | variables)
    with measured(process.pid) as cost:
        if process.wait():
            raise SystemExit(f"error: the publication ended with {process.returncode}")
    p50, p99 = np.percentile(reader.milliseconds, [50, 99])
    return {
        "server": server,
        "documents": total,
        "answers_a_second": total / answers,
        "published_a_second": total / publication,
        "written_a_second": total / max(publication - answers, 1e-9),
        "repeated_a_second": total / repeated,
        "with_a_reader_a_second": total / under_load,
        "publication_peak_mb": cost.peak_mb,
        "readings": len(reader.milliseconds),
        "mixed": reader.mixed,
        "lost": reader.lost,
        "reading_p50_ms": float(p50),
        "reading_p99_ms": float(p99),
    }


def _timed(call: Any) -> tuple[float, Any]:
    started = time.perf_counter()
    found = call()
    return time.perf_counter() - started, found


@contextmanager
def server_at(url: str, folder: Path) -> Iterator[tuple[str, str]]:
    """The address and the name of the server: the given one, else the stand-in."""
    if url:
        yield url, "the server of --url"
        return
    server = CouchServer(pouchdb_server(), folder / "couch")
    server.start()
    yield server.url, "pouchdb-server 4.2.0, a stand-in for CouchDB"
    server.kill()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.document_speed", description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000, help="ratings (default %(default)s)")
    parser.add_argument("--url", default="", help="a CouchDB; its login as for marquee documents")
    parser.add_argument("--out", type=Path, help="also write the figures as JSON")
    options = parser.parse_args()
    settings = load_settings().documents
    with tempfile.TemporaryDirectory() as scratch, server_at(options.url, Path(scratch)) as found:
        given = {"url": found[0], "database": f"bench-{secrets.token_hex(6)}"}
        figures = measure(settings.model_copy(update=given), found[1], options.rows, Path(scratch))
    for name, value in figures.items():
        print(f"{name:24} {value:,.1f}" if isinstance(value, float) else f"{name:24} {value}")
    if options.out:
        options.out.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
