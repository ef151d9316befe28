"""How somebody would rate a title."""

from __future__ import annotations

import re

import numpy as np
from fastapi import APIRouter

from marquee.scoring.recommender.model import Recommender
from serving.answers import (
    LARGEST_ID,
    MovieId,
    Pair,
    PairPrediction,
    PairsRequest,
    PredictionAnswer,
    PredictionsAnswer,
    UserId,
)
from serving.asker import asker_of
from serving.journal import Journal
from serving.problems import ProblemError
from serving.routes.context import (
    RecommenderHere,
    SourceHere,
    known_title,
    one_strategy,
    stamp,
)

router = APIRouter(tags=["predictions"])


@router.get("/v1/users/{user_id}/predictions/{movie_id}")
async def predict(
    source: SourceHere, champion: RecommenderHere, user_id: UserId, movie_id: MovieId
) -> PredictionAnswer:
    """Stars this person would give; for a stranger, what people give the title on average."""
    title = known_title(champion.model.catalogue, movie_id)
    asker = asker_of(champion.model.model, source.journal, user_id)
    found = asker.predict(champion.model.model, np.array([movie_id]))
    return PredictionAnswer(
        **stamp(champion, str(found.strategies[0])),
        user_id=user_id,
        movie_id=movie_id,
        title=title.title,
        predicted_rating=float(found.values[0]),
    )


@router.post("/v1/predictions")
def predict_many(
    source: SourceHere, champion: RecommenderHere, asked: PairsRequest
) -> PredictionsAnswer:
    """Stars for up to 10,000 pairs, in the order asked; every pair is answered."""
    _require_ids(asked.pairs)
    found = _predict_pairs(champion.model.model, source.journal, asked.pairs)
    return PredictionsAnswer(
        **stamp(champion, one_strategy([p.strategy for p in found])), predictions=found
    )


def _predict_pairs(model: Recommender, journal: Journal, pairs: list[Pair]) -> list[PairPrediction]:
    """Pairs of one person together: a fold-in is solved once."""
    places: dict[str, list[int]] = {}
    for place, pair in enumerate(pairs):
        places.setdefault(str(pair.user_id), []).append(place)
    answers: dict[int, PairPrediction] = {}
    for user_id, rows in places.items():
        wanted = np.array([pairs[row].movie_id for row in rows])
        found = asker_of(model, journal, user_id).predict(model, wanted)
        for row, stars, how in zip(rows, found.values.tolist(), found.strategies, strict=True):
            answers[row] = PairPrediction(
                user_id=pairs[row].user_id,
                movie_id=pairs[row].movie_id,
                predicted_rating=stars,
                strategy=str(how),
            )
    return [answers[row] for row in range(len(pairs))]


def _require_ids(pairs: list[Pair]) -> None:
    """Raises a 422 problem for a user id of neither kind."""
    for pair in pairs:
        user_id = pair.user_id
        if isinstance(user_id, int):
            good = 0 <= user_id <= LARGEST_ID
        else:
            good = re.fullmatch(r"\d{1,15}|p-[A-Za-z0-9._-]{1,64}", user_id) is not None
        if not good:
            raise ProblemError(
                422, f"'{user_id}' is not a user id", "give a number, or p-<name> for our people"
            )
