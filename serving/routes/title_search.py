"""Titles: find some by words, read one, list those similar to it."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, field_validator

from serving.backend import Backend, current_champion
from serving.callers import Caller, CallerDep
from serving.other_engines import EngineDep
from serving.routes.request_context import (
    UNKNOWN_USER,
    AnyId,
    BackendDep,
    Count,
    ModelAnswer,
    MovieId,
    MovieNumber,
    TitleCard,
    answer_origin,
    combined_strategy,
    known_title,
    refuse_boolean,
    title_card,
)

router = APIRouter(tags=["titles"])


class TitlesAnswer(ModelAnswer):
    """The titles that match, best match first, then most popular first."""

    titles: list[TitleCard]


class TitleAnswer(ModelAnswer):
    """One title."""

    title: TitleCard
    mean_rating: float | None = Field(description="stars that an unknown person would give")


class SimilarTitle(TitleCard):
    """A title similar to another; `similarity` is a cosine or a weight."""

    similarity: float


class SimilarAnswer(ModelAnswer):
    """Similar titles: liked by the same people (`similar`), or of similar content (`content`)."""

    movie_id: MovieNumber
    similar: list[SimilarTitle]


class SearchRequest(BaseModel):
    """Words of a title; the most popular titles without any."""

    model_config = ConfigDict(extra="forbid")

    q: str = Field(default="", max_length=200)
    n: int = Field(default=20, ge=1, le=100)

    _numbers = field_validator("n", mode="before")(refuse_boolean)


class TitleRequest(BaseModel):
    """A title by its id."""

    model_config = ConfigDict(extra="forbid")

    movie_id: AnyId


class SimilarRequest(TitleRequest):
    """A title by its id, and how many titles to list."""

    n: int = Field(default=10, ge=1, le=100)

    _numbers = field_validator("n", mode="before")(refuse_boolean)


@router.get("/v1/titles")
async def find_titles(
    backend: BackendDep,
    caller: CallerDep,
    q: Annotated[str, Query(max_length=200, description="words of the title")] = "",
    n: Count = 20,
) -> TitlesAnswer:
    """Titles that contain every word of `q`; the most popular titles if `q` is empty."""
    return titles_found(backend, caller, SearchRequest.model_construct(q=q, n=n))


@router.get("/v1/titles/{movie_id}")
async def look_up_title(backend: BackendDep, caller: CallerDep, movie_id: MovieId) -> TitleAnswer:
    """One title, and the stars that an unknown person would give it."""
    return title_of(backend, caller, TitleRequest.model_construct(movie_id=movie_id))


@router.get("/v1/titles/{movie_id}/similar")
async def similar_titles(
    backend: BackendDep,
    caller: CallerDep,
    movie_id: MovieId,
    n: Count = 10,
    engine: EngineDep = None,
) -> SimilarAnswer:
    """Titles liked by the same people; titles of similar content if too few have rated it."""
    if engine is not None:
        known_title(current_champion(backend.recommender).model, movie_id)
        return await engine.answer(SimilarAnswer)
    return titles_similar(backend, caller, SimilarRequest.model_construct(movie_id=movie_id, n=n))


def titles_found(backend: Backend, _caller: Caller, request: SearchRequest) -> TitlesAnswer:
    """The answer to `titles`; raises a 503 problem where no model serves."""
    champion = current_champion(backend.recommender)
    found = champion.model.title_index.search(request.q, request.n)
    strategy = "search" if request.q.strip() else "popular"
    return TitlesAnswer(**answer_origin(champion, strategy), titles=[title_card(t) for t in found])


def title_of(backend: Backend, _caller: Caller, request: TitleRequest) -> TitleAnswer:
    """The answer to `title`; raises a problem (404, 422, 503) that says why there is none."""
    champion = current_champion(backend.recommender)
    title = known_title(champion.model, request.movie_id)
    found = champion.model.recommender.predict(np.array([UNKNOWN_USER]), np.array([title.movie_id]))
    return TitleAnswer(
        **answer_origin(champion, str(found.strategies[0])),
        title=title_card(title),
        mean_rating=float(found.values[0]),
    )


def titles_similar(backend: Backend, _caller: Caller, request: SimilarRequest) -> SimilarAnswer:
    """The answer to `similar`; raises a problem (404, 422, 503) that says why there is none."""
    champion = current_champion(backend.recommender)
    index = champion.model.title_index
    title = known_title(champion.model, request.movie_id)
    found = champion.model.recommender.similar(title.movie_id, request.n)
    return SimilarAnswer(
        **answer_origin(champion, combined_strategy([s.strategy for s in found])),
        movie_id=title.movie_id,
        similar=[
            SimilarTitle.model_validate(
                vars(index.by_id[s.movie_id]) | {"similarity": s.similarity}
            )
            for s in found
        ],
    )
