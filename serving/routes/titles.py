"""Titles: find them, look at one, see what is near it."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query

from serving.answers import (
    Count,
    MovieId,
    SimilarAnswer,
    SimilarTitle,
    TitleAnswer,
    TitlesAnswer,
)
from serving.routes.context import (
    RecommenderHere,
    card,
    known_title,
    one_strategy,
    stamp,
    title_card,
)

router = APIRouter(tags=["titles"])
STRANGER = -1  # no user has this number: people of a release have none below 0


@router.get("/v1/titles")
async def find_titles(
    champion: RecommenderHere,
    q: Annotated[str, Query(max_length=200, description="words of the title")] = "",
    n: Count = 20,
) -> TitlesAnswer:
    """Titles that hold every word of `q`; the most popular ones where `q` is empty."""
    found = champion.model.catalogue.search(q, n)
    strategy = "search" if q.strip() else "popular"
    return TitlesAnswer(**stamp(champion, strategy), titles=[title_card(t) for t in found])


@router.get("/v1/titles/{movie_id}")
async def look_up_title(champion: RecommenderHere, movie_id: MovieId) -> TitleAnswer:
    """One title, and what somebody we know nothing of would give it."""
    title = known_title(champion.model, movie_id)
    found = champion.model.model.predict(np.array([STRANGER]), np.array([title.movie_id]))
    return TitleAnswer(
        **stamp(champion, str(found.strategies[0])),
        title=title_card(title),
        mean_rating=float(found.values[0]),
    )


@router.get("/v1/titles/{movie_id}/similar")
async def similar_titles(
    champion: RecommenderHere, movie_id: MovieId, n: Count = 10
) -> SimilarAnswer:
    """Titles liked by the same people; by content where too few have rated the title."""
    catalogue = champion.model.catalogue
    title = known_title(champion.model, movie_id)
    found = champion.model.model.similar(title.movie_id, n)
    return SimilarAnswer(
        **stamp(champion, one_strategy([s.strategy for s in found])),
        movie_id=title.movie_id,
        similar=[
            SimilarTitle.model_validate(
                card(catalogue.by_id[s.movie_id]) | {"similarity": s.similarity}
            )
            for s in found
        ],
    )
