"""Two evaluations of cold titles, inside the train rows of a split; see `bench/cold_titles.py`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pyspark.sql import SparkSession

from bench.recommender_comparison import AS_OF, INNER_SHARE, scale_of
from bench.recommender_splits import Split, is_late
from marquee.errors import SourceError
from scoring.arrays import Floats, Ints, Rows, rows_of, top_rows
from scoring.recommender.content import TITLES_PER_COLD_TITLE, ContentFacts, ContentMap
from scoring.recommender.holdout import (
    LIST_LENGTH,
    Relevant,
    last_share,
    random_share,
    ranking_metrics,
)
from scoring.recommender.ratings_arrays import Ratings
from scoring.recommender.ratings_files import Release
from sources.titles_imdb5000 import read_imdb5000
from spark_apps.recommender.families import fit_ranker
from spark_apps.recommender.fitted_order import FittedOrder
from spark_apps.recommender.indexed_ratings import IndexedRatings
from spark_apps.recommender.recipes import RecommenderRecipe
from spark_apps.recommender.trainer import Trainer
from spark_apps.recommender.training_titles import words_table

Figures = dict[str, dict[str, float]]
PEOPLE = ("directors", "writers", "cast")


@dataclass(frozen=True)
class Setting:
    """What both evaluations share; `metadata` is IMDB 5000's file, or None."""

    spark: SparkSession
    release: Release
    split: Split
    recipe: RecommenderRecipe
    metadata: Path | None

    def trainer(self, genres_only: bool = False) -> Trainer:
        """A trainer that knows the titles, by all their metadata or by genres alone."""
        clip = scale_of(self.split.train)
        words = words_table(list(self._rows(genres_only)))
        return Trainer(self.spark, self.release.titles, clip, AS_OF, seed=1, words=words)

    def _rows(self, genres_only: bool) -> Iterator[dict[str, Any]]:
        more = {r["title_id"]: r for r in read_imdb5000(self.metadata)} if self.metadata else {}
        for title in self.release.titles.values():
            row: dict[str, Any] = {"movie_id": title.movie_id, "genres": list(title.genres)}
            record = more.get(title.title_id, {})
            named = {role: [p["name"] for p in record.get(role, ())] for role in PEOPLE}
            yield row if genres_only else {**record, **named, **row, "year": title.year}


@dataclass(frozen=True)
class Fitted:
    """A ranker on some rows, and a content map of its titles."""

    order: FittedOrder
    content: ContentMap

    @property
    def ratings(self) -> IndexedRatings:
        """The rows of the fit."""
        return self.order.ratings

    @classmethod
    def on(cls, rows: Ratings, setting: Setting, trainer: Trainer) -> Fitted:
        """Fit both as the training job does."""
        ratings = trainer.index(rows)
        frame = ratings.frame(setting.spark)
        ranker = fit_ranker(ratings, frame, setting.recipe.ranker, trainer.seed)
        order = FittedOrder(ratings, ranker, trainer.clip, setting.recipe.lately)
        return cls(order, cls.map_of(order, setting, trainer))

    @staticmethod
    def map_of(order: FittedOrder, setting: Setting, trainer: Trainer) -> ContentMap:
        """The scorer's map, with the penalty that training chose."""
        fit = trainer.fit_content(order, setting.recipe.content)
        if fit is None:
            raise SourceError("the release tells nothing of its titles", "give one with genres")
        print(f"  {fit.note()}", flush=True)
        return ContentMap(fit.vectors, order.ranker.known, ContentFacts(fit.ridge, fit.optimism))


def hidden_titles(setting: Setting, seeds: Sequence[int]) -> Figures:
    """Mean figures among hidden titles, by method."""
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    for seed in seeds:
        for model, figures in _hidden_once(setting, seed).items():
            found[model].append(figures)
    return {m: {k: float(np.mean([f[k] for f in fs])) for k in fs[0]} for m, fs in found.items()}


