"""Engines: they load a bundle and compute the answers.

All engines read the same bundles and have the same methods, so that the routes work with any of
them. `ENGINES` is the table of engines, and `python -m serving --engine NAME` chooses one. `native`
computes with NumPy (`scoring/`) and is the reference for all others.

`serving.backend` loads champions through this module. A bundle serves only if the engine repeats
the golden answers that the training job recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from marquee.errors import BundleError, SourceError
from scoring.arrays import Ints
from scoring.budget.bundle import BudgetBundle
from scoring.budget.model import BudgetEstimate, BudgetModel, BudgetQuery
from scoring.evaluation_blocks import GoldenReport
from scoring.recommender.bundle import RecommenderBundle
from scoring.recommender.model import Predictions, Recommendation, Recommender, Similar
from scoring.recommender.rating_intervals import RatingIntervals
from serving.title_index import IdIndex, TitleIndex, build_title_index

BAD_BUNDLE_REMEDY = "it is never served; train again, or copy it again from the lake"
DEFAULT_ENGINE = "native"


class RecommenderEngine(Protocol):
    """The methods of a loaded recommender that serving calls; `Recommender` documents them."""

    @property
    def bundle(self) -> RecommenderBundle: ...

    def check_golden(self) -> GoldenReport: ...

    def knows_user(self, user_id: int) -> bool: ...

    def ratings_of(self, user_id: int) -> dict[int, float]: ...

    def strategy_for(self, ratings: Mapping[int, float]) -> str: ...

    def predict(self, user_ids: Ints, movie_ids: Ints) -> Predictions: ...

    def predict_for(self, ratings: Mapping[int, float], movie_ids: Ints) -> Predictions: ...

    def recommend(
        self,
        user_id: int,
        n: int = 10,
        *,
        allowed: Collection[int] | None = None,
        exclude: Collection[int] = (),
        diversity: float = 0.0,
    ) -> list[Recommendation]: ...

    def recommend_for(
        self,
        ratings: Mapping[int, float],
        n: int = 10,
        *,
        allowed: Collection[int] | None = None,
        exclude: Collection[int] = (),
        diversity: float = 0.0,
    ) -> list[Recommendation]: ...

    def similar(self, movie_id: int, n: int = 10) -> list[Similar]: ...


class BudgetEngine(Protocol):
    """The methods of a loaded budget model that serving calls; `BudgetModel` documents them."""

    @property
    def bundle(self) -> BudgetBundle: ...

    def check_golden(self) -> GoldenReport: ...

    def estimate(self, query: BudgetQuery) -> BudgetEstimate: ...


@dataclass(frozen=True)
class Engine:
    """The loaders of one engine; both raise BundleError for a torn bundle."""

    load_recommender: Callable[[Path], RecommenderEngine]
    load_budget: Callable[[Path], BudgetEngine]
    name: str = DEFAULT_ENGINE
    """The engine's name in its answers; for those of `ENGINES`, their key."""


ENGINES: dict[str, Engine] = {
    DEFAULT_ENGINE: Engine(Recommender.load, BudgetModel.load),
}
"""All engines by name. A new engine is one module and one line here."""


def engine_named(name: str | Engine) -> Engine:
    """The engine of that name; SourceError, with all names, for an unknown one.

    An engine of another room, which this table may not import, is given itself.
    """
    if isinstance(name, Engine):
        return name
    if name not in ENGINES:
        raise SourceError(f"there is no engine '{name}'", f"choose one of {', '.join(ENGINES)}")
    return replace(ENGINES[name], name=name)


@dataclass(frozen=True)
class LoadedRecommender:
    """A recommender with the indexes of its titles, its people's ids and its titles' ids.

    `intervals` are those of the bundle, the same for every engine; None for older bundles.
    """

    recommender: RecommenderEngine
    title_index: TitleIndex
    user_ids: IdIndex
    title_ids: IdIndex
    intervals: RatingIntervals | None = None

    @classmethod
    def of(cls, recommender: RecommenderEngine) -> LoadedRecommender:
        """Build the indexes of a recommender from its bundle."""
        bundle = recommender.bundle
        index, facts = build_title_index(bundle), bundle.facts
        names = {t.name: t.movie_id for t in index.titles if t.name}
        title_ids = IdIndex.of("titles", np.sort(index.movie_ids), facts, names)
        user_ids = IdIndex.of("users", bundle.user_ids, facts)
        return cls(recommender, index, user_ids, title_ids, RatingIntervals.of(bundle))


def load_recommender(folder: Path, engine: str | Engine = DEFAULT_ENGINE) -> LoadedRecommender:
    """Raises BundleError for a torn bundle, or one with other answers than the golden ones."""
    recommender = engine_named(engine).load_recommender(folder)
    require_golden_answers(folder, recommender.check_golden())
    recommender.bundle.forget_pages()
    return LoadedRecommender.of(recommender)


def load_budget(folder: Path, engine: str | Engine = DEFAULT_ENGINE) -> BudgetEngine:
    """Raises BundleError for a torn bundle, or one with other answers than the golden ones."""
    model = engine_named(engine).load_budget(folder)
    require_golden_answers(folder, model.check_golden())
    return model


def require_golden_answers(folder: Path, report: GoldenReport) -> None:
    """Raises BundleError for a bundle without golden queries, or with a wrong answer to one."""
    if report.count == 0:
        raise BundleError(f"{folder} holds no golden queries", BAD_BUNDLE_REMEDY)
    if report.failures:
        counted = (
            f"{len(report.failures)} of {report.count} golden queries, first {report.failures[0]}"
        )
        raise BundleError(
            f"{folder} answers otherwise than its training job: {counted}", BAD_BUNDLE_REMEDY
        )
