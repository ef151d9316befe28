"""Titles: find some by words, read one, list those similar to it."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query
from pydantic import Field

from serving.other_engines import EngineDep
from serving.routes.request_context import (
    UNKNOWN_USER,
    Count,
    ModelAnswer,
    MovieId,
    MovieNumber,
    RecommenderDep,
    TitleCard,
    answer_origin,
    combined_strategy,
    known_title,
    title_card,
    title_card_fields,
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


@router.get("/v1/titles")
async def find_titles(
    champion: RecommenderDep,
    q: Annotated[str, Query(max_length=200, description="words of the title")] = "",
    n: Count = 20,
) -> TitlesAnswer:
    """Titles that contain every word of `q`; the most popular titles if `q` is empty."""
    found = champion.model.title_index.search(q, n)
    strategy = "search" if q.strip() else "popular"
    return TitlesAnswer(**answer_origin(champion, strategy), titles=[title_card(t) for t in found])


@router.get("/v1/titles/{movie_id}")
async def look_up_title(champion: RecommenderDep, movie_id: MovieId) -> TitleAnswer:
    """One title, and the stars that an unknown person would give it."""
    title = known_title(champion.model, movie_id)
    found = champion.model.recommender.predict(np.array([UNKNOWN_USER]), np.array([title.movie_id]))
    return TitleAnswer(
        **answer_origin(champion, str(found.strategies[0])),
        title=title_card(title),
        mean_rating=float(found.values[0]),
    )


@router.get("/v1/titles/{movie_id}/similar")
async def similar_titles(
    champion: RecommenderDep, movie_id: MovieId, n: Count = 10, engine: EngineDep = None
) -> SimilarAnswer:
    """Titles liked by the same people; titles of similar content if too few have rated it."""
    index = champion.model.title_index
    title = known_title(champion.model, movie_id)
    if engine is not None:
        return await engine.answer(SimilarAnswer)
    found = champion.model.recommender.similar(title.movie_id, n)
    return SimilarAnswer(
        **answer_origin(champion, combined_strategy([s.strategy for s in found])),
        movie_id=title.movie_id,
        similar=[
            SimilarTitle.model_validate(
                title_card_fields(index.by_id[s.movie_id]) | {"similarity": s.similarity}
            )
            for s in found
        ],
    )
