"""Recommendations for a person, and predictions of the stars that a person would give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from serving.backend import Backend
from serving.engines import LoadedRecommender
from serving.follower import LoadedChampion
from serving.problems import ProblemError
from serving.routes.request_context import (
    UNKNOWN_USER,
    AnyId,
    BackendDep,
    Count,
    ModelAnswer,
    MovieId,
    MovieNumber,
    Rating,
    RecommenderDep,
    RequestUser,
    TitleCard,
    UserId,
    answer_origin,
    browser_safe_number,
    combined_strategy,
    known_title,
    ratings_by_number,
    request_user,
    title_card,
    title_card_fields,
    title_number,
)
from serving.title_index import Ids, TitleIndex

router = APIRouter()
ORDERED_BY = {
    "personal": "what people with this history rate next, and what is rated lately",
    "fold-in": "what people with these likes and dislikes rate next",
    "content": "likeness to what was liked",
    "popular": "how often people have rated them lately",
}
"""What a list is ordered by, for the first strategy here that is in it."""


OF_INTERVAL = "four in five ratings lie between low and high; null where the model has no intervals"
Stars = Annotated[float | None, Field(default=None, description=OF_INTERVAL)]
Known = Annotated[str, Field(default="", description="why intervals are wide; empty: known well")]


class Recommended(TitleCard):
    """One recommendation; `because` are the liked titles that count most for it.

    Where `content` recommends the title, `because` are the liked titles most like it.
    """

    score: float
    predicted_rating: float
    low: Stars
    high: Stars
    strategy: str = Field(
        description="personal, fold-in, content (from what the title is about: too few people "
        "rated it) or popular; of ten titles at most one is by content"
    )
    because: list[TitleCard]


class RecommendationsAnswer(ModelAnswer):
    """The best titles a person has not rated, best first."""

    user_id: str | None
    ordered_by: str = Field(
        default="",
        description="what the order is by, in a sentence; it is not that of the expected stars",
    )
    known: Known
    recommendations: list[Recommended]


class AnonymousRequest(BaseModel):
    """A person known by these ratings alone, and filters."""

    model_config = ConfigDict(extra="forbid")

    ratings: list[Rating] = Field(max_length=1_000)
    n: int = Field(default=10, ge=1, le=100)
    genre: str | None = None
    year_from: int | None = None
    year_to: int | None = None
    exclude: list[AnyId] = Field(default=[], max_length=10_000)


class PredictionAnswer(ModelAnswer):
    """The stars that a person would give one title."""

    user_id: str
    movie_id: MovieNumber
    name: str | None = Field(
        default=None, description="the title's id, where the release names titles by text"
    )
    title: str
    predicted_rating: float
    low: Stars
    high: Stars
    known: Known


class Pair(BaseModel):
    """A person and a title."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    user_id: AnyId = Field(description="as the release names them, or `p-<name>`")
    movie_id: AnyId = Field(description="as the release names it")


class PairsRequest(BaseModel):
    """Up to 10,000 pairs."""

    model_config = ConfigDict(extra="forbid")

    pairs: list[Pair] = Field(min_length=1, max_length=10_000)


class PairPrediction(Pair):
    """The stars for one pair, and the strategy that predicted them."""

    user_id: Annotated[AnyId, PlainSerializer(browser_safe_number, return_type=int | str)]
    movie_id: Annotated[AnyId, PlainSerializer(browser_safe_number, return_type=int | str)]
    predicted_rating: float
    low: Stars
    high: Stars
    strategy: str
    known: Known


class PredictionsAnswer(ModelAnswer):
    """Predictions in the order of the request; `strategy` is `mixed` if they differ in it."""

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
    """The best titles that this person has not rated; popular titles for an unknown person.

    Of ten titles at most one is recommended by `content`: too few people have rated it.
    """
    user = request_user(champion.model, backend, user_id)
    allowed = allowed_movie_ids(champion.model.title_index, genre, year_from, year_to)
    return _answer(champion, user, user_id, n, allowed, exclude)


@router.post("/v1/recommendations", tags=["recommendations"])
async def recommend_anonymously(
    backend: BackendDep, champion: RecommenderDep, request: AnonymousRequest
) -> RecommendationsAnswer:
    """The best titles for a person known by these ratings alone; nothing is kept."""
    loaded = champion.model
    user = RequestUser(UNKNOWN_USER, ratings_by_number(loaded, request.ratings, backend.scale))
    allowed = allowed_movie_ids(
        loaded.title_index, request.genre, request.year_from, request.year_to
    )
    return _answer(champion, user, None, request.n, allowed, request.exclude)


