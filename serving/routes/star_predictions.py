"""Predictions: the stars that a person would give a title, and their interval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated

import numpy as np
from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from scoring.recommender.model import Predictions
from serving.backend import Backend, current_champion
from serving.callers import Caller, CallerDep
from serving.engines import LoadedRecommender, RecommenderEngine
from serving.other_engines import EngineDep, require_trained
from serving.routes.request_context import (
    AnyId,
    BackendDep,
    ModelAnswer,
    MovieId,
    MovieNumber,
    RequestUser,
    UserId,
    answer_origin,
    browser_safe_number,
    combined_strategy,
    known_title,
    request_user,
    title_number,
)
from serving.title_index import Ids

router = APIRouter()
OF_INTERVAL = (
    "four in five ratings lie from low to high, which are stars of the scale; the predicted mean "
    "may lie just outside. Null where the model has no intervals"
)
Stars = Annotated[float | None, Field(default=None, description=OF_INTERVAL)]
Known = Annotated[str, Field(default="", description="why intervals are wide; empty: known well")]


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


@router.get("/v1/users/{user_id}/predictions/{movie_id}", tags=["predictions"])
async def predict(
    backend: BackendDep,
    caller: CallerDep,
    user_id: UserId,
    movie_id: MovieId,
    engine: EngineDep = None,
) -> PredictionAnswer:
    """The stars that this person would give; the title's mean rating for an unknown person."""
    if engine is not None:
        model = current_champion(backend.recommender).model
        require_trained(request_user(model, backend, caller, user_id).ratings)
        known_title(model, movie_id)
        return await engine.answer(PredictionAnswer)
    pair = Pair.model_construct(user_id=user_id, movie_id=movie_id)
    return prediction_for(backend, caller, pair)


@router.post("/v1/predictions", tags=["predictions"])
async def predict_many(
    backend: BackendDep, caller: CallerDep, request: PairsRequest, engine: EngineDep = None
) -> PredictionsAnswer:
    """The stars for up to 10,000 pairs; every pair gets an answer."""
    if engine is not None:
        model = current_champion(backend.recommender).model
        await run_in_threadpool(_require_trained, model, backend, caller, request.pairs)
        return await engine.answer(PredictionsAnswer)
    return await run_in_threadpool(predictions_for, backend, caller, request)


def prediction_for(backend: Backend, caller: Caller, request: Pair) -> PredictionAnswer:
    """The answer to `prediction`; raises a problem that says why there is none."""
    champion = current_champion(backend.recommender)
    user = request_user(champion.model, backend, caller, request.user_id)
    title = known_title(champion.model, request.movie_id)
    wanted = np.array([title.movie_id])
    found = user.predict(champion.model.recommender, wanted)
    [(low, high)] = user.intervals(champion.model, wanted, found.values)
    return PredictionAnswer(
        **answer_origin(champion, str(found.strategies[0])),
        user_id=str(request.user_id),
        movie_id=title.movie_id,
        name=title.name,
        title=title.title,
        predicted_rating=float(found.values[0]),
        low=low,
        high=high,
        known=user.known(champion.model),
    )


def predictions_for(backend: Backend, caller: Caller, request: PairsRequest) -> PredictionsAnswer:
    """The answer to `predictions`; raises a problem that says why there is none."""
    champion = current_champion(backend.recommender)
    found = _predict_pairs(champion.model, backend, caller, request.pairs)
    return PredictionsAnswer(
        **answer_origin(champion, combined_strategy([p.strategy for p in found])), predictions=found
    )


def _require_trained(
    loaded: LoadedRecommender, backend: Backend, caller: Caller, pairs: list[Pair]
) -> None:
    """The problems of people and titles that the native engine would answer with."""
    for pair in pairs:
        title_number(loaded, pair.movie_id)
    for user_id in dict.fromkeys(pair.user_id for pair in pairs):
        require_trained(request_user(loaded, backend, caller, user_id).ratings)


def _predict_pairs(
    loaded: LoadedRecommender, backend: Backend, caller: Caller, pairs: list[Pair]
) -> list[PairPrediction]:
    """All pairs; each fold-in is solved only once, and all known people are asked for at once."""
    numbers = np.array([title_number(loaded, pair.movie_id) for pair in pairs], dtype=np.int64)
    rows_of: dict[str, list[int]] = {}
    for row, pair in enumerate(pairs):
        rows_of.setdefault(str(pair.user_id), []).append(row)
    people = {name: request_user(loaded, backend, caller, name) for name in rows_of}
    stars, strategies = np.empty(len(pairs)), [""] * len(pairs)
    for rows, found in _predicted(loaded.recommender, people, rows_of, numbers):
        stars[rows] = found.values
        for row, how in zip(rows, found.strategies, strict=True):
            strategies[row] = str(how)
    answers: dict[int, PairPrediction] = {}
    for name, rows in rows_of.items():
        user, known = people[name], people[name].known(loaded)
        ends = user.intervals(loaded, numbers[rows], stars[rows])
        for row, (low, high) in zip(rows, ends, strict=True):
            answers[row] = PairPrediction(
                user_id=pairs[row].user_id,
                movie_id=pairs[row].movie_id,
                predicted_rating=float(stars[row]),
                low=low,
                high=high,
                strategy=strategies[row],
                known=known,
            )
    return [answers[row] for row in range(len(pairs))]


def _predicted(
    model: RecommenderEngine,
    people: Mapping[str, RequestUser],
    rows_of: Mapping[str, list[int]],
    numbers: Ids,
) -> Iterator[tuple[list[int], Predictions]]:
    """The rows of known people together, then those of each person who is folded in."""
    known = [(row, people[n].user_id) for n, rows in rows_of.items() for row in rows
             if people[n].ratings is None]  # fmt: skip
    if known:
        rows, users = map(list, zip(*known, strict=True))
        yield rows, model.predict(np.array(users, dtype=np.int64), numbers[rows])
    for name, rows in rows_of.items():
        if people[name].ratings is not None:
            yield rows, people[name].predict(model, numbers[rows])
