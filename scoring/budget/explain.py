"""What an answer is made of, in log10 dollars, and what must be said with it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scoring.arrays import Floats
from scoring.budget.bundle import Fit
from scoring.budget.features import Stages, is_rated
from scoring.budget.query import BudgetQuery
from scoring.budget.trend import FLAT, Trend

TYPICAL, YEAR = "a typical film", "year"


def contributions(
    stages: Stages, question: str, fit: Fit, row: Floats, trend: float
) -> dict[str, float]:
    """By what a person would name; the vector's finer features are added up. They add up to the
    answer. `trend`, log10 dollars, counts as the year's."""
    linear = fit.linear_share * fit.coefficients
    parts = linear * (row - fit.means)
    base = fit.linear_share * fit.intercept + float(linear @ fit.means)
    if fit.trees:
        parts = parts + fit.share_of_trees * fit.trees.contributions(row[None, :])[0]
        base += fit.share_of_trees * fit.trees.base
    found = {TYPICAL: base}
    for name, value, part in zip(stages.names(question), row, parts):
        group = _group(name, float(value), (*stages.roles(question),), tuple(stages.labels))
        found[group] = found.get(group, 0.0) + float(part)
    return found | {YEAR: found[YEAR] + trend}


def _group(name: str, value: float, roles: tuple[str, ...], labels: tuple[str, ...]) -> str:
    """A genre the film has counts by itself; those it has not, and their number, together."""
    for role in roles:
        if name.startswith(f"{role}_"):
            return role
    if (column := name.partition(" ")[0]) in labels:
        return column
    if name.startswith("genre ") and value > 0:
        return name
    return "other genres" if name.startswith("genre") else name


def notes(
    query: BudgetQuery,
    question: str,
    stages: Stages,
    row: Floats,
    knows: Callable[[str], bool],
    trend: Trend,
) -> list[str]:
    """Doubts: unseen directors and genres, years out of range, what was not told or not used."""
    said = [
        f"director {name} has no film in training" for name in query.directors if not knows(name)
    ]
    said += [f"genre {g} not seen in training" for g in query.genres if g not in stages.genres]
    if query.rating is not None and not is_rated(question):
        said.append("this model knows no ratings: answered as before release")
    if query.year != stages.clip_year(query.year):
        said.append(_other_year(query.year, stages, trend))
    if question != query.question and question == query.narrow:
        said.append("this model was taught directors, genres, year and rating only")
    missing = _missing(stages, question, row)
    return said + ([f"not told, taken as typical: {', '.join(missing)}"] if missing else [])


def _other_year(year: int, stages: Stages, trend: Trend) -> str:
    said = f"year {year} is answered as {stages.clip_year(year)}"
    if trend == FLAT or year < stages.first_year:
        return said
    return f"{said}, the trend of budgets followed to {min(year, trend.last)}"


def _missing(stages: Stages, question: str, row: Floats) -> list[str]:
    names = np.array(stages.names(question))[np.isnan(row)]
    roles, labels = stages.roles(question), tuple(stages.labels)
    return list(dict.fromkeys(_group(str(name), 0.0, roles, labels) for name in names))
