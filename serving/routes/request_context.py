"""What several routes need: the backend, one champion, and people and titles by their ids.

It also holds the types that requests and answers share. `/docs` and clients are made from them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import unquote

import numpy as np
from fastapi import Depends, Path, Query, Request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from marquee.clock import iso
from marquee.identifiers import person_id
from scoring.recommender.bundle import Title
from scoring.recommender.model import Predictions, Recommendation
from serving.backend import Backend, current_champion
from serving.engines import LoadedRecommender, RecommenderEngine
from serving.feedback_log import FeedbackLog, current_ratings
from serving.follower import Champion
from serving.problems import ProblemError
from serving.title_index import IdIndex, Ids
from sources.ratings_cells import plain

LARGEST_EXACT = 2**53
"""A browser's numbers are exact up to here."""
STRANGER = -1
"""A number of no user: people of a release have numbers from 0 on."""
PERSON_NAME = re.compile(r"p-[A-Za-z0-9._-]{1,64}")
"""The name of a person of our own API."""


# Types that requests and answers share --------------------------------------------------------


def _is_encodable(written: int | str) -> int | str:
    """Refuse what no release can hold; `IdIndex` decides what suits the one that serves."""
    try:
        str(written).encode()
    except UnicodeEncodeError:
        raise ValueError("is no id: it holds half of a surrogate pair") from None
    return written


def _no_boolean(given: Any) -> Any:
    """True and false are no numbers, though Python counts with them."""
    if isinstance(given, bool):
        raise ValueError("is true or false, where a number or a text is wanted")
    return given


def exact_number(number: int | str) -> int | str:
    """As text where a browser would round the number."""
    return str(number) if isinstance(number, int) and abs(number) > LARGEST_EXACT else number


AnyId = Annotated[int | str, BeforeValidator(_no_boolean), AfterValidator(_is_encodable)]
"""An id as its release writes it: a number, or text."""
MovieNumber = Annotated[int, PlainSerializer(exact_number, return_type=int | str)]
"""A title's number in an answer; one a browser would round is text."""
# `serving.app` keeps the slashes of a name distinct from those between a path's steps.
PathStep = AfterValidator(unquote)
MovieId = Annotated[
    str, Path(description="a title as the ratings release names it: a number, or text"), PathStep
]
UserId = Annotated[
    str,
    Path(
        description="a person as the ratings release names them (a number, or text), or one of "
        "this API (`p-<name>`)",
    ),
    PathStep,
]
Count = Annotated[int, Query(ge=1, le=100, description="how many titles at most")]


class Answer(BaseModel):
    """Every answer says from which bundle, of which moment, and by which strategy."""

    model_config = ConfigDict(frozen=True)

    bundle: str
    as_of: str
    strategy: str


class TitleCard(BaseModel):
    """A title as lists show it."""

    movie_id: MovieNumber
    name: str | None = Field(
        default=None, description="what the release calls it, where it names titles by text"
    )
    title_id: str | None
    title: str
    year: int | None
    genres: tuple[str, ...]


class Rating(BaseModel):
    """Stars a person gives a title."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    movie_id: AnyId
    rating: Annotated[float, BeforeValidator(_no_boolean)] = Field(allow_inf_nan=False)


# The backend and the champion of a request ----------------------------------------------------


async def backend_of(request: Request) -> Backend:
    backend: Backend = request.app.state.backend
    return backend


BackendDep = Annotated[Backend, Depends(backend_of)]


async def recommender_of(backend: BackendDep) -> Champion[LoadedRecommender]:
    """One champion for the whole request, whatever is promoted meanwhile."""
    return current_champion(backend.recommender)


RecommenderDep = Annotated[Champion[LoadedRecommender], Depends(recommender_of)]


def stamp(champion: Champion[Any], strategy: str) -> dict[str, str]:
    """The three things every answer names."""
    entry = champion.entry
    return {"bundle": entry.bundle, "as_of": iso(entry.as_of), "strategy": strategy}


def one_strategy(strategies: list[str]) -> str:
    """The strategy that a whole answer shares; `mixed` where there are more, `none` where none."""
    distinct = set(strategies)
    return distinct.pop() if len(distinct) == 1 else "mixed" if distinct else "none"


# The person of a request ----------------------------------------------------------------------


@dataclass(frozen=True)
class RequestUser:
    """The person a request is about.

    `ratings` are the ratings to fold in; None where the model was trained on all of them.
    """

    user_id: int
    ratings: Mapping[int, float] | None = None

    def recommend(
        self, model: RecommenderEngine, n: int, allowed: Ids | None, exclude: list[int]
    ) -> list[Recommendation]:
        """The best `n` titles; `allowed` None means every title."""
        wanted = None if allowed is None else allowed.tolist()
        if self.ratings is None:
            return model.recommend(self.user_id, n, allowed=wanted, exclude=exclude)
        return model.recommend_for(self.ratings, n, allowed=wanted, exclude=exclude)

    def predict(self, model: RecommenderEngine, movie_ids: Ids) -> Predictions:
        """This person's stars for each title, folded in where there are ratings to fold in."""
        if self.ratings is None:
            return model.predict(np.full(len(movie_ids), self.user_id), movie_ids)
        return model.predict_for(self.ratings, movie_ids)


