"""One model on one split, ours or a peer: trained, timed, evaluated."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from pyspark.sql import SparkSession

from bench.peers_ranking import PEERS as SIMPLE_PEERS
from bench.peers_ranking import Question
from bench.peers_rating import PEERS as RATING_PEERS
from bench.peers_rating import Task
from bench.peers_sequence import PEERS as SEQUENCE_PEERS
from bench.recommender_splits import Split, inner_rule, is_late
from bench.resource_use import ResourceUse, measured
from marquee.errors import SourceError
from marquee.settings import load_settings
from scoring.arrays import Floats, Ints
from scoring.recommender.holdout import (
    LIKED,
    LIST_LENGTH,
    HoldoutSplit,
    Relevant,
    last_share,
    mae,
    random_share,
    ranking_metrics,
    rmse,
)
from scoring.recommender.interval_calibration import measure_intervals
from scoring.recommender.model import Recommender
from scoring.recommender.ratings_arrays import Ratings
from scoring.recommender.ratings_files import OFFICIAL_SPLITS, Release
from spark_apps.recommender.recipe_search import Choice, affordable_recipes, choose
from spark_apps.recommender.recipes import RecommenderRecipe, read_recipes
from spark_apps.recommender.trainer import Trainer
from spark_apps.recommender.training_data import SideInformation, title_features, user_features

OURS = "marquee"
ERROR_SPLITS = (*OFFICIAL_SPLITS, "session", "global", "last20")
RANKING_SPLITS = ("session", "global", "last20", "random75")
AS_OF = "2026-01-01T00:00:00Z"
INNER_SHARE = 0.9  # of train that a recipe is tried on where rows are held out by lot
PEOPLE = "+demographics"  # after a recipe's name: with the demographics of a release
SERVED = "+served"
"""After a recipe's name: chains go on from a fit on nine tenths of train, as the fit that a run
serves goes on from the evaluated one. Neither has seen a held-out row."""
OTHERS = dict.fromkeys(OFFICIAL_SPLITS, ("bayes-20" + PEOPLE,)) | {
    "random75": ("bayes-16-all-alike",)
}
"""Recipes of config/ that stand beside the default on splits by lot, by name. They were settled on
inner splits (bench/logs/); a run trains the default and knows no demographics."""
RANKING_PEERS = {**SIMPLE_PEERS, **SEQUENCE_PEERS}
BY_NAME = [*SEQUENCE_PEERS]  # not run unless named: they need an environment of their own
FEW = 3_000
"""Rows of the fit that only warms Spark up."""


@dataclass(frozen=True)
class Line:
    """One model on one split with one seed; `people` holds each person's nDCG where it ranks,
    `liked` that of the titles they liked, for who has some."""

    split: str
    seed: int
    model: str
    resources: ResourceUse
    figures: dict[str, float]
    facts: dict[str, Any] = field(default_factory=dict)
    people: dict[int, float] = field(default_factory=dict)
    liked: dict[int, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Without the people."""
        cost = {
            "seconds": round(self.resources.seconds, 2),
            "cpu_seconds": round(self.resources.cpu_seconds, 2),
            "peak_mb": round(self.resources.peak_mb),
        }
        head = {"split": self.split, "seed": self.seed, "model": self.model}
        return head | self.figures | cost | self.facts


