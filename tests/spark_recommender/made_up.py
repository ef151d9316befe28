"""A lake in a temporary folder with a made-up ratings release and a run's frozen inputs."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marquee.lake import Lake, open_lake
from scoring.arrays import Rows
from scoring.recommender.ratings_arrays import Ratings
from spark_apps.recommender.gibbs_sampler import Problem
from spark_apps.recommender.rating_blocks import (
    RatingBlock,
    SentBlock,
    blocks_of,
    compress,
    make_blocks,
)
from tests.frozen_inputs import frozen
from tests.scoring.made_up import make_ratings

RECIPE: dict[str, Any] = {
    "name": "als-bias-4",
    "family": "als_bias",
    "rank": 4,
    "reg": 0.1,
    "iterations": 5,
    "bias_reg_user": 5.0,
    "bias_reg_item": 3.0,
    "blend": [0.3, 0.5, 0.7],
    "ranker": {"family": "implicit_als", "rank": 4, "alpha": 1.0, "reg": 0.2, "iterations": 5},
}
BAYES: dict[str, Any] = {
    "name": "bayes-4",
    "family": "bayes",
    "noise_shape": 2.5,
    "rank": 4,
    "chains": 2,
    "sweeps": 40,
    "burn_in": 15,
    "every": 1,
    "side_columns": 4,
    "packed_rank": 8,
    "most_gigabytes": 1.0,
    "most_teraoperations": 0.1,
    "ranker": RECIPE["ranker"],
}
HEADER = "userId,movieId,rating,timestamp"
AS_OF = "2026-01-04T03:00:00Z"


def ratings_lines(people: int = 30, titles: int = 40, seed: int = 3) -> list[str]:
    """`make_ratings` as lines of a ratings.csv, without the header."""
    rows = make_ratings(people, titles, seed)
    columns = (rows.user_ids, rows.movie_ids, rows.values, rows.times)
    return [f"{u},{m},{r},{t}" for u, m, r, t in zip(*columns)]


def make_lake(
    folder: Path,
    lines: Sequence[str],
    header: str = HEADER,
    encoding: str = "utf-8",
    feedback: Sequence[str] = (),
    run: str = "r-1",
    **inputs: Any,
) -> Lake:
    """A lake whose run `run` may start with prepare_ratings."""
    lake = open_lake(f"file://{folder / 'lake'}")
    release = folder / f"release-{run}"
    release.mkdir(parents=True)
    (release / "ratings.csv").write_text("\n".join([header, *lines]) + "\n", encoding)
    movies = [f'{m},"Film, The {m} (19{m:02d})",Drama|Comedy' for m in range(1, 45)]
    text = "\n".join(["movieId,title,genres", *movies]) + "\n"
    (release / "movies.csv").write_text(text, "utf-8")
    lake.publish(release, f"raw/ratings/made-up-{run}")
    segments = [_segment(lake, folder / f"feedback-{run}", feedback)] if feedback else []
    value = {
        "ratings": {"path": f"raw/ratings/made-up-{run}", "rows": len(lines)},
        "feedback": segments,
        "models": {"recommender": {"recipes": [RECIPE]}},
    }
    lake.create_json(f"runs/{run}/inputs.json", frozen(run, AS_OF, **value | inputs))
    return lake


def _segment(lake: Lake, folder: Path, lines: Sequence[str]) -> dict[str, str]:
    folder.mkdir()
    (folder / "feedback.jsonl").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    lake.publish(folder, f"raw/feedback/{folder.name}")
    return {"path": f"raw/feedback/{folder.name}", "digest": ""}


def flags(lake: Lake, run: str = "r-1") -> list[str]:
    """The flags of a job."""
    return ["--lake", lake.root, "--run", run]


def made_blocks(
    own: Rows, partners: Rows, stars: NDArray[Any], shape: tuple[int, int], blocks: int
) -> Iterator[RatingBlock]:
    """Blocks of `own` rows from ratings in any order."""
    ends, columns, order = compress(own, partners, shape)
    return make_blocks(ends, columns, stars[order], blocks)


def all_blocks(
    users: Rows, items: Rows, stars: NDArray[Any], shape: tuple[int, int]
) -> list[SentBlock]:
    """The blocks of both sides, from ratings in any order."""
    ends, columns, order = compress(users, items, shape)
    return list(blocks_of(ends, columns, stars[order], shape[1]))


@dataclass(frozen=True)
class DeadlyProblem(Problem):
    """A problem whose first reader is killed."""

    marker: str = ""

    @cached_property
    def shape(self) -> tuple[int, int]:  # type: ignore[override]
        """As in `Problem`."""
        try:
            os.close(os.open(self.marker, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return len(self.people.values), len(self.titles.values)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("a killed process does not go on")


def models(recipes: list[dict], champion: dict | None = None) -> dict[str, object]:
    """`models` of `inputs.json`: the recommender's recipes and its champion."""
    return {"recommender": {"recipes": recipes, "champion": champion}}


def tiny_worlds() -> dict[str, Ratings]:
    """The smallest worlds and the oddest: one of each, equal ratings, ids beyond 32 bits."""
    one, grid = np.ones(1, dtype=np.int64), make_ratings(6, 8, share=1.1)
    flat = grid.values * 0 + 3.0
    return {
        "one person, one title": Ratings(one, one, one * 4.0, one * 1000),
        "one person": grid.take(grid.user_ids == 1),
        "one title": grid.take(grid.movie_ids == 1),
        "all ratings equal": Ratings(grid.user_ids, grid.movie_ids, flat, grid.times),
        "wide ids": Ratings(grid.user_ids + 2**40, grid.movie_ids + 2**41, grid.values, grid.times),
    }