def _hidden_once(setting: Setting, seed: int) -> Figures:
    train, rng = setting.split.train, np.random.default_rng(seed)
    movies = np.unique(train.movie_ids)
    hidden = np.sort(rng.choice(movies, max(1, len(movies) // 10), replace=False))
    is_hidden = np.isin(train.movie_ids, hidden)
    trainer = setting.trainer()
    full = Fitted.on(train.take(~is_hidden), setting, trainer)
    genres = replace(full, content=Fitted.map_of(full.order, setting, setting.trainer(True)))
    held_out = train.take(is_hidden)
    held_out = held_out.take(np.isin(held_out.user_ids, full.ratings.catalogue.user_ids))
    relevant = Relevant.of(held_out.user_ids, held_out.movie_ids)
    rows = rows_of(full.ratings.catalogue.movie_ids, hidden)
    lists = {name: np.full((len(relevant.people), LIST_LENGTH), -1) for name in NAMES}
    for place, person in enumerate(relevant.people.tolist()):
        user = int(rows_of(full.ratings.catalogue.user_ids, np.array([person]))[0])
        for name, scores in zip(
            NAMES, _scores_by_method(full, genres, user, rows, rng), strict=True
        ):
            best = hidden[top_rows(scores, LIST_LENGTH)]
            lists[name][place, : len(best)] = best
    return {name: _figures(relevant, found) for name, found in lists.items()}


NAMES = ("chance", "nearness of content", "genres alone", "content")


def _scores_by_method(
    full: Fitted, genres: Fitted, user: int, rows: Rows, rng: np.random.Generator
) -> Iterator[Floats]:
    """Scores of the hidden titles `rows` by each of `NAMES`."""
    history = full.order.history(user)
    rated, scores = history.rows, full.order.scores(user, history)
    yield rng.random(len(rows))
    yield full.content.likeness(rated)[rows]
    for fitted in (genres, full):
        cold, every = fitted.content.score(scores), np.full(len(scores), scores.min())
        every[cold.rows] = cold.values
        yield every[rows]


def _figures(relevant: Relevant, lists: Ints) -> dict[str, float]:
    values = ranking_metrics(relevant.hits(lists), relevant.counts)
    return {f"{name}@{LIST_LENGTH}": float(values[name].mean()) for name in ("ndcg", "recall")}


def last_place(setting: Setting) -> Figures:
    """nDCG@10 of whole lists on an inner split of rows: without, always, and as they ship."""
    train = setting.split.train
    late = is_late(setting.split.name)
    held = last_share(train) if late else random_share(train, 1, INNER_SHARE)
    fitted = Fitted.on(train.take(~held), setting, setting.trainer())
    rows = train.take(held & np.isin(train.user_ids, fitted.ratings.catalogue.user_ids))
    relevant = Relevant.of(rows.user_ids, rows.movie_ids)
    bold = replace(fitted.content.facts, optimism=np.inf)
    always = ContentMap(fitted.content.vectors, fitted.order.ranker.known, bold)
    maps = {"no cold title": None, "always one": always, "as shipped": fitted.content}
    return {name: _place(fitted, content, relevant) for name, content in maps.items()}


def _place(fitted: Fitted, content: ContentMap | None, relevant: Relevant) -> dict[str, float]:
    ids, known = fitted.ratings.catalogue.movie_ids, fitted.order.ranker.known
    lists, cold = np.full((len(relevant.people), LIST_LENGTH), -1), 0
    users = rows_of(fitted.ratings.catalogue.user_ids, relevant.people)
    for place, user in enumerate(users.tolist()):
        history = fitted.order.history(user)
        rated, scores = history.rows, fitted.order.scores(user, history)
        excluded = np.zeros(len(ids), dtype=np.bool_)
        excluded[rated] = True
        best = top_rows(np.where(excluded | ~known, -np.inf, scores), LIST_LENGTH)
        if content is not None:
            found = content.score(scores).best(excluded, LIST_LENGTH // TITLES_PER_COLD_TITLE)
            best, _ = content.admit(best, scores[best], found, LIST_LENGTH)
        cold += int((~known[best]).sum())
        lists[place, : len(best)] = ids[best]
    shares = {"lists with one": cold / len(users)}
    return _figures(relevant, lists) | shares
