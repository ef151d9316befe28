"""Load a bundle the way serving does: whole, checked, ready to answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from marquee.errors import BundleError
from marquee.policy import MODELS
from scoring.budget.model import BudgetModel
from scoring.golden import GoldenReport
from scoring.recommender.model import Recommender
from serving.asker import ReleaseIds
from serving.catalogue import Catalogue, build_catalogue

REMEDY = "it is never served; train again, or copy it again from the lake"


@dataclass(frozen=True)
class LoadedRecommender:
    """The model, what serving builds from its titles, and how its release writes ids."""

    model: Recommender
    catalogue: Catalogue
    users: ReleaseIds
    titles: ReleaseIds

    @classmethod
    def of(cls, model: Recommender) -> LoadedRecommender:
        """All that serving needs beside the model."""
        catalogue, facts = build_catalogue(model), model.bundle.facts
        names = {t.name: t.movie_id for t in catalogue.titles if t.name}
        titles = ReleaseIds.of("titles", np.sort(catalogue.movie_ids), facts, names)
        return cls(model, catalogue, ReleaseIds.of("users", model.user_ids, facts), titles)


def load_recommender(folder: Path) -> LoadedRecommender:
    """Raises BundleError where the bundle is torn or does not repeat its golden answers."""
    model = Recommender.load(folder)
    require_golden(folder, model.check_golden())
    return LoadedRecommender.of(model)


def load_budget(folder: Path) -> BudgetModel:
    """Raises BundleError where the bundle is torn or does not repeat its golden answers."""
    model = BudgetModel.load(folder)
    require_golden(folder, model.check_golden())
    return model


def ask_golden(folder: Path, model: str) -> GoldenReport:
    """Load the bundle of a `model` and put its golden queries; BundleError where it is torn."""
    if model == "recommender":
        loaded = Recommender.load(folder)
        build_catalogue(loaded)
        return loaded.check_golden()
    return BudgetModel.load(folder).check_golden()


def model_of(folder: Path) -> str:
    """Which model a bundle says it is; BundleError where it says none we know."""
    try:
        name = str(json.loads((folder / "bundle.json").read_text("utf-8"))["model"])
    except (OSError, ValueError, KeyError, TypeError):
        raise BundleError(f"{folder} holds no bundle.json that names a model", REMEDY) from None
    if name not in MODELS:
        raise BundleError(f"{folder} holds a '{name}', which is no model of ours", REMEDY)
    return name


def require_golden(folder: Path, report: GoldenReport) -> None:
    if report.count == 0:
        raise BundleError(f"{folder} holds no golden queries", REMEDY)
    if report.failures:
        said = (
            f"{len(report.failures)} of {report.count} golden queries, first {report.failures[0]}"
        )
        raise BundleError(f"{folder} answers otherwise than its training job: {said}", REMEDY)