def request_user(loaded: LoadedRecommender, backend: Backend, user_id: int | str) -> RequestUser:
    """The person of that id: of our API (`p-<name>`, whose feedback counts at once), or of the
    release. Raises a 422 problem for what could be nobody's id."""
    model, name = loaded.recommender, str(user_id)
    if is_api_person(model, loaded.user_ids, backend.feedback, name):
        number = person_id(name)
        ratings = current_ratings(model, number, backend.feedback.feedback_of(name))
        return RequestUser(number, None if ratings == model.ratings_of(number) else ratings)
    known = loaded.user_ids.number(name)
    if known is None:
        raise ProblemError(
            422,
            f"user_id: '{short(user_id)}' is not a user id here: the release numbers its people",
            "give a number, or p-<name> for our people",
        )
    return RequestUser(known)


def is_api_person(
    model: RecommenderEngine, user_ids: IdIndex, feedback: FeedbackLog, person: str
) -> bool:
    """Whether a name is a person's of our own API.

    A release may name somebody like one of ours. Then the name is the release's, unless our person
    had it first.
    """
    if not PERSON_NAME.fullmatch(person):
        return False
    had_it = bool(feedback.feedback_of(person)) or model.knows_user(person_id(person))
    return had_it or user_ids.named(person) is None


# The titles of a request ----------------------------------------------------------------------


def title_number(loaded: LoadedRecommender, movie_id: int | str, where: str = "movie_id") -> int:
    """Raises a 422 problem, naming `where` it stands, for what could be no title's id."""
    number = loaded.title_ids.number(movie_id)
    if number is None:
        raise ProblemError(
            422,
            f"{where}: '{short(movie_id)}' is not a title's id here: the release numbers titles",
            "find its number with /v1/titles?q=…",
        )
    return number


def known_title(loaded: LoadedRecommender, movie_id: int | str) -> Title:
    """Raises a 404 problem for an id of no title, 422 for what could be none."""
    number = title_number(loaded, movie_id)
    title = loaded.title_index.by_id.get(number)
    if title is None:
        raise ProblemError(
            404, f"there is no title {short(movie_id)}", "find its id with /v1/titles?q=…"
        )
    if title.name is None and loaded.title_ids.named(str(movie_id)) is not None:
        return replace(title, name=plain(str(movie_id)))  # an old bundle keeps no names
    return title


def ratings_by_number(
    loaded: LoadedRecommender, ratings: Sequence[Rating], scale: tuple[float, float]
) -> dict[int, float]:
    """Ratings by title; a 422 problem for stars outside the scale or an id of no title's kind."""
    lowest, highest = scale
    if wrong := [r for r in ratings if not lowest <= r.rating <= highest]:
        raise ProblemError(
            422,
            f"{wrong[0].rating} stars for title {short(wrong[0].movie_id)} is off the scale",
            f"give {lowest} to {highest}",
        )
    return {title_number(loaded, r.movie_id): r.rating for r in ratings}


def card(title: Title) -> dict[str, object]:
    """The fields of a `TitleCard`."""
    return {
        "movie_id": title.movie_id,
        "name": title.name,
        "title_id": title.title_id,
        "title": title.title,
        "year": title.year,
        "genres": title.genres,
    }


def title_card(title: Title) -> TitleCard:
    return TitleCard.model_validate(card(title))


def short(written: int | str) -> str:
    """An id as a sentence shows it."""
    text = str(written)
    return text if len(text) <= 100 else f"{text[:100]}…"
