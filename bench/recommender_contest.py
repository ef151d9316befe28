"""One contestant on one split: trained, timed, asked, measured."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from pyspark.sql import SparkSession

from bench.measuring import Taken, taken
from bench.peers_ranking import peers as ranking_peers
from bench.peers_rating import PEERS as RATING_PEERS
from bench.peers_rating import Task
from bench.recommender_splits import Cut, is_late
from marquee.errors import SourceError
from marquee.settings import load_settings
from scoring.arrays import Floats, Ints
from scoring.recommender.exam import LIKED
from scoring.recommender.metrics import AT, Relevant, mae, ranking_values, rmse
from scoring.recommender.model import Recommender
from scoring.recommender.ratings import Ratings
from scoring.recommender.releases import OFFICIAL, Release
from scoring.recommender.splits import random_share
from spark_apps.recommender.affordable import affordable_recipes
from spark_apps.recommender.bayes.sides import Sides, sides_of_people, sides_of_titles
from spark_apps.recommender.fitting import Trainer
from spark_apps.recommender.recipes import RecommenderRecipe, read_recipes
from spark_apps.recommender.search import choose

OURS = "marquee"
ERROR_SPLITS = (*OFFICIAL, "global", "last20")
RANKING_SPLITS = ("random75", "last20")
AS_OF = "2026-01-01T00:00:00Z"
INNER_SHARE = 0.9  # of train that a recipe is tried on where rows are held out by lot
PEOPLE = "+demographics"  # after a recipe's name: with what a release tells of its people
OTHERS = dict.fromkeys(OFFICIAL, ("bayes-20" + PEOPLE,)) | {"random75": ("bayes-16-all-alike",)}
"""Recipes of config/ that stand beside the default on splits by lot, by name. They were settled on
inner splits (bench/logs/); a run trains the default and knows no demographics."""
FEW = 3_000
"""Rows of the fit that only warms Spark up."""


@dataclass(frozen=True)
class Line:
    """One model on one split with one seed; `people` holds each person's nDCG where it ranks."""

    split: str
    seed: int
    model: str
    taken: Taken
    figures: dict[str, float]
    facts: dict[str, Any] = field(default_factory=dict)
    people: dict[int, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Without the people."""
        cost = {
            "seconds": round(self.taken.seconds, 2),
            "cpu_seconds": round(self.taken.cpu_seconds, 2),
            "peak_mb": round(self.taken.peak_mb),
        }
        head = {"split": self.split, "seed": self.seed, "model": self.model}
        return head | self.figures | cost | self.facts


@dataclass
class Contest:
    """What all contestants share."""

    spark: SparkSession
    release: Release
    search: str

    def warm_up(self) -> None:
        """A small fit, thrown away: a JVM's first is four times as slow as its second."""
        rows = self.release.ratings
        few = Cut("warm-up", rows.take(np.arange(min(len(rows), FEW))), rows)
        with tempfile.TemporaryDirectory() as folder:
            self._train(few, 1, Path(folder), "")

    def ours(self, parts: Cut, seed: int, names: Sequence[str] | None) -> Iterator[Line]:
        """The default as a run trains and serves it, then the recipes asked for, or those that
        stand beside it on this split; SourceError for a stranger."""
        for name in ("", *(OTHERS.get(parts.name, ()) if names is None else names)):
            yield self._own(parts, seed, name)

    def _own(self, parts: Cut, seed: int, name: str) -> Line:
        """Search, fit, bundle; then both kinds of questions."""
        with tempfile.TemporaryDirectory() as folder:
            with taken() as cost:
                recipe, facts = self._train(parts, seed, Path(folder), name)
            model = Recommender.load(Path(folder) / "bundle")
            asked = parts.holdout
            values = model.predict(asked.user_ids, asked.movie_ids).values
            people = np.unique(asked.user_ids)
            lists = model.top_unseen(people, AT)
        figures, ndcg = ranking_figures(parts.holdout, people, lists)
        facts = {"recipe": recipe, **facts}
        figures = error_figures(parts.holdout, values) | figures
        model_name = f"{OURS} {name}" if name else OURS
        return said(Line(parts.name, seed, model_name, cost, figures, facts, ndcg))

    def peers(self, parts: Cut, seed: int, names: Sequence[str] | None) -> Iterator[Line]:
        """The peers asked for, or those that belong to the split; SourceError for a stranger."""
        for name in self._names(parts.name, names):
            peer = self._rating_peer if name in RATING_PEERS else self._ranking_peer
            yield said(peer(name, parts, seed))

    def _names(self, split: str, names: Sequence[str] | None) -> list[str]:
        if names is not None:
            strangers = set(names) - {"none", *RATING_PEERS, *ranking_peers()}
            if strangers:
                known = ", ".join([*RATING_PEERS, *ranking_peers()])
                raise SourceError(f"no peer is called {', '.join(strangers)}", f"use {known}")
            return [n for n in names if n != "none"]
        rating = [*RATING_PEERS] if split in ERROR_SPLITS else []
        return rating + ([*ranking_peers()] if split in RANKING_SPLITS else [])

    @cached_property
    def sides(self) -> Sides:
        """What the release tells of people and titles: for peers, and for recipes that say so."""
        titles = sides_of_titles(self.release.titles).titles
        return Sides(sides_of_people(self.release.people), titles)

    def _train(self, parts: Cut, seed: int, out: Path, name: str) -> tuple[str, dict[str, Any]]:
        """The recipe's name, and what the search tried."""
        clip, given = scale_of(parts.train), self.sides if name.endswith(PEOPLE) else None
        trainer = Trainer(self.spark, self.release.titles, clip, AS_OF, seed, given)
        recipes, notes = affordable_recipes(recipes_from(name), trainer, parts.train)
        held = None if is_late(parts.name) else random_share(parts.train, seed, INNER_SHARE)
        if self.search == "none":
            recipes = recipes[:1]
        choice = choose(trainer, parts.train, recipes, held)
        notes += trainer.fit_bundle(parts.train, choice.recipe, choice.weight, out / "bundle")
        return choice.recipe.name, {"tried": choice.tried(), "notes": notes}

    def _rating_peer(self, name: str, parts: Cut, seed: int) -> Line:
        clip = scale_of(parts.train)
        late = is_late(parts.name)
        task = Task(parts.train, parts.holdout, clip, seed, self.sides, self.spark, late)
        with taken() as cost:
            values = RATING_PEERS[name](task)
        return Line(parts.name, seed, name, cost, error_figures(parts.holdout, values))

    def _ranking_peer(self, name: str, parts: Cut, seed: int) -> Line:
        people = np.unique(parts.holdout.user_ids)
        known = [*self.release.titles]
        catalogue = np.union1d(self.release.ratings.movie_ids, np.array(known, dtype=np.int64))
        with taken() as cost:
            peer = ranking_peers(is_late(parts.name))[name]
            lists = peer(parts.train, people, catalogue, seed)
        figures, ndcg = ranking_figures(parts.holdout, people, lists)
        return Line(parts.name, seed, name, cost, figures, {}, ndcg)


def recipes_from(name: str) -> list[RecommenderRecipe]:
    """All of config/, the one to prefer (or the default) first; those after it stand in for one
    over budget. SourceError where none has that name."""
    listed = read_recipes(load_settings().recipes.recommender)
    wanted = name.removesuffix(PEOPLE) or listed[0].name
    if wanted not in (known := [recipe.name for recipe in listed]):
        raise SourceError(f"no recipe is called {wanted}", f"use {', '.join(known)}")
    return sorted(listed, key=lambda recipe: recipe.name != wanted)


def scale_of(train: Ratings) -> tuple[float, float]:
    """The lowest and highest stars that train knows: all answers are clipped to them."""
    return float(train.values.min()), float(train.values.max())


def error_figures(holdout: Ratings, values: Floats) -> dict[str, float]:
    """Over every held-out pair."""
    return {"rmse": rmse(values, holdout.values), "mae": mae(values, holdout.values)}


def ranking_figures(
    holdout: Ratings, people: Ints, lists: Ints
) -> tuple[dict[str, float], dict[int, float]]:
    """Means over people who have a relevant title, and each one's nDCG."""
    anything = Relevant.of(holdout.user_ids, holdout.movie_ids)
    liked_rows = holdout.take(holdout.values >= LIKED)
    liked = Relevant.of(liked_rows.user_ids, liked_rows.movie_ids)
    values = ranking_values(anything.hits(lists), anything.counts)
    picky = ranking_values(liked.hits(lists[np.isin(people, liked.people)]), liked.counts)
    figures = {f"{name}@{AT}": float(v.mean()) for name, v in values.items()}
    figures[f"liked ndcg@{AT}"] = float(picky["ndcg"].mean()) if len(liked.people) else 0.0
    return figures, dict(zip(people.tolist(), values["ndcg"].tolist()))


def said(line: Line) -> Line:
    """Printed as soon as it is known: the whole takes long."""
    shown = {k: line.figures[k] for k in ("rmse", f"ndcg@{AT}") if k in line.figures}
    text = "  ".join(f"{k} {v:.4f}" for k, v in shown.items())
    print(
        f"{line.split:<9} seed {line.seed:<3} {line.model:<22} {text}"
        f"  {line.taken.seconds:.1f} s  {line.taken.peak_mb:.0f} MB",
        flush=True,
    )
    return line
