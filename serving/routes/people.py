"""People of our own API: they rate, it is felt at once, and the next weekly run learns it."""

from __future__ import annotations

from fastapi import APIRouter

from marquee.names import person_id
from serving.answers import MovieId, Person, PersonAnswer, RatingsRequest
from serving.follower import Champion
from serving.journal import Said, ratings_now
from serving.loading import LoadedRecommender
from serving.problems import ProblemError
from serving.routes.context import RecommenderHere, SourceHere, known_title, stamp
from serving.routes.stars import within_scale
from serving.source import Source

router = APIRouter(tags=["people"])


@router.get("/v1/users/{person}/ratings")
async def ratings_of_person(
    source: SourceHere, champion: RecommenderHere, person: Person
) -> PersonAnswer:
    """The ratings a person of this API has now."""
    return _answer(source, champion, _ours(person), 0)


# Plain functions from here on: they wait for the disk, so they run beside the event loop.


@router.post("/v1/users/{person}/ratings", status_code=202)
def rate(
    source: SourceHere, champion: RecommenderHere, person: Person, given: RatingsRequest
) -> PersonAnswer:
    """Keep ratings. They are on the disk before the 202, and felt by the next request."""
    _ours(person)
    within_scale(given.ratings, source.scale)
    for rating in given.ratings:
        known_title(champion.model.catalogue, rating.movie_id)
    said: Said = {r.movie_id: r.rating for r in given.ratings}
    source.journal.write(person, said)
    return _answer(source, champion, person, len(said))


@router.delete("/v1/users/{person}/ratings/{movie_id}", status_code=202)
def take_back(
    source: SourceHere, champion: RecommenderHere, person: Person, movie_id: MovieId
) -> PersonAnswer:
    """Take one rating back."""
    if movie_id not in _now(source, champion, _ours(person)):
        raise ProblemError(404, f"{person} has not rated title {movie_id}")
    source.journal.write(person, {movie_id: None})
    return _answer(source, champion, person, 1)


@router.delete("/v1/users/{person}", status_code=202)
def forget(source: SourceHere, champion: RecommenderHere, person: Person) -> PersonAnswer:
    """Take back everything a person has rated; the next weekly run trains without it."""
    now = _now(source, champion, _ours(person))
    if not now:
        raise ProblemError(404, f"{person} has no ratings")
    source.journal.write(person, dict.fromkeys(now))
    return _answer(source, champion, person, len(now))


def _ours(person: str) -> str:
    """Raises a 403 problem for a person who is not of this API."""
    if not person.startswith("p-") or len(person) < 3:
        raise ProblemError(
            403,
            f"'{person}' is not a person of this API, nobody rates in their name",
            "choose a name that begins with p-",
        )
    return person


def _now(source: Source, champion: Champion[LoadedRecommender], person: str) -> dict[int, float]:
    return ratings_now(champion.model.model, person_id(person), source.journal.said(person))


def _answer(
    source: Source, champion: Champion[LoadedRecommender], person: str, accepted: int
) -> PersonAnswer:
    now = _now(source, champion, person)
    return PersonAnswer(
        **stamp(champion, champion.model.model.strategy_for(now)),
        user_id=person,
        accepted=accepted,
        ratings=now,
    )
