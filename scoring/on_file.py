"""A bundle measured on a file of a user's own: the weekly evaluation's figures, from the bundle.

A bundle holds what it has learnt from, so the baselines are fitted on exactly that. Rows it has
learnt from are left out and counted: a model knows them by heart.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from marquee.errors import SourceError
from scoring.budget import evaluate as evaluate_budget
from scoring.budget.clusters import compare as compare_budgets
from scoring.budget.exam import BudgetExam
from scoring.budget.films_file import titles_table, usable_films
from scoring.budget.known_films import read_votes
from scoring.budget.model import BudgetModel
from scoring.recommender import evaluate as evaluate_recommender
from scoring.recommender.exam import Exam
from scoring.recommender.live_record import is_among, ratings_learnt
from scoring.recommender.model import Recommender
from scoring.recommender.ratings import Ratings
from scoring.recommender.ratings_file import read_ratings_file

Model = Recommender | BudgetModel


def load_model(folder: Path, kind: str) -> Model:
    """The bundle in `folder`, which is a `recommender` or a `budget`; BundleError where torn."""
    return BudgetModel.load(folder) if kind == "budget" else Recommender.load(folder)


def evaluate_on_file(model: Model, path: Path, seed: int) -> dict[str, Any]:
    """`evaluation.json` without `shipped`, and `file`: what of the file was used, and how."""
    if isinstance(model, BudgetModel):
        (exam,), told = _budget_exams([model], path)
        found = evaluate_budget.measure(model, exam, seed, None, read_votes(path))
    else:
        rows, told = _new_rows([model], path)
        told |= _strangers(model, rows)
        exam_ = Exam.of(ratings_learnt(model), rows)
        found = evaluate_recommender.measure(model, exam_, seed, None)
    return found | {"file": {"path": str(path), **told}}


def compare_on_file(one: Model, other: Model, path: Path, seed: int) -> dict[str, Any]:
    """COMPARISONs by metric of two bundles, on the rows that neither has learnt from."""
    if isinstance(one, BudgetModel) and isinstance(other, BudgetModel):
        exams, told = _budget_exams([one, other], path)
        ours, theirs = (exam.errors(model) for exam, model in zip(exams, (one, other)))
        versus: dict[str, Any] = {
            "log_rmse": compare_budgets(exams[0].clusters, ours, theirs, seed)
        }
    elif isinstance(one, Recommender) and isinstance(other, Recommender):
        rows, told = _new_rows([one, other], path)
        exam = Exam.of(ratings_learnt(one), rows)
        versus = evaluate_recommender.compare(exam, exam.score(one), exam.score(other), seed)
    else:
        raise SourceError("one is a recommender, one a budget model", "give two of a kind")
    kind = "budget" if isinstance(one, BudgetModel) else "recommender"
    return {"model": kind, "versus": versus, "file": {"path": str(path), **told}}


def _new_rows(models: list[Recommender], path: Path) -> tuple[Ratings, dict[str, int]]:
    every, repeats = read_ratings_file(path)
    learnt = np.any([is_among(every, ratings_learnt(model)) for model in models], axis=0)
    rows = every.take(~learnt)
    told = {"rows": len(every) + repeats, "repeats": repeats, "learnt": int(learnt.sum())}
    if not len(rows):
        raise SourceError(
            f"{path} holds {told['rows']} ratings, and every one of them was learnt from",
            "give ratings the bundle has not seen: a holdout, or newer ones",
        )
    return rows, told | {"used": len(rows)}


def _strangers(model: Recommender, rows: Ratings) -> dict[str, int]:
    """How many rows are about people and titles the bundle does not know; the declared fallback
    answers them."""
    known = {
        "of_unknown_people": np.isin(rows.user_ids, model.user_ids),
        "of_unknown_titles": np.isin(rows.movie_ids, model.movie_ids),
    }
    return {name: int((~there).sum()) for name, there in known.items()}


def _budget_exams(models: list[BudgetModel], path: Path) -> tuple[list[BudgetExam], dict[str, int]]:
    """The same films for each, in its own price year's dollars."""
    table = titles_table(path, max(model.price_year for model in models))
    learnt = {film.title_id for model in models for film in model.bundle.films}
    exams, usable = [], 0
    for model in models:
        films = usable_films(table, model.price_year)
        usable, new = len(films), [film for film in films if film.title_id not in learnt]
        if not new:
            raise SourceError(
                f"{path} holds {table.num_rows} titles, {usable} with budget, year and genre, and "
                "none that was not learnt from",
                "give films the bundle has not seen",
            )
        exams.append(BudgetExam.of(model.bundle.films, new))
    used = len(exams[0].films)
    told = {"rows": table.num_rows, "unusable": table.num_rows - usable}
    return exams, told | {"learnt": usable - used, "used": used}