@router.get("/v1/users/{user_id}/predictions/{movie_id}", tags=["predictions"])
async def predict(
    backend: BackendDep, champion: RecommenderDep, user_id: UserId, movie_id: MovieId
) -> PredictionAnswer:
    """The stars that this person would give; the title's mean rating for an unknown person."""
    user = request_user(champion.model, backend, user_id)
    title = known_title(champion.model, movie_id)
    wanted = np.array([title.movie_id])
    found = user.predict(champion.model.recommender, wanted)
    [(low, high)] = user.intervals(champion.model, wanted, found.values)
    return PredictionAnswer(
        **answer_origin(champion, str(found.strategies[0])),
        user_id=user_id,
        movie_id=title.movie_id,
        name=title.name,
        title=title.title,
        predicted_rating=float(found.values[0]),
        low=low,
        high=high,
        known=user.known(champion.model.recommender),
    )


@router.post("/v1/predictions", tags=["predictions"])
def predict_many(
    backend: BackendDep, champion: RecommenderDep, request: PairsRequest
) -> PredictionsAnswer:
    """The stars for up to 10,000 pairs; every pair gets an answer."""
    found = _predict_pairs(champion.model, backend, request.pairs)
    return PredictionsAnswer(
        **answer_origin(champion, combined_strategy([p.strategy for p in found])), predictions=found
    )


def allowed_movie_ids(
    index: TitleIndex, genre: str | None, year_from: int | None, year_to: int | None
) -> Ids | None:
    """The movie ids that pass the filter; a 422 problem for an unknown genre."""
    try:
        return index.allowed(genre, year_from, year_to)
    except KeyError:
        known = ", ".join(index.genres)
        raise ProblemError(422, f"there is no genre '{genre}'", f"choose one of {known}") from None


def _answer(
    champion: LoadedChampion[LoadedRecommender],
    user: RequestUser,
    user_id: str | None,
    n: int,
    allowed: Ids | None,
    exclude: Sequence[int | str],
) -> RecommendationsAnswer:
    model, titles = champion.model.recommender, champion.model.title_index.by_id
    excluded = [title_number(champion.model, m, "exclude") for m in exclude]
    found = user.recommend(model, n, allowed, excluded)
    wanted = np.array([r.movie_id for r in found], dtype=np.int64)
    stars = user.predict(model, wanted).values
    ends = user.intervals(champion.model, wanted, stars)
    return RecommendationsAnswer(
        **answer_origin(champion, combined_strategy([r.strategy for r in found])),
        user_id=user_id,
        ordered_by=_ordered_by({r.strategy for r in found}),
        known=user.known(model),
        recommendations=[
            Recommended.model_validate(
                title_card_fields(titles[r.movie_id])
                | {
                    "score": r.score,
                    "predicted_rating": round(rating, 3),
                    "low": low,
                    "high": high,
                    "strategy": r.strategy,
                    "because": [title_card(titles[m]) for m in r.because],
                }
            )
            for r, rating, (low, high) in zip(found, stars.tolist(), ends, strict=True)
        ],
    )


def _ordered_by(strategies: set[str]) -> str:
    """One sentence, because the order is not that of the stars; empty for an empty list."""
    order = next((what for how, what in ORDERED_BY.items() if how in strategies), "")
    return f"ordered by {order}; expected stars stand beside each title" if order else ""


def _predict_pairs(
    loaded: LoadedRecommender, backend: Backend, pairs: list[Pair]
) -> list[PairPrediction]:
    """Predict all pairs of one person together, so that each fold-in is solved only once."""
    numbers = [title_number(loaded, pair.movie_id) for pair in pairs]
    rows_of_user: dict[str, list[int]] = {}
    for row, pair in enumerate(pairs):
        rows_of_user.setdefault(str(pair.user_id), []).append(row)
    answers: dict[int, PairPrediction] = {}
    for user_id, rows in rows_of_user.items():
        wanted = np.array([numbers[row] for row in rows], dtype=np.int64)
        user = request_user(loaded, backend, user_id)
        found = user.predict(loaded.recommender, wanted)
        ends, known = user.intervals(loaded, wanted, found.values), user.known(loaded.recommender)
        each = zip(rows, found.values.tolist(), ends, found.strategies, strict=True)
        for row, stars, (low, high), how in each:
            answers[row] = PairPrediction(
                user_id=pairs[row].user_id,
                movie_id=pairs[row].movie_id,
                predicted_rating=stars,
                low=low,
                high=high,
                strategy=str(how),
                known=known,
            )
    return [answers[row] for row in range(len(pairs))]
