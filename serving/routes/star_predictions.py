"""Predictions: the stars that a person would give a title, and their interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from scoring.recommender.bundle import Title
from serving.backend import Backend, current_champion
from serving.callers import Caller, CallerDep
from serving.engines import LoadedRecommender
from serving.other_engines import EngineDep, require_trained
from serving.problems import ProblemError
from serving.routes.request_context import (
    AnyId,
    BackendDep,
    Ends,
    ModelAnswer,
    MovieId,
    MovieNumber,
    RequestUser,
    UserId,
    answer_origin,
    browser_safe_number,
    combined_strategy,
    known_intervals,
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
    [found] = each_prediction(backend, caller, [request])
    if isinstance(found, ProblemError):
        raise found
    return found


def each_prediction(
    backend: Backend, caller: Caller, requests: Sequence[Pair]
) -> list[PredictionAnswer | ProblemError]:
    """The answers to many `prediction`, computed at once; of each request alone its problem.

    Raises the 503 problem where no model serves.
    """
    champion = current_champion(backend.recommender)
    loaded, answers = champion.model, dict[int, PredictionAnswer | ProblemError]()
    asked: list[tuple[int, RequestUser, Title]] = []
    people: dict[str, RequestUser] = {}
    for row, pair in enumerate(requests):
        try:
            user = _person(people, loaded, backend, caller, pair)
            asked.append((row, user, known_title(loaded, pair.movie_id)))
        except ProblemError as error:
            answers[row] = error
    numbers = np.array([title.movie_id for _, _, title in asked], dtype=np.int64)
    found = _predicted(loaded, [user for _, user, _ in asked], numbers)
    for (row, user, title), (stars, strategy, (low, high)) in zip(asked, found, strict=True):
        answers[row] = PredictionAnswer(
            **answer_origin(champion, strategy),
            user_id=str(requests[row].user_id),
            movie_id=title.movie_id,
            name=title.name,
            title=title.title,
            predicted_rating=stars,
            low=low,
            high=high,
            known=user.known(loaded),
        )
    return [answers[row] for row in range(len(requests))]


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
    numbers = np.array([title_number(loaded, pair.movie_id) for pair in pairs], dtype=np.int64)
    people: dict[str, RequestUser] = {}
    users = [_person(people, loaded, backend, caller, pair) for pair in pairs]
    known = {name: user.known(loaded) for name, user in people.items()}
    return [
        PairPrediction(
            user_id=pair.user_id,
            movie_id=pair.movie_id,
            predicted_rating=stars,
            low=low,
            high=high,
            strategy=strategy,
            known=known[str(pair.user_id)],
        )
        for pair, (stars, strategy, (low, high)) in zip(
            pairs, _predicted(loaded, users, numbers), strict=True
        )
    ]


def _person(
    people: dict[str, RequestUser],
    loaded: LoadedRecommender,
    backend: Backend,
    caller: Caller,
    pair: Pair,
) -> RequestUser:
    """The pair's person, looked up once for all pairs."""
    name = str(pair.user_id)
    if name not in people:
        people[name] = request_user(loaded, backend, caller, name)
    return people[name]


def _predicted(
    loaded: LoadedRecommender, users: Sequence[RequestUser], numbers: Ids
) -> list[tuple[float, str, Ends]]:
    """Stars, strategy and interval of each pair: those of known people are computed together, and
    each person is folded in once."""
    rows_of: dict[int, list[int]] = {}
    for row, user in enumerate(users):
        rows_of.setdefault(0 if user.ratings is None else id(user), []).append(row)
    answers: dict[int, tuple[float, str, Ends]] = {}
    for rows in rows_of.values():
        user, movies = users[rows[0]], numbers[rows]
        if user.ratings is None:
            known = np.array([users[row].user_id for row in rows], dtype=np.int64)
            found = loaded.recommender.predict(known, movies)
            ends = known_intervals(loaded, known, movies, found.values)
        else:
            found = user.predict(loaded.recommender, movies)
            ends = user.intervals(loaded, movies, found.values)
        stars, strategies = found.values.tolist(), map(str, found.strategies)
        answers |= zip(rows, zip(stars, strategies, ends, strict=True), strict=True)
    return [answers[row] for row in range(len(users))]
