"""Recommendations: the titles that a person should watch next."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, field_validator

from serving.backend import Backend, current_champion
from serving.callers import Caller, CallerDep
from serving.engines import LoadedRecommender
from serving.follower import LoadedChampion
from serving.other_engines import EngineDep, require_trained
from serving.problems import ProblemError
from serving.routes.request_context import (
    UNKNOWN_USER,
    AnyId,
    BackendDep,
    Count,
    ModelAnswer,
    Rating,
    RequestUser,
    TitleCard,
    UserId,
    answer_origin,
    combined_strategy,
    ratings_by_number,
    refuse_boolean,
    request_user,
    title_card,
    title_number,
)
from serving.routes.star_predictions import Known, Stars
from serving.title_index import Ids, TitleIndex

router = APIRouter()
ORDERED_BY = {
    "personal": "what people with this history rate next, and what is rated lately",
    "fold-in": "what people with these likes and dislikes rate next",
    "content": "likeness to what was liked",
    "popular": "how often people have rated them lately",
}
"""What a list is ordered by, for the first strategy here that is in it."""
DIVERSITY = (
    "0 (the default) orders by the score alone; above it, titles that are unlike those before them "
    "and less popular come up from among the best candidates, and at 1 the score only says which "
    "titles are candidates"
)


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
    diversity: float = Field(default=0.0, description="as asked for")
    known: Known
    recommendations: list[Recommended]


class RecommendationsRequest(BaseModel):
    """A person by their id, and filters."""

    model_config = ConfigDict(extra="forbid")

    user_id: AnyId
    n: int = Field(default=10, ge=1, le=100)
    genre: str | None = None
    year_from: int | None = None
    year_to: int | None = None
    exclude: list[AnyId] = Field(default=[], max_length=1_000)
    diversity: float = Field(default=0.0, ge=0, le=1, allow_inf_nan=False)

    _numbers = field_validator("n", "year_from", "year_to", "diversity", mode="before")(
        refuse_boolean
    )


class AnonymousRequest(BaseModel):
    """A person known by these ratings alone, and filters."""

    model_config = ConfigDict(extra="forbid")

    ratings: list[Rating] = Field(max_length=1_000)
    n: int = Field(default=10, ge=1, le=100)
    genre: str | None = None
    year_from: int | None = None
    year_to: int | None = None
    exclude: list[AnyId] = Field(default=[], max_length=10_000)
    diversity: float = Field(default=0.0, ge=0, le=1, allow_inf_nan=False, description=DIVERSITY)

    _numbers = field_validator("n", "year_from", "year_to", "diversity", mode="before")(
        refuse_boolean
    )


@router.get("/v1/users/{user_id}/recommendations", tags=["recommendations"])
async def recommend(
    backend: BackendDep,
    caller: CallerDep,
    user_id: UserId,
    n: Count = 10,
    genre: Annotated[str | None, Query(description="only titles of this genre")] = None,
    year_from: Annotated[int | None, Query(description="only titles of this year or later")] = None,
    year_to: Annotated[int | None, Query(description="only titles of this year or earlier")] = None,
    exclude: Annotated[
        list[AnyId],
        Query(max_length=1_000, description="a title to leave out; may be given several times"),
    ] = [],  # noqa: B006 - never changed
    diversity: Annotated[
        float, Query(ge=0, le=1, allow_inf_nan=False, description=DIVERSITY)
    ] = 0.0,
    engine: EngineDep = None,
) -> RecommendationsAnswer:
    """The best titles that this person has not rated; popular titles for an unknown person.

    Of ten titles at most one is recommended by `content`: too few people have rated it.
    """
    if engine is not None:
        model = current_champion(backend.recommender).model
        require_trained(request_user(model, backend, caller, user_id).ratings)
        return await engine.answer(RecommendationsAnswer)
    request = RecommendationsRequest.model_construct(
        user_id=user_id,
        n=n,
        genre=genre,
        year_from=year_from,
        year_to=year_to,
        exclude=exclude,
        diversity=diversity,
    )
    return recommendations_for(backend, caller, request)


@router.post("/v1/recommendations", tags=["recommendations"])
async def recommend_anonymously(
    backend: BackendDep, caller: CallerDep, request: AnonymousRequest, engine: EngineDep = None
) -> RecommendationsAnswer:
    """The best titles for a person known by these ratings alone; nothing is kept."""
    if engine is not None:
        return await engine.answer(RecommendationsAnswer)
    return anonymous_recommendations(backend, caller, request)


def recommendations_for(
    backend: Backend, caller: Caller, request: RecommendationsRequest
) -> RecommendationsAnswer:
    """The answer to `recommendations`; raises a problem that says why there is none."""
    champion = current_champion(backend.recommender)
    user = request_user(champion.model, backend, caller, request.user_id)
    return _answer(champion, user, str(request.user_id), request)


def anonymous_recommendations(
    backend: Backend, _caller: Caller, request: AnonymousRequest
) -> RecommendationsAnswer:
    """The answer to `anonymous-recommendations`; raises a problem that says why there is none."""
    champion = current_champion(backend.recommender)
    stars = ratings_by_number(champion.model, request.ratings, backend.scale)
    return _answer(champion, RequestUser(UNKNOWN_USER, stars), None, request)


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
    request: RecommendationsRequest | AnonymousRequest,
) -> RecommendationsAnswer:
    model, titles = champion.model.recommender, champion.model.title_index.by_id
    allowed = allowed_movie_ids(
        champion.model.title_index, request.genre, request.year_from, request.year_to
    )
    excluded = [title_number(champion.model, m, "exclude") for m in request.exclude]
    diversity = request.diversity
    found = user.recommend(model, request.n, allowed, excluded, diversity)
    wanted = np.array([r.movie_id for r in found], dtype=np.int64)
    stars = user.predict(model, wanted).values
    ends = user.intervals(champion.model, wanted, stars)
    return RecommendationsAnswer(
        **answer_origin(champion, combined_strategy([r.strategy for r in found])),
        user_id=user_id,
        ordered_by=_ordered_by({r.strategy for r in found}, diversity),
        diversity=diversity,
        known=user.known(champion.model),
        recommendations=[
            Recommended.model_validate(
                vars(titles[r.movie_id])
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


def _ordered_by(strategies: set[str], diversity: float) -> str:
    """One sentence, because the order is not that of the stars; empty for an empty list."""
    order = next((what for how, what in ORDERED_BY.items() if how in strategies), "")
    if diversity and order:
        order += f", then varied (diversity {diversity:g}): titles unlike those before them come up"
        order += ", and less popular ones"
    return f"ordered by {order}; expected stars stand beside each title" if order else ""
