"""What a bundle costs a server: start, memory, a promotion beside what serves, a top-10.

    python -m bench.scale_bundle FOLDER

The process has a server's imports. It loads the bundle as the follower does (arrays and golden
answers checked, titles indexed), recommends ten titles to people drawn at random, and loads the
bundle once more beside the first, as at a promotion. The start counts from the process' own start
to the first answer. Prints one line of JSON. `bench.made_up_bundle` makes bundles of any size.

`resident_mb` is what the process holds after its answers, `peak_mb` the most it ever held, mapped
pages included, which the kernel takes back when it needs them; `own_mb` is without these.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

import serving.app  # noqa: F401 - a server has these modules in memory
from serving.engines import RecommenderEngine, load_recommender

PEOPLE, LATEST = 300, 30


def main() -> int:
    """Load, answer, load again, print."""
    folder = Path(sys.argv[1])
    loaded = load_recommender(folder)
    model = loaded.recommender
    people = np.random.default_rng(1).choice(model.bundle.user_ids, PEOPLE).tolist()
    answers = len(model.recommend(people[0], n=10))
    started = time.time() - psutil.Process(os.getpid()).create_time()
    found: dict[str, Any] = {
        "start_seconds": round(started, 2),
        "start_cpu_seconds": round(time.process_time(), 2),
    }
    found |= memory("start_") | costs(model, people) | memory("")
    beside = load_recommender(folder)
    answers += len(beside.recommender.recommend(people[0], n=10))
    found |= memory("promotion_") | {
        "answers": answers,
        "bundle_mb": round(sum(p.stat().st_size for p in folder.rglob("*")) / 1e6),
    }
    print(json.dumps(found))
    return int(not answers)


def costs(model: RecommenderEngine, people: list[int]) -> dict[str, float]:
    """Processor milliseconds of an answer: to a known person, from given ratings, to a stranger."""
    given = [dict(list(model.ratings_of(person).items())[-LATEST:]) for person in people]
    asked = {
        "top10": [lambda p=p: model.recommend(p, n=10) for p in people],
        "fold_in": [lambda g=g: model.recommend_for(g, n=10) for g in given],
        "stranger": [lambda: model.recommend(-1, n=10)] * len(people),
    }
    found = {}
    for name, calls in asked.items():
        took = []
        for call in calls:
            before = time.process_time()
            call()
            took.append(1000 * (time.process_time() - before))
        found[f"{name}_ms_median"] = round(float(np.median(took)), 2)
        found[f"{name}_ms_95"] = round(float(np.percentile(took, 95)), 2)
    return found


def memory(when: str) -> dict[str, float]:
    """Megabytes of this process now, and the most so far."""
    now = psutil.Process(os.getpid()).memory_full_info()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        f"{when}resident_mb": round(now.rss / 1e6),
        f"{when}own_mb": round(anonymous_kb() / 1e3),
        f"{when}peak_mb": round(most),
    }


def anonymous_kb() -> int:
    """Memory that is no file's, in kB (Linux only)."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:"))


if __name__ == "__main__":
    sys.exit(main())
