"""What every route needs: the source, the champion, people and titles by their ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Request

from marquee.names import iso
from scoring.recommender.bundle import Title
from serving.answers import Rating, TitleCard
from serving.asker import Asker, asker_of
from serving.follower import Champion
from serving.loading import LoadedRecommender
from serving.problems import ProblemError
from serving.source import Source, serving_now
from sources.ratings_cells import plain


async def source_of(request: Request) -> Source:
    source: Source = request.app.state.source
    return source


SourceHere = Annotated[Source, Depends(source_of)]


async def recommender_of(source: SourceHere) -> Champion[LoadedRecommender]:
    """One champion for the whole request, whatever is promoted meanwhile."""
    return serving_now(source.recommender)


RecommenderHere = Annotated[Champion[LoadedRecommender], Depends(recommender_of)]


def stamp(champion: Champion[LoadedRecommender], strategy: str) -> dict[str, str]:
    """The three things every answer names."""
    entry = champion.entry
    return {"bundle": entry.bundle, "as_of": iso(entry.as_of), "strategy": strategy}


def card(title: Title) -> dict[str, object]:
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


def asker_in(loaded: LoadedRecommender, source: Source, user_id: int | str) -> Asker:
    """Raises a 422 problem for what could be nobody's id."""
    asker = asker_of(loaded.model, loaded.users, source.journal, user_id)
    if asker is None:
        raise ProblemError(
            422,
            f"user_id: '{short(user_id)}' is not a user id here: the release numbers its people",
            "give a number, or p-<name> for our people",
        )
    return asker


def title_number(loaded: LoadedRecommender, movie_id: int | str, where: str = "movie_id") -> int:
    """Raises a 422 problem, naming `where` it stands, for what could be no title's id."""
    number = loaded.titles.number(movie_id)
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
    title = loaded.catalogue.by_id.get(number)
    if title is None:
        raise ProblemError(
            404, f"there is no title {short(movie_id)}", "find its id with /v1/titles?q=…"
        )
    if title.name is None and loaded.titles.named(str(movie_id)) is not None:
        return replace(title, name=plain(str(movie_id)))  # a bundle from before names were kept
    return title


def by_number(
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


def short(asked: int | str) -> str:
    """An id as a sentence shows it."""
    text = str(asked)
    return text if len(text) <= 100 else f"{text[:100]}…"


def one_strategy(strategies: list[str]) -> str:
    """The strategy all parts of an answer share; `mixed` or `none` where they do not."""
    distinct = set(strategies)
    return distinct.pop() if len(distinct) == 1 else "mixed" if distinct else "none"
