"""Films a reader knows: what they cost, what the model says, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from scoring.budget.explain import TYPICAL
from scoring.budget.model import BudgetEstimate
from scoring.budget.records import Film

SHOWN_FILMS, SHOWN_REASONS = 20, 4


def read_votes(path: Path) -> dict[str, int]:
    """IMDb's vote count by title id, where the files at `path` have it; only to choose by."""
    try:
        table = pq.read_table(path, columns=["title_id", "vote_count"]).to_pylist()
    except (OSError, ValueError, KeyError):
        return {}
    return {str(row["title_id"]): int(row["vote_count"] or 0) for row in table}


def known_films(
    films: Sequence[Film],
    with_rating: Sequence[BudgetEstimate],
    before: Sequence[BudgetEstimate],
    votes: Mapping[str, int],
) -> list[dict[str, Any]]:
    """The twenty most voted for, the dearest first: dollars of the price year, and what moved the
    estimate most (factors: 2 doubles it)."""
    ranked = sorted(
        range(len(films)), key=lambda i: (-votes.get(films[i].title_id, 0), films[i].title_id)
    )
    chosen = sorted(ranked[:SHOWN_FILMS], key=lambda i: (-films[i].log_budget, films[i].title_id))
    return [_film(films[i], with_rating[i], before[i]) for i in chosen]


def _film(film: Film, rated: BudgetEstimate, before: BudgetEstimate) -> dict[str, Any]:
    moved = {name: part for name, part in rated.contributions.items() if name != TYPICAL}
    main = sorted(moved, key=lambda name: (-abs(moved[name]), name))[:SHOWN_REASONS]
    return {
        "title_id": film.title_id,
        "title": film.title,
        "year": film.year,
        "directors": list(film.director_names or film.directors),
        "rating": film.rating,
        "actual": 10**film.log_budget,
        "estimate": rated.median,
        "interval": [rated.low, rated.high],
        "before_release": before.median,
        "reasons": {name: 10 ** moved[name] for name in main},
        "notes": list(rated.notes),
    }
