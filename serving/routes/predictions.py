"""How somebody would rate a title."""

from __future__ import annotations

import numpy as np
from fastapi import APIRouter

from serving.answers import (
    MovieId,
    Pair,
    PairPrediction,
    PairsRequest,
    PredictionAnswer,
    PredictionsAnswer,
    UserId,
)
from serving.loading import LoadedRecommender
from serving.routes.context import (
    RecommenderHere,
    SourceHere,
    asker_in,
    known_title,
    one_strategy,
    stamp,
    title_number,
)
from serving.source import Source

router = APIRouter(tags=["predictions"])


@router.get("/v1/users/{user_id}/predictions/{movie_id}")
async def predict(
    source: SourceHere, champion: RecommenderHere, user_id: UserId, movie_id: MovieId
) -> PredictionAnswer:
    """Stars this person would give; for a stranger, what people give the title on average."""
    asker = asker_in(champion.model, source, user_id)
    title = known_title(champion.model, movie_id)
    found = asker.predict(champion.model.model, np.array([title.movie_id]))
    return PredictionAnswer(
        **stamp(champion, str(found.strategies[0])),
        user_id=user_id,
        movie_id=title.movie_id,
        name=title.name,
        title=title.title,
        predicted_rating=float(found.values[0]),
    )


@router.post("/v1/predictions")
def predict_many(
    source: SourceHere, champion: RecommenderHere, asked: PairsRequest
) -> PredictionsAnswer:
    """Stars for up to 10,000 pairs, in the order asked; every pair is answered."""
    found = _predict_pairs(champion.model, source, asked.pairs)
    return PredictionsAnswer(
        **stamp(champion, one_strategy([p.strategy for p in found])), predictions=found
    )


def _predict_pairs(
    loaded: LoadedRecommender, source: Source, pairs: list[Pair]
) -> list[PairPrediction]:
    """Pairs of one person together: a fold-in is solved once."""
    numbers = [title_number(loaded, pair.movie_id) for pair in pairs]
    places: dict[str, list[int]] = {}
    for place, pair in enumerate(pairs):
        places.setdefault(str(pair.user_id), []).append(place)
    answers: dict[int, PairPrediction] = {}
    for user_id, rows in places.items():
        wanted = np.array([numbers[row] for row in rows], dtype=np.int64)
        found = asker_in(loaded, source, user_id).predict(loaded.model, wanted)
        for row, stars, how in zip(rows, found.values.tolist(), found.strategies, strict=True):
            answers[row] = PairPrediction(
                user_id=pairs[row].user_id,
                movie_id=pairs[row].movie_id,
                predicted_rating=stars,
                strategy=str(how),
            )
    return [answers[row] for row in range(len(pairs))]
