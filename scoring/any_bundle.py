"""A bundle of either model: its kind, loading it, measuring it on a user's own file.

Called by `marquee evaluate`, `compare` and `recommend-all`, and by serving to check a bundle.

The figures on a file are those of the weekly evaluation. The baselines are fitted on the rows that
the bundle was trained on. Rows of the file that are among these are counted and not measured.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from marquee.errors import BundleError, SourceError
from scoring.budget import holdout_evaluation as budget_evaluation
from scoring.budget.holdout import BudgetHoldout
from scoring.budget.holdout import compare_log_rmse as compare_budgets
from scoring.budget.known_titles import read_votes, titles_table, usable_titles
from scoring.budget.model import BudgetModel
from scoring.recommender import holdout_evaluation
from scoring.recommender.holdout import HoldoutSplit, training_ratings
from scoring.recommender.live_record import is_among
from scoring.recommender.model import Recommender
from scoring.recommender.ratings_arrays import Ratings
from scoring.recommender.ratings_files import read_ratings_file

AnyModel = Recommender | BudgetModel
LOADERS: Mapping[str, Callable[[Path], AnyModel]] = {
    "recommender": Recommender.load,
    "budget": BudgetModel.load,
}


def bundle_kind(folder: Path) -> str:
    """`recommender` or `budget`, by `bundle.json`; raises BundleError where it names neither."""
    try:
        kind = str(json.loads((folder / "bundle.json").read_text("utf-8"))["model"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        remedy = "give the folder that holds bundle.json"
        raise BundleError(f"{folder} is not a bundle: {error}", remedy) from None
    if kind not in LOADERS:
        raise BundleError(f"{folder} is a bundle of '{kind}'", f"known: {', '.join(LOADERS)}")
    return kind


def load_model(folder: Path, kind: str | None = None) -> AnyModel:
    """The bundle in `folder`; `kind` is by default the one that `bundle.json` names.

    Raises BundleError where a file is damaged, or the kind is another or unknown.
    """
    kind = kind or bundle_kind(folder)
    if kind not in LOADERS:
        raise BundleError(f"no bundle is of '{kind}'", f"known: {', '.join(LOADERS)}")
    return LOADERS[kind](folder)


def evaluate_on_file(model: AnyModel, path: Path, seed: int) -> dict[str, Any]:
    """`evaluation.json` without `shipped`, and `file`: counts of its rows, used and not used.

    Raises SourceError where no row can be used.
    """
    if isinstance(model, BudgetModel):
        (holdout,), rows_used = _budget_holdouts([model], path)
        found = budget_evaluation.measure(model, holdout, seed, None, read_votes(path))
    else:
        rows, rows_used = _unseen_ratings([model], path)
        rows_used |= _unknown_rows(model, rows)
        split = HoldoutSplit.of(training_ratings(model), rows)
        found = holdout_evaluation.measure(model, split, seed, None)
    return found | {"file": {"path": str(path), **rows_used}}


def compare_on_file(one: AnyModel, other: AnyModel, path: Path, seed: int) -> dict[str, Any]:
    """Compare two bundles metric by metric, on the rows that neither was trained on.

    `versus` holds a `paired_bootstrap` for each metric. `file` counts the rows used and not used.
    Raises SourceError where the bundles are of two kinds, or no row can be used.
    """
    if isinstance(one, BudgetModel) and isinstance(other, BudgetModel):
        kind, (versus, rows_used) = "budget", _compare_budgets(one, other, path, seed)
    elif isinstance(one, Recommender) and isinstance(other, Recommender):
        kind, (versus, rows_used) = "recommender", _compare_recommenders(one, other, path, seed)
    else:
        raise SourceError("one is a recommender, one a budget model", "give two of a kind")
    return {"model": kind, "versus": versus, "file": {"path": str(path), **rows_used}}


VersusAndCounts = tuple[dict[str, Any], dict[str, int]]
"""`versus`, and the counts of the file's rows."""

# Recommenders


def _compare_recommenders(
    one: Recommender, other: Recommender, path: Path, seed: int
) -> VersusAndCounts:
    rows, rows_used = _unseen_ratings([one, other], path)
    split = HoldoutSplit.of(training_ratings(one), rows)
    versus = holdout_evaluation.compare(split, split.score(one), split.score(other), seed)
    return versus, rows_used


def _unseen_ratings(models: list[Recommender], path: Path) -> tuple[Ratings, dict[str, int]]:
    every, repeats = read_ratings_file(path)
    learnt = np.any([is_among(every, training_ratings(model)) for model in models], axis=0)
    rows = every.take(~learnt)
    counts = {"rows": len(every) + repeats, "repeats": repeats, "learnt": int(learnt.sum())}
    if not len(rows):
        raise SourceError(
            f"{path} holds {counts['rows']} ratings, and every one of them was learnt from",
            "give ratings the bundle has not seen: a holdout, or newer ones",
        )
    return rows, counts | {"used": len(rows)}


def _unknown_rows(model: Recommender, rows: Ratings) -> dict[str, int]:
    """Count the rows of people and of titles that the bundle does not know."""
    known = {
        "of_unknown_people": np.isin(rows.user_ids, model.user_ids),
        "of_unknown_titles": np.isin(rows.movie_ids, model.movie_ids),
    }
    return {name: int((~is_known).sum()) for name, is_known in known.items()}


# Budget models


def _compare_budgets(
    one: BudgetModel, other: BudgetModel, path: Path, seed: int
) -> VersusAndCounts:
    holdouts, rows_used = _budget_holdouts([one, other], path)
    ours, theirs = (split.errors(model) for split, model in zip(holdouts, (one, other)))
    return {"log_rmse": compare_budgets(holdouts[0].clusters, ours, theirs, seed)}, rows_used


def _budget_holdouts(
    models: list[BudgetModel], path: Path
) -> tuple[list[BudgetHoldout], dict[str, int]]:
    """The same titles for each model, in dollars of its own price year."""
    table = titles_table(path, max(model.price_year for model in models))
    learnt = {title.title_id for model in models for title in model.bundle.titles}
    holdouts, usable = [], 0
    for model in models:
        titles = usable_titles(table, model.price_year)
        usable, unseen = len(titles), [title for title in titles if title.title_id not in learnt]
        if not unseen:
            raise SourceError(
                f"{path} holds {table.num_rows} titles, {usable} with budget, year and genre, and "
                "none that was not learnt from",
                "give films the bundle has not seen",
            )
        holdouts.append(BudgetHoldout.of(model.bundle.titles, unseen))
    used = len(holdouts[0].titles)
    counts = {"rows": table.num_rows, "unusable": table.num_rows - usable}
    return holdouts, counts | {"learnt": usable - used, "used": used}
