"""Put a world together and write it into a folder."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from replica.world.catalogue import make_catalogue
from replica.world.faults import break_ratings, break_titles, known_fault
from replica.world.files import write_links, write_movies, write_ratings, write_titles
from replica.world.ratings import Ratings, make_ratings
from replica.world.shape import LAST_RATING, Shape
from replica.world.tastes import Truth, make_truth


def make_world(
    out: Path,
    seed: int = 20200229,
    people: int = 400,
    titles: int = 300,
    *,
    fault: str | None = None,
) -> None:
    """Write `ratings.csv movies.csv links.csv titles.jsonl world.json` into the folder `out`.

    The same arguments give the same bytes. `fault` names one of `FAULTS`; one that acts in training
    leaves all but `world.json` as it is. Raises SourceError for a world too small or a fault
    unknown.
    """
    known_fault(fault)
    shape = Shape(seed=seed, people=people, titles=titles)
    catalogue = make_catalogue(shape)
    truth = make_truth(shape, catalogue)
    ratings = make_ratings(shape, catalogue, truth)
    facts = _facts(shape, truth, ratings)
    ratings = break_ratings(ratings, truth, shape, fault)
    shown = break_titles(catalogue.titles, shape, fault)
    out.mkdir(parents=True, exist_ok=True)
    write_ratings(out / "ratings.csv", ratings, shown)
    write_movies(out / "movies.csv", shown)
    write_links(out / "links.csv", shown)
    write_titles(out / "titles.jsonl", shown)
    facts |= {"fault": fault, "rows": len(ratings.person)}
    (out / "world.json").write_text(json.dumps(facts, indent=1) + "\n", "utf-8")


def _facts(shape: Shape, truth: Truth, ratings: Ratings) -> dict[str, Any]:
    """What the generator knows: its parameters, and the error of one who knew every taste."""
    oracle = np.clip(truth.mean[ratings.person, ratings.title], 0.5, 5.0)
    error = float(np.sqrt(np.mean((ratings.stars - oracle) ** 2)))
    return {
        "format": 1,
        "world": "synthetic",
        "parameters": asdict(shape),
        "last_rating": LAST_RATING.isoformat().replace("+00:00", "Z"),
        "oracle": {"rmse": round(error, 6), "budget_log_rmse": shape.budget_noise},
    }
