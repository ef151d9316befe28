"""What a person would like: the titles to watch next, and how they would rate a title."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from serving.backend import Backend
from serving.engines import LoadedRecommender
from serving.follower import Champion
from serving.problems import ProblemError
from serving.routes.request_context import (
    STRANGER,
    Answer,
    AnyId,
    BackendDep,
    Count,
    MovieId,
    MovieNumber,
    Rating,
    RecommenderDep,
    RequestUser,
    TitleCard,
    UserId,
    card,
    exact_number,
    known_title,
    one_strategy,
    ratings_by_number,
    request_user,
    stamp,
    title_card,
    title_number,
)
from serving.title_index import Ids, TitleIndex

router = APIRouter()


class Recommended(TitleCard):
    """One recommendation; `because` are the rated titles that speak for it most, or, where
    `content` recommends it, those most like it."""

    score: float
    predicted_rating: float
    strategy: str = Field(
        description="personal, fold-in, content (from what the title is: too few rated it) or "
        "popular; of ten titles at most one new one is content's"
    )
    because: list[TitleCard]


class RecommendationsAnswer(Answer):
    """The best titles a person has not rated, best first."""

    user_id: str | None
    recommendations: list[Recommended]


class AnonymousRequest(BaseModel):
    """Somebody we know by these ratings alone."""

    model_config = ConfigDict(extra="forbid")

    ratings: list[Rating] = Field(max_length=1_000)
    n: int = Field(default=10, ge=1, le=100)
    genre: str | None = None
    year_from: int | None = None
    year_to: int | None = None
    exclude: list[AnyId] = Field(default=[], max_length=10_000)


class PredictionAnswer(Answer):
    """How a person would rate one title, in stars."""

    user_id: str
    movie_id: MovieNumber
    name: str | None = Field(default=None, description="what the release calls the title, by text")
    title: str
    predicted_rating: float


class Pair(BaseModel):
    """A person and a title."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    user_id: AnyId = Field(description="as the release names them, or `p-<name>`")
    movie_id: AnyId = Field(description="as the release names it")


class PairsRequest(BaseModel):
    """Many pairs at once."""

    model_config = ConfigDict(extra="forbid")

    pairs: list[Pair] = Field(min_length=1, max_length=10_000)


class PairPrediction(Pair):
    """One pair's stars, and how they were reached."""

    user_id: Annotated[AnyId, PlainSerializer(exact_number, return_type=int | str)]
    movie_id: Annotated[AnyId, PlainSerializer(exact_number, return_type=int | str)]
    predicted_rating: float
    strategy: str


class PredictionsAnswer(Answer):
    """In the order of the request; `strategy` is `mixed` where the pairs' strategies differ."""

    predictions: list[PairPrediction]


@router.get("/v1/users/{user_id}/recommendations", tags=["recommendations"])
async def recommend(
    backend: BackendDep,
    champion: RecommenderDep,
    user_id: UserId,
    n: Count = 10,
    genre: str | None = None,
    year_from: int | None = None,
    year_to: int | None = None,
    exclude: Annotated[list[AnyId], Query(max_length=1_000)] = [],  # noqa: B006 - never changed
) -> RecommendationsAnswer:
    """The best titles this person has not rated; of ten at most one is new to most (`content`).
    A stranger gets what is popular."""
    user = request_user(champion.model, backend, user_id)
    allowed = allowed_by(champion.model.title_index, genre, year_from, year_to)
    return _answer(champion, user, user_id, n, allowed, exclude)


@router.post("/v1/recommendations", tags=["recommendations"])
async def recommend_anonymously(
    backend: BackendDep, champion: RecommenderDep, request: AnonymousRequest
) -> RecommendationsAnswer:
    """The best titles for somebody known by these ratings alone; nothing is kept."""
    loaded = champion.model
    user = RequestUser(STRANGER, ratings_by_number(loaded, request.ratings, backend.scale))
    allowed = allowed_by(loaded.title_index, request.genre, request.year_from, request.year_to)
    return _answer(champion, user, None, request.n, allowed, request.exclude)


@router.get("/v1/users/{user_id}/predictions/{movie_id}", tags=["predictions"])
async def predict(
    backend: BackendDep, champion: RecommenderDep, user_id: UserId, movie_id: MovieId
) -> PredictionAnswer:
    """Stars this person would give; for a stranger, what people give the title on average."""
    user = request_user(champion.model, backend, user_id)
    title = known_title(champion.model, movie_id)
    found = user.predict(champion.model.recommender, np.array([title.movie_id]))
    return PredictionAnswer(
        **stamp(champion, str(found.strategies[0])),
        user_id=user_id,
        movie_id=title.movie_id,
        name=title.name,
        title=title.title,
        predicted_rating=float(found.values[0]),
    )


@router.post("/v1/predictions", tags=["predictions"])
def predict_many(
    backend: BackendDep, champion: RecommenderDep, request: PairsRequest
) -> PredictionsAnswer:
    """Stars for up to 10,000 pairs, in the order of the request; every pair is answered."""
    found = _predict_pairs(champion.model, backend, request.pairs)
    return PredictionsAnswer(
        **stamp(champion, one_strategy([p.strategy for p in found])), predictions=found
    )


def allowed_by(
    index: TitleIndex, genre: str | None, year_from: int | None, year_to: int | None
) -> Ids | None:
    """The filter as movie ids; a 422 problem for a genre nobody knows."""
    try:
        return index.allowed(genre, year_from, year_to)
    except KeyError:
        known = ", ".join(index.genres)
        raise ProblemError(422, f"there is no genre '{genre}'", f"choose one of {known}") from None


def _answer(
    champion: Champion[LoadedRecommender],
    user: RequestUser,
    user_id: str | None,
    n: int,
    allowed: Ids | None,
    exclude: Sequence[int | str],
) -> RecommendationsAnswer:
    model, titles = champion.model.recommender, champion.model.title_index.by_id
    excluded = [title_number(champion.model, m, "exclude") for m in exclude]
    found = user.recommend(model, n, allowed, excluded)
    stars = user.predict(model, np.array([r.movie_id for r in found], dtype=np.int64)).values
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


def _predict_pairs(
    loaded: LoadedRecommender, backend: Backend, pairs: list[Pair]
) -> list[PairPrediction]:
    """Predict all pairs of one person together, so that a fold-in is solved once."""
    numbers = [title_number(loaded, pair.movie_id) for pair in pairs]
    rows_of_user: dict[str, list[int]] = {}
    for row, pair in enumerate(pairs):
        rows_of_user.setdefault(str(pair.user_id), []).append(row)
    answers: dict[int, PairPrediction] = {}
    for user_id, rows in rows_of_user.items():
        wanted = np.array([numbers[row] for row in rows], dtype=np.int64)
        found = request_user(loaded, backend, user_id).predict(loaded.recommender, wanted)
        for row, stars, how in zip(rows, found.values.tolist(), found.strategies, strict=True):
            answers[row] = PairPrediction(
                user_id=pairs[row].user_id,
                movie_id=pairs[row].movie_id,
                predicted_rating=stars,
                strategy=str(how),
            )
    return [answers[row] for row in range(len(pairs))]
