"""Shared by the routes: types of requests and answers, the champion, people and titles by id.

The OpenAPI description, and with it `/docs`, is made from these types."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated, Any
from urllib.parse import unquote

import numpy as np
from fastapi import Depends, Path, Query, Request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from marquee.clock import iso
from marquee.identifiers import person_id
from scoring.arrays import Floats
from scoring.recommender.bundle import Title
from scoring.recommender.model import Predictions, Recommendation
from scoring.recommender.rating_intervals import Bounds, how_well_known
from serving.access import require_person
from serving.backend import Backend, current_champion
from serving.callers import Caller
from serving.engines import DEFAULT_ENGINE, LoadedRecommender, RecommenderEngine
from serving.feedback_log import FeedbackLog, current_ratings
from serving.follower import LoadedChampion
from serving.problems import ProblemError
from serving.title_index import IdIndex, Ids
from sources.ratings_cells import trimmed

LARGEST_EXACT_NUMBER = 2**53
"""JavaScript's numbers are exact up to here."""
UNKNOWN_USER = -1
"""A user id that no model knows: a release numbers its people from 0 on."""
PERSON_NAME = re.compile(r"p-[A-Za-z0-9._-]{1,64}")
"""The name of a person of this API."""


# Types that requests and answers share --------------------------------------------------------


def _require_encodable(written: int | str) -> int | str:
    """Refuse text that is not valid Unicode; `IdIndex` checks everything else about an id."""
    try:
        str(written).encode()
    except UnicodeEncodeError:
        raise ValueError("is no id: it holds half of a surrogate pair") from None
    return written


def refuse_boolean(value: Any) -> Any:
    """Refuse true and false, which Python would accept as 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("is true or false, where a number or a text is wanted")
    return value


def browser_safe_number(number: int | str) -> int | str:
    """The number; as text if JavaScript would round it."""
    return str(number) if isinstance(number, int) and abs(number) > LARGEST_EXACT_NUMBER else number


Ends = tuple[float | None, float | None]
"""The lowest and the highest stars of an interval."""
AnyId = Annotated[int | str, BeforeValidator(refuse_boolean), AfterValidator(_require_encodable)]
"""An id in the spelling of its release: a number or text."""
MovieNumber = Annotated[int, PlainSerializer(browser_safe_number, return_type=int | str)]
"""A title's number in an answer; as text if JavaScript would round it."""
PathSegment = AfterValidator(unquote)  # `serving.app` keeps a slash inside a name escaped
MovieId = Annotated[
    str, Path(description="a title as the ratings release names it: a number, or text"), PathSegment
]
UserId = Annotated[
    str,
    Path(description="a person of the release (a number, or text), or of this API (`p-<name>`)"),
    PathSegment,
]
Count = Annotated[int, Query(ge=1, le=100, description="how many titles at most")]


class ModelAnswer(BaseModel):
    """The fields of every answer of a model."""

    model_config = ConfigDict(frozen=True)

    bundle: str
    as_of: str
    strategy: str
    engine: str = DEFAULT_ENGINE


class TitleCard(BaseModel):
    """A title in a list, with the fields of a `Title`."""

    movie_id: MovieNumber
    name: str | None = Field(
        default=None, description="the title's id, where the release names titles by text"
    )
    title_id: str | None
    title: str
    year: int | None
    genres: tuple[str, ...]


