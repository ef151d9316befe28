"""What every route needs: the source, the champion, a title by its number."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from marquee.names import iso
from marquee.scoring.recommender.bundle import Title
from serving.answers import TitleCard
from serving.catalogue import Catalogue
from serving.follower import Champion
from serving.loading import LoadedRecommender
from serving.problems import ProblemError
from serving.source import Source, serving_now


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
        "title_id": title.title_id,
        "title": title.title,
        "year": title.year,
        "genres": title.genres,
    }


def title_card(title: Title) -> TitleCard:
    return TitleCard.model_validate(card(title))


def known_title(catalogue: Catalogue, movie_id: int) -> Title:
    """Raises a 404 problem for a number that names no title."""
    title = catalogue.by_id.get(movie_id)
    if title is None:
        raise ProblemError(
            404, f"there is no title {movie_id}", "find its number with /v1/titles?q=…"
        )
    return title


def one_strategy(strategies: list[str]) -> str:
    """The strategy all parts of an answer share; `mixed` or `none` where they do not."""
    distinct = set(strategies)
    return distinct.pop() if len(distinct) == 1 else "mixed" if distinct else "none"
