"""What the shipped bundle of `bench.scale` costs a server: start, resident memory, a top-10.

    python -m bench.scale_bundle FOLDER

One process with the server's imports loads the bundle, checks its golden answers as the follower
does before it swaps, and recommends ten titles to people drawn at random. The start counts from
the process' own start to the first answer. Prints one line of JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import psutil

import serving.app  # noqa: F401 - a server has these modules in memory
from scoring.recommender.model import Recommender

PEOPLE = 300


def main() -> int:
    """Load, answer, print."""
    model = Recommender.load(Path(sys.argv[1]))
    report = model.check_golden()
    people = np.random.default_rng(1).choice(model.user_ids, PEOPLE).tolist()
    answers = len(model.recommend(int(people[0]), n=10))
    process = psutil.Process(os.getpid())
    start, start_cpu = time.time() - process.create_time(), time.process_time()
    took = []
    for person in people:
        before = time.perf_counter()
        answers += len(model.recommend(int(person), n=10))
        took.append(1000 * (time.perf_counter() - before))
    memory = process.memory_full_info()
    found = {
        "start_seconds": round(start, 2),
        "start_cpu_seconds": round(start_cpu, 2),
        "golden_ok": report.passed,
        "resident_mb": round(memory.rss / 1e6),
        "own_mb": round(memory.uss / 1e6),
        "top10_ms_median": round(float(np.median(took)), 2),
        "top10_ms_95": round(float(np.percentile(took, 95)), 2),
        "answers": answers,
        "bundle_mb": round(sum(p.stat().st_size for p in Path(sys.argv[1]).rglob("*")) / 1e6),
    }
    print(json.dumps(found))
    return int(not answers)


if __name__ == "__main__":
    sys.exit(main())
