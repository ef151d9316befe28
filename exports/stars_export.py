"""The recommender's stars as ONNX: the model file, the ids of its rows, and golden rows.

stars = clip(mean + bias of the person + bias of the title + factors of both). `ids.json` holds the
ids of people and of titles, ascending; an id's place there is its row, and -1 stands for an id that
is not there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from exports.onnx_graphs import write_stars
from marquee.errors import BundleError
from scoring.arrays import rows_of
from scoring.recommender.model import Recommender

STARS_TOLERANCE = 1e-6
"""The largest accepted difference of an exported model's answer, in stars."""
STARS_OUTSIDE = (
    "fold-in: people who are known by a few ratings alone",
    "content: scores of titles without ratings",
    "lists (the ranker, popularity), similar titles, intervals of ratings",
)
UNKNOWN = -1


def stars_files(model: Recommender, facts: Mapping[str, Any]) -> dict[str, bytes]:
    """The files of the export; BundleError where the bundle does not repeat its golden answers."""
    report = model.check_golden()
    if not report.passed:
        what = report.failures[0] if report.failures else "it has no golden queries"
        remedy = "train it again, or copy the bundle again from the lake"
        raise BundleError(f"the bundle does not repeat the answers of its training: {what}", remedy)
    whole = {
        **facts,
        "unit": "stars",
        "scale": list(model.bundle.scale),
        "tolerance": STARS_TOLERANCE,
        "outside": STARS_OUTSIDE,
        "file": "stars.onnx",
        "inputs": {
            "user_row": "place of the person's id in `user_ids` of ids.json; -1: not there",
            "title_row": "place of the movie's id in `movie_ids` of ids.json; -1: not there",
        },
        "outputs": ["stars"],
    }
    ids = {"user_ids": model.user_ids.tolist(), "movie_ids": model.movie_ids.tolist()}
    return {
        "export.json": json.dumps(whole, indent=1).encode(),
        "golden.json": json.dumps({"rows": list(_rows(model))}, indent=1).encode(),
        "ids.json": json.dumps(ids).encode(),
        "stars.onnx": write_stars(model.bundle, whole),
    }


def _rows(model: Recommender) -> Iterator[dict[str, Any]]:
    """The golden predictions, then pairs with an unknown person, an unknown title, and neither."""
    golden = model.bundle.golden["predictions"]
    pairs = [(int(q["user_id"]), int(q["movie_id"])) for q in golden]
    user, movie = pairs[0] if pairs else (int(model.user_ids[0]), int(model.movie_ids[0]))
    nobody, nothing = int(model.user_ids[-1]) + 1, int(model.movie_ids[-1]) + 1
    pairs += [(nobody, movie), (user, nothing), (nobody, nothing)]
    users, movies = np.array(pairs, dtype=np.int64).T
    stars = model.predict(users, movies).values.tolist()
    places = rows_of(model.user_ids, users).tolist(), rows_of(model.movie_ids, movies).tolist()
    for number, (pair, answer, *rows) in enumerate(zip(pairs, stars, *places, strict=True)):
        is_golden = number < len(golden)
        yield {
            "source": "training" if is_golden else "export",
            "user_id": pair[0],
            "movie_id": pair[1],
            "user_row": rows[0],
            "title_row": rows[1],
            "stars": float(golden[number]["value"]) if is_golden else answer,
        }
