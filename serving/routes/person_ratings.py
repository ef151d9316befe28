"""People of this API give ratings and take them back.

A rating counts from the next request on. The next weekly run trains on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from marquee.identifiers import person_id, text_id
from serving.backend import Backend
from serving.engines import LoadedRecommender
from serving.feedback_log import EVERYTHING, PersonFeedback, current_ratings
from serving.follower import LoadedChampion
from serving.problems import ProblemError
from serving.routes.request_context import (
    PERSON_NAME,
    BackendDep,
    MovieId,
    PathSegment,
    Rating,
    RecommenderDep,
    answer_origin,
    is_api_person,
    known_title,
    ratings_by_number,
    shorten,
    title_number,
)
from serving.title_index import LARGEST_ID

router = APIRouter(tags=["people"])
RecommenderChampion = LoadedChampion[LoadedRecommender]
Person = Annotated[str, Path(description="a person of this API: `p-<name>`"), PathSegment]


class RatingsRequest(BaseModel):
    """Ratings to keep."""

    model_config = ConfigDict(extra="forbid")

    ratings: list[Rating] = Field(min_length=1, max_length=1_000)


class PersonAnswer(BaseModel):
    """A person of this API and their present ratings, known to this server and its champion.

    The keys of `ratings` are movie ids, or names where the release names titles by text. Without a
    champion, `bundle` and `as_of` are null.
    """

    model_config = ConfigDict(frozen=True)

    bundle: str | None = None
    as_of: str | None = None
    strategy: str = "none"
    user_id: str
    accepted: int = Field(description="how many ratings were kept, or taken back, by this request")
    ratings: dict[str, float]


@router.get("/v1/users/{person}/ratings")
async def ratings_of_person(backend: BackendDep, person: Person) -> PersonAnswer:
    """The present ratings of a person of this API, known to this server and its champion."""
    champion = backend.recommender.view.champion
    return _answer(backend, champion, _require_api_person(backend, champion, person), 0)


@router.post("/v1/users/{person}/ratings", status_code=202)
async def rate(
    backend: BackendDep, champion: RecommenderDep, person: Person, request: RatingsRequest
) -> PersonAnswer:
    """Keep ratings. They are on the disk before the 202 and count from the next request on."""
    _require_api_person(backend, champion, person)
    stars = ratings_by_number(champion.model, request.ratings, backend.scale)
    for rating in request.ratings:
        known_title(champion.model, rating.movie_id)
    await _write(backend, person, stars)
    return _answer(backend, champion, person, len(stars))


@router.delete("/v1/users/{person}/ratings/{movie_id}", status_code=202)
async def take_back(backend: BackendDep, person: Person, movie_id: MovieId) -> PersonAnswer:
    """Take one rating back, on every server; it works without a champion too.

    Taking back a rating that was never given changes nothing.
    """
    champion = backend.recommender.view.champion
    _require_api_person(backend, champion, person)
    if champion is not None:
        number = title_number(champion.model, movie_id)
    else:
        number = _number_without_release(backend.feedback.feedback_of(person), movie_id)
    await _write(backend, person, {number: None})
    return _answer(backend, champion, person, 1)


@router.delete("/v1/users/{person}", status_code=202)
async def forget(backend: BackendDep, person: Person) -> PersonAnswer:
    """Take back all ratings of a person, on every server; it works without a champion too.

    The next weekly run trains without them. `accepted` counts the ratings that this server knew.
    Forgetting an unknown person changes nothing.
    """
    champion = backend.recommender.view.champion
    now = _ratings_now(backend, champion, _require_api_person(backend, champion, person))
    await _write(backend, person, dict.fromkeys((*now, EVERYTHING)))
    return _answer(backend, champion, person, len(now))


async def _write(
    backend: Backend, person: str, feedback: PersonFeedback | Mapping[int, float | None]
) -> None:
    """Write to the feedback log, durably, without blocking the event loop."""
    await backend.disk_calls.run(lambda: backend.feedback.write(person, feedback))


def _require_api_person(backend: Backend, champion: RecommenderChampion | None, person: str) -> str:
    """`person` itself; a 403 problem for a name that is no person's of this API."""
    if champion is None:
        is_ours = PERSON_NAME.fullmatch(person) is not None
    else:
        loaded = champion.model
        is_ours = is_api_person(loaded.recommender, loaded.user_ids, backend.feedback, person)
    if not is_ours:
        raise ProblemError(
            403,
            f"'{shorten(person)}' is not a person of this API, nobody rates in their name",
            "choose a name that begins with p-, then has 1 to 64 of A-Z a-z 0-9 . _ -",
        )
    return person


def _number_without_release(feedback: PersonFeedback, movie_id: str) -> int:
    """The number of a title's id while no champion says how the release writes ids.

    An id of digits is the number itself, unless this person has rated a title of that name.
    """
    by_name = text_id(movie_id)
    if not (movie_id.isascii() and movie_id.isdecimal()) or by_name in feedback:
        return by_name
    return min(int(movie_id), LARGEST_ID)


def _ratings_now(
    backend: Backend, champion: RecommenderChampion | None, person: str
) -> dict[int, float]:
    model = champion.model.recommender if champion else None
    return current_ratings(model, person_id(person), backend.feedback.feedback_of(person))


def _answer(
    backend: Backend, champion: RecommenderChampion | None, person: str, accepted: int
) -> PersonAnswer:
    now = _ratings_now(backend, champion, person)
    if champion is None:
        ratings = {str(movie_id): stars for movie_id, stars in now.items()}
        return PersonAnswer(user_id=person, accepted=accepted, ratings=ratings)
    titles = champion.model.title_index.by_id
    names = {m: titles[m].name if m in titles else None for m in now}
    return PersonAnswer(
        **answer_origin(champion, champion.model.recommender.strategy_for(now)),
        user_id=person,
        accepted=accepted,
        ratings={names[m] or str(m): stars for m, stars in now.items()},
    )
