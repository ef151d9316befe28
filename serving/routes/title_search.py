"""Titles: find them, read one, see what is near it."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query
from pydantic import Field

from serving.routes.request_context import (
    STRANGER,
    Answer,
    Count,
    MovieId,
    MovieNumber,
    RecommenderDep,
    TitleCard,
    card,
    known_title,
    one_strategy,
    stamp,
    title_card,
)

router = APIRouter(tags=["titles"])


class TitlesAnswer(Answer):
    """Titles that match, the most popular first among equals."""

    titles: list[TitleCard]


class TitleAnswer(Answer):
    """One title."""

    title: TitleCard
    mean_rating: float | None = Field(description="what a person we know nothing of would give")


class SimilarTitle(TitleCard):
    """A title near another, by taste or by content; `similarity` is a cosine or a weight."""

    similarity: float


class SimilarAnswer(Answer):
    """Titles liked by the same people (`similar`), or, of a title too few rated, alike in what
    they are (`content`)."""

    movie_id: MovieNumber
    similar: list[SimilarTitle]


@router.get("/v1/titles")
async def find_titles(
    champion: RecommenderDep,
    q: Annotated[str, Query(max_length=200, description="words of the title")] = "",
    n: Count = 20,
) -> TitlesAnswer:
    """Titles that hold every word of `q`; the most popular ones where `q` is empty."""
    found = champion.model.title_index.search(q, n)
    strategy = "search" if q.strip() else "popular"
    return TitlesAnswer(**stamp(champion, strategy), titles=[title_card(t) for t in found])


@router.get("/v1/titles/{movie_id}")
async def look_up_title(champion: RecommenderDep, movie_id: MovieId) -> TitleAnswer:
    """One title, and what somebody we know nothing of would give it."""
    title = known_title(champion.model, movie_id)
    found = champion.model.recommender.predict(np.array([STRANGER]), np.array([title.movie_id]))
    return TitleAnswer(
        **stamp(champion, str(found.strategies[0])),
        title=title_card(title),
        mean_rating=float(found.values[0]),
    )


@router.get("/v1/titles/{movie_id}/similar")
async def similar_titles(
    champion: RecommenderDep, movie_id: MovieId, n: Count = 10
) -> SimilarAnswer:
    """Titles liked by the same people; by content where too few have rated the title."""
    index = champion.model.title_index
    title = known_title(champion.model, movie_id)
    found = champion.model.recommender.similar(title.movie_id, n)
    return SimilarAnswer(
        **stamp(champion, one_strategy([s.strategy for s in found])),
        movie_id=title.movie_id,
        similar=[
            SimilarTitle.model_validate(
                card(index.by_id[s.movie_id]) | {"similarity": s.similarity}
            )
            for s in found
        ],
    )