class Rating(BaseModel):
    """The stars that a person gives a title."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    movie_id: AnyId
    rating: Annotated[float, BeforeValidator(refuse_boolean)] = Field(allow_inf_nan=False)


# The backend and the champion of a request ----------------------------------------------------


async def backend_of(request: Request) -> Backend:
    backend: Backend = request.app.state.backend
    return backend


BackendDep = Annotated[Backend, Depends(backend_of)]


async def recommender_of(backend: BackendDep) -> LoadedChampion[LoadedRecommender]:
    """The champion of the whole request, even if another is promoted meanwhile."""
    return current_champion(backend.recommender)


RecommenderDep = Annotated[LoadedChampion[LoadedRecommender], Depends(recommender_of)]


def answer_origin(champion: LoadedChampion[Any], strategy: str) -> dict[str, str]:
    """The fields of a `ModelAnswer`: bundle, as-of, strategy and engine."""
    entry = champion.entry
    about = {"bundle": entry.bundle, "as_of": iso(entry.as_of), "engine": champion.engine}
    return about | {"strategy": strategy}


def combined_strategy(strategies: list[str]) -> str:
    """The strategy of a whole answer: the only one, else `mixed`; `none` for an empty list."""
    distinct = set(strategies)
    return distinct.pop() if len(distinct) == 1 else "mixed" if distinct else "none"


# The person of a request ----------------------------------------------------------------------


@dataclass(frozen=True)
class RequestUser:
    """The person whom a request names.

    `ratings` are folded in; None if the model was trained on exactly this person's ratings.
    """

    user_id: int
    ratings: Mapping[int, float] | None = None

    def recommend(
        self,
        model: RecommenderEngine,
        n: int,
        allowed: Ids | None,
        exclude: list[int],
        diversity: float,
    ) -> list[Recommendation]:
        """The best `n` titles; None for `allowed` allows every title."""
        wanted = None if allowed is None else allowed.tolist()
        if self.ratings is None:
            return model.recommend(
                self.user_id, n, allowed=wanted, exclude=exclude, diversity=diversity
            )
        return model.recommend_for(
            self.ratings, n, allowed=wanted, exclude=exclude, diversity=diversity
        )

    def predict(self, model: RecommenderEngine, movie_ids: Ids) -> Predictions:
        """The stars that this person would give to each title."""
        if self.ratings is None:
            return model.predict(np.full(len(movie_ids), self.user_id), movie_ids)
        return model.predict_for(self.ratings, movie_ids)

    def intervals(self, loaded: LoadedRecommender, movie_ids: Ids, stars: Floats) -> list[Ends]:
        """The lowest and highest stars around each prediction; None in older bundles."""
        if self.ratings is None or loaded.intervals is None:
            people = np.full(len(movie_ids), self.user_id)
            return known_intervals(loaded, people, movie_ids, stars)
        return _ends(loaded.intervals.of_given(self.ratings, movie_ids, stars))

    def known(self, loaded: LoadedRecommender) -> str:
        """`how_well_known` of this person, by the ratings of titles that the model has."""
        own = loaded.recommender.ratings_of(self.user_id) if self.ratings is None else self.ratings
        return how_well_known(sum(movie in loaded.title_index.by_id for movie in own))


def known_intervals(
    loaded: LoadedRecommender, user_ids: Ids, movie_ids: Ids, stars: Floats
) -> list[Ends]:
    """The same for pairs of people who are not folded in."""
    if loaded.intervals is None:
        return [(None, None)] * len(movie_ids)
    return _ends(loaded.intervals.of_known(user_ids, movie_ids, stars))


def _ends(found: Bounds) -> list[Ends]:
    return list(zip(found.low.tolist(), found.high.tolist(), strict=True))


def request_user(
    loaded: LoadedRecommender, backend: Backend, caller: Caller, user_id: int | str
) -> RequestUser:
    """The person of that id, either of this API (`p-<name>`) or of the release.

    The feedback of a person of this API counts at once, so an answer tells of it: 403 for a caller
    who may not rate as this person. 422 for an impossible id.
    """
    model, name = loaded.recommender, str(user_id)
    if is_api_person(model, loaded.user_ids, backend.feedback, name):
        require_person(caller, name)
        number = person_id(name)
        ratings = current_ratings(model, number, backend.feedback.feedback_of(name))
        return RequestUser(number, None if ratings == model.ratings_of(number) else ratings)
    known = loaded.user_ids.number(name)
    if known is None:
        raise ProblemError(
            422,
            f"user_id: '{shorten(user_id)}' is not a user id here: the release numbers its people",
            "give a number, or p-<name> for our people",
        )
    return RequestUser(known)


def is_api_person(
    model: RecommenderEngine, user_ids: IdIndex, feedback: FeedbackLog, person: str
) -> bool:
    """Whether the name belongs to a person of this API.

    A name that the release has, too, is the release's, unless ratings were given under it here.
    """
    if not PERSON_NAME.fullmatch(person):
        return False
    has_rated = bool(feedback.feedback_of(person)) or model.knows_user(person_id(person))
    return has_rated or user_ids.number_of_name(person) is None


# The titles of a request ----------------------------------------------------------------------


def title_number(loaded: LoadedRecommender, movie_id: int | str, where: str = "movie_id") -> int:
    """The number of a title's id; a 422 problem for an impossible id in the field `where`."""
    number = loaded.title_ids.number(movie_id)
    if number is None:
        raise ProblemError(
            422,
            f"{where}: '{shorten(movie_id)}' is not a title's id here: the release numbers titles",
            "find its number with /v1/titles?q=…",
        )
    return number


def known_title(loaded: LoadedRecommender, movie_id: int | str) -> Title:
    """The title of that id; a 404 problem for an unknown one, 422 for an impossible one."""
    number = title_number(loaded, movie_id)
    title = loaded.title_index.by_id.get(number)
    if title is None:
        raise ProblemError(
            404, f"there is no title {shorten(movie_id)}", "find its id with /v1/titles?q=…"
        )
    if title.name is None and loaded.title_ids.number_of_name(str(movie_id)) is not None:
        return replace(title, name=trimmed(str(movie_id)))  # old bundles have no names
    return title


def ratings_by_number(
    loaded: LoadedRecommender, ratings: Sequence[Rating], scale: tuple[float, float]
) -> dict[int, float]:
    """Stars by movie id; a 422 problem for stars off the scale or an impossible id."""
    lowest, highest = scale
    if wrong := [r for r in ratings if not lowest <= r.rating <= highest]:
        raise ProblemError(
            422,
            f"{wrong[0].rating} stars for title {shorten(wrong[0].movie_id)} is off the scale",
            f"give {lowest} to {highest}",
        )
    return {title_number(loaded, r.movie_id): r.rating for r in ratings}


@lru_cache(maxsize=4096)
def title_card(title: Title) -> TitleCard:
    """The card of a title; lists show the same titles again and again."""
    return TitleCard.model_validate(vars(title))


def shorten(written: int | str) -> str:
    """An id of at most 100 characters, for error messages."""
    text = str(written)
    return text if len(text) <= 100 else f"{text[:100]}…"
