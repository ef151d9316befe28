"""What to watch next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query

from serving.answers import (
    AnonymousRequest,
    AnyId,
    Count,
    RecommendationsAnswer,
    Recommended,
    UserId,
)
from serving.asker import Asker
from serving.catalogue import Catalogue, Ids
from serving.follower import Champion
from serving.loading import LoadedRecommender
from serving.problems import ProblemError
from serving.routes.context import (
    RecommenderHere,
    SourceHere,
    asker_in,
    by_number,
    card,
    one_strategy,
    stamp,
    title_card,
    title_number,
)

router = APIRouter(tags=["recommendations"])


@router.get("/v1/users/{user_id}/recommendations")
async def recommend(
    source: SourceHere,
    champion: RecommenderHere,
    user_id: UserId,
    n: Count = 10,
    genre: str | None = None,
    year_from: int | None = None,
    year_to: int | None = None,
    exclude: Annotated[list[AnyId], Query(max_length=1_000)] = [],  # noqa: B006 - never changed
) -> RecommendationsAnswer:
    """The best titles this person has not rated; of ten at most one is new to most (`content`).
    A stranger gets what is popular."""
    asker = asker_in(champion.model, source, user_id)
    allowed = allowed_by(champion.model.catalogue, genre, year_from, year_to)
    return _answer(champion, asker, user_id, n, allowed, exclude)


@router.post("/v1/recommendations")
async def recommend_anonymously(
    source: SourceHere, champion: RecommenderHere, asked: AnonymousRequest
) -> RecommendationsAnswer:
    """The best titles for somebody known by these ratings alone; nothing is kept."""
    asker = Asker(-1, by_number(champion.model, asked.ratings, source.scale))
    allowed = allowed_by(champion.model.catalogue, asked.genre, asked.year_from, asked.year_to)
    return _answer(champion, asker, None, asked.n, allowed, asked.exclude)


def allowed_by(
    catalogue: Catalogue, genre: str | None, year_from: int | None, year_to: int | None
) -> Ids | None:
    """The filter as movie ids; a 422 problem for a genre nobody knows."""
    try:
        return catalogue.allowed(genre, year_from, year_to)
    except KeyError:
        known = ", ".join(catalogue.genres)
        raise ProblemError(422, f"there is no genre '{genre}'", f"choose one of {known}") from None


def _answer(
    champion: Champion[LoadedRecommender],
    asker: Asker,
    user_id: str | None,
    n: int,
    allowed: Ids | None,
    exclude: Sequence[int | str],
) -> RecommendationsAnswer:
    model, titles = champion.model.model, champion.model.catalogue.by_id
    left_out = [title_number(champion.model, m, "exclude") for m in exclude]
    found = asker.recommend(model, n, allowed, left_out)
    stars = asker.predict(model, np.array([r.movie_id for r in found], dtype=np.int64)).values
    return RecommendationsAnswer(
        **stamp(champion, one_strategy([r.strategy for r in found])),
        user_id=user_id,
        recommendations=[
            Recommended.model_validate(
                card(titles[r.movie_id])
                | {
                    "score": r.score,
                    "predicted_rating": round(rating, 3),
                    "strategy": r.strategy,
                    "because": [title_card(titles[m]) for m in r.because],
                }
            )
            for r, rating in zip(found, stars.tolist(), strict=True)
        ],
    )
