"""The questions of the conformance suite: the same for every engine, right ones and wrong ones.

Each is asked of the lake of `tests/connect/trained_lake.py`, where both models were trained small:
80 people (1 to 80), and 126 titles (1 to 120, and 200 to 205, which nobody rated).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    """One question, and the status of its answer."""

    name: str
    question: str
    request: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    document: str = ""
    """Kind and name of the document that is published with the answer, where one is."""


TASTE = [{"movie_id": 3, "rating": 5}, {"movie_id": 8, "rating": 1.5}]
COMEDY = {"genres": ["Comedy"], "year": 2020}
FILM: dict[str, Any] = {
    "directors": ["Ada Vogel"],
    "genres": ["Drama", "Nonsense"],
    "release_date": "2027-05-14",
    "rating": 7.5,
    "countries": ["France"],
    "runtime": 100,
}
FILM_1 = {"year": 1951, "genres": ["Comedy", "Drama"]}
"""All that the models know of the title 1."""
CASES = (
    Case("a list", "recommendations", {"user_id": 10, "n": 5}),
    Case("a published list", "recommendations", {"user_id": 20, "n": 3}, document="list/20"),
    Case("a list for an unknown person", "recommendations", {"user_id": 99999}),
    Case(
        "a filtered list", "recommendations", {"user_id": 20, "genre": "Drama", "year_from": 2001}
    ),
    Case("a list without some", "recommendations", {"user_id": 20, "exclude": [1, 2, 3]}),
    Case("a varied list", "recommendations", {"user_id": 30, "diversity": 0.5}),
    Case("no list of no titles", "recommendations", {"user_id": 10, "n": 0}, 422),
    Case("a genre that is none", "recommendations", {"user_id": 10, "genre": "Opera"}, 422),
    Case("a person who is none", "recommendations", {"user_id": "nobody at all"}, 422),
    Case("a list by ratings alone", "anonymous-recommendations", {"ratings": TASTE, "n": 4}),
    Case("a list by nothing", "anonymous-recommendations", {"ratings": []}),
    Case(
        "stars off the scale",
        "anonymous-recommendations",
        {"ratings": [{"movie_id": 3, "rating": 9}]},
        422,
    ),
    Case("a field too many", "anonymous-recommendations", {"ratings": [], "mood": "blue"}, 422),
    Case("stars", "prediction", {"user_id": 10, "movie_id": 5}),
    Case("stars of a stranger", "prediction", {"user_id": 424242, "movie_id": 5}),
    Case("stars for no title", "prediction", {"user_id": 10, "movie_id": 999}, 404),
    Case(
        "pairs",
        "predictions",
        {"pairs": [{"user_id": u, "movie_id": m} for u in (10, 20, 5) for m in (1, 7, 999)]},
    ),
    Case("no pairs", "predictions", {"pairs": []}, 422),
    Case("a pair of truths", "predictions", {"pairs": [{"user_id": True, "movie_id": 1}]}, 422),
    Case("titles by a word", "titles", {"q": "film 12"}),
    Case("titles by none", "titles", {"n": 3}),
    Case("too many titles", "titles", {"n": 101}, 422),
    Case("a title", "title", {"movie_id": 3}, document="title/3"),
    Case("a title that is none", "title", {"movie_id": 999}, 404, document="title/999"),
    Case("an id that is none", "title", {"movie_id": "The Amélie Affair"}, 422),
    Case("titles like one", "similar", {"movie_id": 4, "n": 3}),
    Case("titles like none", "similar", {"movie_id": 777}, 404),
    Case("a budget", "budget-estimate", COMEDY),
    Case("a published budget", "budget-estimate", FILM_1, document="estimate/tt0000001"),
    Case("a budget of all that is known", "budget-estimate", FILM),
    Case("a budget of nothing", "budget-estimate", {}, 422),
    Case("a budget of the wrong year", "budget-estimate", {**FILM, "year": 2026}, 422),
    Case("a budget of the year true", "budget-estimate", {"year": True}, 422),
)
