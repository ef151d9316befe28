"""People of our own API: they rate, it is felt at once, and the next weekly run learns it."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter

from marquee.names import person_id, text_id
from serving.answers import MovieId, Person, PersonAnswer, RatingsRequest
from serving.asker import LARGEST_ID, OURS, is_ours
from serving.follower import Champion
from serving.journal import EVERYTHING, Said, ratings_now
from serving.loading import LoadedRecommender
from serving.problems import ProblemError
from serving.routes.context import (
    RecommenderHere,
    SourceHere,
    by_number,
    known_title,
    short,
    stamp,
    title_number,
)
from serving.source import Source

router = APIRouter(tags=["people"])


Serving = Champion[LoadedRecommender]


@router.get("/v1/users/{person}/ratings")
async def ratings_of_person(source: SourceHere, person: Person) -> PersonAnswer:
    """The ratings a person of this API has now, as far as this server and its champion know."""
    champion = source.recommender.view.champion
    return _answer(source, champion, _ours(source, champion, person), 0)


@router.post("/v1/users/{person}/ratings", status_code=202)
async def rate(
    source: SourceHere, champion: RecommenderHere, person: Person, given: RatingsRequest
) -> PersonAnswer:
    """Keep ratings. They are on the disk before the 202, and felt by the next request."""
    _ours(source, champion, person)
    stars = by_number(champion.model, given.ratings, source.scale)
    for rating in given.ratings:
        known_title(champion.model, rating.movie_id)
    await _keep(source, person, stars)
    return _answer(source, champion, person, len(stars))


@router.delete("/v1/users/{person}/ratings/{movie_id}", status_code=202)
async def take_back(source: SourceHere, person: Person, movie_id: MovieId) -> PersonAnswer:
    """Take one rating back, whichever server has kept it, also before there is a champion.

    Taking back what was never given changes nothing.
    """
    champion = source.recommender.view.champion
    _ours(source, champion, person)
    if champion is not None:
        number = title_number(champion.model, movie_id)
    else:
        number = _number_without_a_release(source.journal.said(person), movie_id)
    await _keep(source, person, {number: None})
    return _answer(source, champion, person, 1)


@router.delete("/v1/users/{person}", status_code=202)
async def forget(source: SourceHere, person: Person) -> PersonAnswer:
    """Take back everything a person has rated until now, on whichever server, also before there is
    a champion; the next weekly run trains without it.

    `accepted` counts the ratings this server knew of. Forgetting a stranger changes nothing.
    """
    champion = source.recommender.view.champion
    now = _now(source, champion, _ours(source, champion, person))
    await _keep(source, person, dict.fromkeys((*now, EVERYTHING)))
    return _answer(source, champion, person, len(now))


async def _keep(source: Source, person: str, said: Said | Mapping[int, float | None]) -> None:
    """On the disk when this returns; the disk is waited for beside the event loop."""
    await source.disk_calls.run(lambda: source.journal.write(person, said))


def _ours(source: Source, champion: Serving | None, person: str) -> str:
    """Raises a 403 problem for a person who is not of this API."""
    if champion is None:
        ours = OURS.fullmatch(person) is not None
    else:
        ours = is_ours(champion.model.model, champion.model.users, source.journal, person)
    if not ours:
        raise ProblemError(
            403,
            f"'{short(person)}' is not a person of this API, nobody rates in their name",
            "choose a name that begins with p-, then has 1 to 64 of A-Z a-z 0-9 . _ -",
        )
    return person


def _number_without_a_release(said: Said, movie_id: str) -> int:
    """Which title is meant while nothing tells whether titles have numbers or names: what the
    person has spoken of, else a number where it is one."""
    named = text_id(movie_id)
    if not (movie_id.isascii() and movie_id.isdecimal()) or named in said:
        return named
    return min(int(movie_id), LARGEST_ID)


def _now(source: Source, champion: Serving | None, person: str) -> dict[int, float]:
    model = champion.model.model if champion else None
    return ratings_now(model, person_id(person), source.journal.said(person))


def _answer(source: Source, champion: Serving | None, person: str, accepted: int) -> PersonAnswer:
    now = _now(source, champion, person)
    if champion is None:
        ratings = {str(movie_id): stars for movie_id, stars in now.items()}
        return PersonAnswer(user_id=person, accepted=accepted, ratings=ratings)
    titles = champion.model.catalogue.by_id
    names = {m: titles[m].name if m in titles else None for m in now}
    return PersonAnswer(
        **stamp(champion, champion.model.model.strategy_for(now)),
        user_id=person,
        accepted=accepted,
        ratings={names[m] or str(m): stars for m, stars in now.items()},
    )