@dataclass
class Comparison:
    """The release and the session that all models of a benchmark share."""

    spark: SparkSession
    release: Release
    search: str
    intervals: bool = False  # calibrated on an earlier fit, as a run's are on the evaluated one

    def warm_up(self) -> None:
        """A small fit, thrown away: a JVM's first is four times as slow as its second."""
        rows = self.release.ratings
        few = Split("warm-up", rows.take(np.arange(min(len(rows), FEW))), rows)
        with tempfile.TemporaryDirectory() as folder:
            self._train(few, 1, Path(folder), "")

    def ours(self, split: Split, seed: int, names: Sequence[str] | None) -> Iterator[Line]:
        """The default as a run trains and serves it, then the recipes `names`, or else those that
        stand beside it on this split; SourceError for an unknown one."""
        for name in ("", *(OTHERS.get(split.name, ()) if names is None else names)):
            yield self._own(split, seed, name)

    def _own(self, split: Split, seed: int, name: str) -> Line:
        """Search, fit and write a bundle; then predict the holdout and rank for its people."""
        with tempfile.TemporaryDirectory() as folder:
            with measured() as cost:
                recipe, facts = self._train(split, seed, Path(folder), name)
            model = Recommender.load(Path(folder) / "bundle")
            holdout = HoldoutSplit.of(split.train, split.holdout)
            scores = holdout.score(model)
        figures, *ndcg = ranking_figures(split.holdout, holdout.people, scores.lists)
        facts = {"recipe": recipe, **facts}
        figures = error_figures(split.holdout, scores.values) | figures
        figures |= interval_figures(model, holdout, scores.values)
        model_name = f"{OURS} {name}" if name else OURS
        return printed(Line(split.name, seed, model_name, cost, figures, facts, *ndcg))

    def peers(self, split: Split, seed: int, names: Sequence[str] | None) -> Iterator[Line]:
        """The peers `names`, or else those of the split; SourceError for an unknown one."""
        for name in self._names(split.name, names):
            peer = self._rating_peer if name in RATING_PEERS else self._ranking_peer
            yield printed(peer(name, split, seed))

    def _names(self, name: str, names: Sequence[str] | None) -> list[str]:
        if names is not None:
            unknown = set(names) - {"none", "all", *RATING_PEERS, *RANKING_PEERS}
            if unknown:
                known = ", ".join([*RATING_PEERS, *RANKING_PEERS])
                raise SourceError(f"no peer is called {', '.join(unknown)}", f"use {known}")
            rest = [n for n in names if n not in ("none", "all")]
            return rest + (self._names(name, None) if "all" in names else [])
        rating = [*RATING_PEERS] if name in ERROR_SPLITS else []
        ranking = [n for n in RANKING_PEERS if n not in BY_NAME]
        return rating + (ranking if name in RANKING_SPLITS else [])

    @cached_property
    def side_information(self) -> SideInformation:
        """Features of people and titles in the release, for peers and for recipes that use them."""
        titles = title_features(self.release.titles).titles
        return SideInformation(user_features(self.release.people), titles)

    def _train(self, split: Split, seed: int, out: Path, name: str) -> tuple[str, dict[str, Any]]:
        """The recipe's name, and what the search tried."""
        clip = scale_of(split.train)
        given = self.side_information if PEOPLE in name else None
        trainer = Trainer(self.spark, self.release.titles, clip, AS_OF, seed, given)
        recipes, notes = affordable_recipes(recipes_from(name), trainer.index(split.train))
        held = None if is_late(split.name) else random_share(split.train, seed, INNER_SHARE)
        if self.search == "none":
            recipes = recipes[:1]
        choice = choose(trainer, split.train, recipes, held)
        if self.intervals:
            trainer = calibrated(trainer, split.train, choice, out / "earlier")
        if SERVED in name:
            trainer = self._going_on(trainer, split, choice)
        notes += trainer.fit_bundle(split.train, choice.recipe, choice.blend_share, out / "bundle")
        return choice.recipe.name, {"tried": choice.tried(), "notes": notes}

    def _going_on(self, trainer: Trainer, split: Split, choice: Choice) -> Trainer:
        """The trainer after a fit of the predictor on nine tenths of the split's train rows."""
        rule = last_share if is_late(split.name) else random_share
        args = (INNER_SHARE,) if is_late(split.name) else (trainer.seed, INNER_SHARE)
        rows = trainer.index(split.train.take(~rule(split.train, *args)))
        trainer.fit_predictor(rows, rows.frame(self.spark), choice.recipe, choice.blend_share)
        return trainer.going_on()

    def _rating_peer(self, name: str, split: Split, seed: int) -> Line:
        clip = scale_of(split.train)
        late = is_late(split.name)
        task = Task(split.train, split.holdout, clip, seed, self.side_information, self.spark, late)
        with measured() as cost:
            values = RATING_PEERS[name](task)
        return Line(split.name, seed, name, cost, error_figures(split.holdout, values))

    def _ranking_peer(self, name: str, split: Split, seed: int) -> Line:
        known = [*self.release.titles]
        catalogue = np.union1d(self.release.ratings.movie_ids, np.array(known, dtype=np.int64))
        question = Question.of(split.train, split.holdout, catalogue, seed)
        peer = RANKING_PEERS[name]
        with measured() as cost:
            lists, tried = peer(question, inner_rule(split.name))
        figures, *ndcg = ranking_figures(split.holdout, question.people, lists)
        log = [{"inner ndcg@10": round(value, 5), **each} for value, each in tried]
        facts = {"chosen": dict(tried[0][1]), "tries": log}
        return Line(split.name, seed, name, cost, figures, facts, *ndcg)


