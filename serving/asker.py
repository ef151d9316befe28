"""Who asks: somebody the model was trained on, or somebody known by their ratings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from marquee.names import person_id
from marquee.scoring.recommender.model import Predictions, Recommendation, Recommender
from serving.catalogue import Ids
from serving.journal import Journal, ratings_now


@dataclass(frozen=True)
class Asker:
    """`ratings` is None where the model knows all there is to know of `user_id`."""

    user_id: int
    ratings: Mapping[int, float] | None = None

    def recommend(
        self, model: Recommender, n: int, allowed: Ids | None, exclude: list[int]
    ) -> list[Recommendation]:
        wanted = None if allowed is None else allowed.tolist()
        if self.ratings is None:
            return model.recommend(self.user_id, n, allowed=wanted, exclude=exclude)
        return model.recommend_for(self.ratings, n, allowed=wanted, exclude=exclude)

    def predict(self, model: Recommender, movie_ids: Ids) -> Predictions:
        if self.ratings is None:
            return model.predict(np.full(len(movie_ids), self.user_id), movie_ids)
        return model.predict_for(self.ratings, movie_ids)


def asker_of(model: Recommender, journal: Journal, user_id: str) -> Asker:
    """`user_id` is a number, or `p-<name>`: then what they said here is felt at once."""
    if user_id.isdigit():
        return Asker(int(user_id))
    number = person_id(user_id)
    now = ratings_now(model, number, journal.said(user_id))
    return Asker(number, None if now == model.ratings_of(number) else now)
