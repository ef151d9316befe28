"""How a recommender forecasts: fitted on everybody's ratings up to a moment, asked about all later.

The holdout of each person's last ratings measures taste: what other people rated later is in its
train. Here nothing later is, and people who came later are strangers, as they are to what serves.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scoring.recommender.all_metrics import all_metrics
from scoring.recommender.exam import Exam
from scoring.recommender.model import Recommender
from scoring.recommender.ratings import Ratings
from scoring.recommender.rivals import bias_predictions, popular_lists, versus_trivial
from scoring.recommender.splits import global_time


def judge_forecast(bundle: Path, ratings: Ratings, seed: int) -> dict[str, Any] | None:
    """`evaluation.json`'s `forecast`: the bundle was fitted on the rows of `ratings` that
    `global_time` keeps and is asked about the rest; None where it keeps all."""
    late = global_time(ratings)
    if not late.any():
        return None
    model, exam = Recommender.load(bundle), Exam.of(ratings.take(~late), ratings.take(late))
    ours = exam.score(model)
    bias, popular = bias_predictions(exam), popular_lists(exam, model.movie_ids)
    return {
        "rows": len(exam.holdout),
        "people": len(exam.people),
        "since": int(exam.holdout.times.min()),
        "metrics": all_metrics(exam, ours, model.movie_ids),
        "versus": versus_trivial(exam, ours, bias, popular, seed),
    }