def recipes_from(name: str) -> list[RecommenderRecipe]:
    """All of config/, the one to prefer (or the default) first; those after it stand in for one
    over budget. SourceError where none has that name."""
    listed = read_recipes(load_settings().recipes.recommender)
    wanted = name.replace(PEOPLE, "").replace(SERVED, "") or listed[0].name
    if wanted not in (known := [recipe.name for recipe in listed]):
        raise SourceError(f"no recipe is called {wanted}", f"use {', '.join(known)}")
    return sorted(listed, key=lambda recipe: recipe.name != wanted)


def calibrated(trainer: Trainer, train: Ratings, choice: Choice, out: Path) -> Trainer:
    """A trainer whose bundles have intervals, from a fit without everybody's last ratings."""
    late = last_share(train)
    trainer.fit_bundle(train.take(~late), choice.recipe, choice.blend_share, out)
    return trainer.with_intervals(out, train.take(late)).going_on()


def interval_figures(model: Recommender, split: HoldoutSplit, values: Floats) -> dict[str, float]:
    """Coverage and width of the bundle's intervals, if it has any; least coverage of a group."""
    if model.intervals is None:
        return {}
    bounds = model.intervals.of_known(split.holdout.user_ids, split.holdout.movie_ids, values)
    found = measure_intervals(model, split, values, bounds)
    names = ("coverage", "known", "strangers", "width", "one_width", "one_width_whole")
    least = {f"interval {of}": min(g["coverage"] for g in found[of]) for of in ("people", "titles")}
    return {f"interval {n}": found[n] for n in names if found[n] is not None} | least


def scale_of(train: Ratings) -> tuple[float, float]:
    """The lowest and highest stars that train knows: all answers are clipped to them."""
    return float(train.values.min()), float(train.values.max())


def error_figures(holdout: Ratings, values: Floats) -> dict[str, float]:
    """Over every held-out pair."""
    return {"rmse": rmse(values, holdout.values), "mae": mae(values, holdout.values)}


def ranking_figures(
    holdout: Ratings, people: Ints, lists: Ints
) -> tuple[dict[str, float], dict[int, float], dict[int, float]]:
    """Means over people who have a relevant title, and each one's nDCG of any and of liked ones."""
    anything = Relevant.of(holdout.user_ids, holdout.movie_ids)
    liked_rows = holdout.take(holdout.values >= LIKED)
    liked = Relevant.of(liked_rows.user_ids, liked_rows.movie_ids)
    values = ranking_metrics(anything.hits(lists), anything.counts)
    picky = ranking_metrics(liked.hits(lists[np.isin(people, liked.people)]), liked.counts)
    figures = {f"{name}@{LIST_LENGTH}": float(v.mean()) for name, v in values.items()}
    figures[f"liked ndcg@{LIST_LENGTH}"] = float(picky["ndcg"].mean()) if len(liked.people) else 0.0
    any_ndcg, liked_ndcg = values["ndcg"].tolist(), picky["ndcg"].tolist()
    return (
        figures,
        dict(zip(people.tolist(), any_ndcg)),
        dict(zip(liked.people.tolist(), liked_ndcg)),
    )


def printed(line: Line) -> Line:
    """Print a line as soon as it is known: the whole takes long."""
    shown = {k: line.figures[k] for k in ("rmse", f"ndcg@{LIST_LENGTH}") if k in line.figures}
    shown |= {k: v for k, v in line.figures.items() if k.startswith("interval ")}
    text = "  ".join(f"{k} {v:.4f}" for k, v in shown.items())
    print(
        f"{line.split:<9} seed {line.seed:<3} {line.model:<22} {text}"
        f"  {line.resources.seconds:.1f} s  {line.resources.peak_mb:.0f} MB",
        flush=True,
    )
    return line
