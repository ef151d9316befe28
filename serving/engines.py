"""Engines: what computes the answers of a loaded champion.

An engine reads the same bundle folder as every other one and answers the same questions; the
routes do not know which engine runs. `ENGINES` is the table of engines, and `python -m serving
--engine NAME` chooses one. `native` is our own scoring with NumPy and the reference for all others.

`serving.backend` loads champions through this module. A bundle serves only if the engine repeats
the golden answers that the training job recorded, so a wrong engine never answers a request.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
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
from serving.title_index import IdIndex, TitleIndex, build_title_index

REMEDY = "it is never served; train again, or copy it again from the lake"
DEFAULT_ENGINE = "native"


class RecommenderEngine(Protocol):
    """What the routes call on a loaded recommender; `Recommender` documents each method."""

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
    ) -> list[Recommendation]: ...

    def recommend_for(
        self,
        ratings: Mapping[int, float],
        n: int = 10,
        *,
        allowed: Collection[int] | None = None,
        exclude: Collection[int] = (),
    ) -> list[Recommendation]: ...

    def similar(self, movie_id: int, n: int = 10) -> list[Similar]: ...


class BudgetEngine(Protocol):
    """What the routes call on a loaded budget model; `BudgetModel` documents each method."""

    @property
    def bundle(self) -> BudgetBundle: ...

    def check_golden(self) -> GoldenReport: ...

    def estimate(self, query: BudgetQuery) -> BudgetEstimate: ...


@dataclass(frozen=True)
class Engine:
    """How one engine loads each model; both calls raise BundleError for a torn bundle."""

    load_recommender: Callable[[Path], RecommenderEngine]
    load_budget: Callable[[Path], BudgetEngine]


ENGINES: dict[str, Engine] = {
    DEFAULT_ENGINE: Engine(Recommender.load, BudgetModel.load),
}
"""Every engine by its name. A new engine is one module and one line here."""


def engine_named(name: str) -> Engine:
    """The engine of that name; SourceError, with the names there are, where there is none."""
    if name not in ENGINES:
        raise SourceError(f"there is no engine '{name}'", f"choose one of {', '.join(ENGINES)}")
    return ENGINES[name]


@dataclass(frozen=True)
class LoadedRecommender:
    """A recommender, the index of its titles, and the ids that its ratings release uses."""

    recommender: RecommenderEngine
    title_index: TitleIndex
    user_ids: IdIndex
    title_ids: IdIndex

    @classmethod
    def of(cls, recommender: RecommenderEngine) -> LoadedRecommender:
        """Build the indexes of a recommender from its bundle."""
        bundle = recommender.bundle
        index, facts = build_title_index(bundle), bundle.facts
        names = {t.name: t.movie_id for t in index.titles if t.name}
        title_ids = IdIndex.of("titles", np.sort(index.movie_ids), facts, names)
        return cls(recommender, index, IdIndex.of("users", bundle.user_ids, facts), title_ids)


def load_recommender(folder: Path, engine: str = DEFAULT_ENGINE) -> LoadedRecommender:
    """Raises BundleError where the bundle is torn or does not repeat its golden answers."""
    recommender = engine_named(engine).load_recommender(folder)
    require_golden(folder, recommender.check_golden())
    return LoadedRecommender.of(recommender)


def load_budget(folder: Path, engine: str = DEFAULT_ENGINE) -> BudgetEngine:
    """Raises BundleError where the bundle is torn or does not repeat its golden answers."""
    model = engine_named(engine).load_budget(folder)
    require_golden(folder, model.check_golden())
    return model


def require_golden(folder: Path, report: GoldenReport) -> None:
    """Raises BundleError where there are no golden queries, or one has another answer."""
    if report.count == 0:
        raise BundleError(f"{folder} holds no golden queries", REMEDY)
    if report.failures:
        counted = (
            f"{len(report.failures)} of {report.count} golden queries, first {report.failures[0]}"
        )
        raise BundleError(f"{folder} answers otherwise than its training job: {counted}", REMEDY)
