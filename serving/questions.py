"""The questions that serving answers, without HTTP: a name, a request, an answer.

The routes call the same functions, so a question has one answer wherever it is asked: over HTTP, in
a stream of messages, or by another engine. `QUESTIONS` is the table of them, and `answer_question`
asks one. An error becomes the problem document (RFC 9457) that HTTP would send.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel
from pydantic_core import to_json

from marquee.access_tokens import READ
from serving.access import require
from serving.backend import Backend
from serving.callers import Caller
from serving.problems import ProblemError, problem_of
from serving.routes import (
    budget_estimates,
    recommendations,
    star_predictions,
    title_search,
)


@dataclass(frozen=True)
class Question:
    """One question: the model of its request, the function that answers, and its route."""

    request: type[BaseModel]
    answer: Callable[[Backend, Caller, Any], BaseModel]
    """A plain function: fast, without waiting; it raises ProblemError where there is no answer."""
    route: str
    """The route that asks the same over HTTP."""
    answer_each: Callable[[Backend, Caller, Any], Sequence[BaseModel | ProblemError]] | None = None
    """Answers many requests at once, where that is cheaper; of each its answer or its problem."""

    def over_http(self, request: Mapping[str, Any]) -> tuple[str, str, dict[str, Any]]:
        """Method and path that ask `request`, and what is left of it: the body, or the query."""
        method, path = self.route.split(" ")
        rest = dict(request)
        for name in [name for name in rest if f"{{{name}}}" in path]:
            path = path.replace(f"{{{name}}}", quote(str(rest.pop(name)), safe=""))
        return method, path, rest


QUESTIONS: dict[str, Question] = {
    "recommendations": Question(
        recommendations.RecommendationsRequest,
        recommendations.recommendations_for,
        "GET /v1/users/{user_id}/recommendations",
    ),
    "anonymous-recommendations": Question(
        recommendations.AnonymousRequest,
        recommendations.anonymous_recommendations,
        "POST /v1/recommendations",
    ),
    "prediction": Question(
        star_predictions.Pair,
        star_predictions.prediction_for,
        "GET /v1/users/{user_id}/predictions/{movie_id}",
        star_predictions.each_prediction,
    ),
    "predictions": Question(
        star_predictions.PairsRequest, star_predictions.predictions_for, "POST /v1/predictions"
    ),
    "titles": Question(title_search.SearchRequest, title_search.titles_found, "GET /v1/titles"),
    "title": Question(
        title_search.TitleRequest, title_search.title_of, "GET /v1/titles/{movie_id}"
    ),
    "similar": Question(
        title_search.SimilarRequest,
        title_search.titles_similar,
        "GET /v1/titles/{movie_id}/similar",
    ),
    "budget-estimate": Question(
        budget_estimates.BudgetRequest,
        budget_estimates.budget_estimate,
        "POST /v1/budget-estimates",
    ),
}
"""All questions by name. A new one is a function in its route's module and one entry here."""


@dataclass(frozen=True)
class Answered:
    """What came of a question: its status as over HTTP, and the answer or the problem in JSON."""

    status: int
    body: bytes

    @property
    def is_answer(self) -> bool:
        """Whether the body is an answer; else it is a problem document."""
        return self.status == 200


def answer_question(backend: Backend, caller: Caller, name: Any, request: Any) -> Answered:
    """Ask one question: `request` is the parsed JSON of its request. Never raises.

    Statuses: 200; 403 for a caller who may not ask; 404 for an unknown title or question; 422 for a
    wrong request; 503 where no model serves.
    """
    try:
        question = question_named(name)
        require(caller, READ)
        found = question.answer(backend, caller, question.request.model_validate(request))
        return Answered(200, found.__pydantic_serializer__.to_json(found))
    except Exception as error:  # one bad request must not end the answers to the others
        return problem_answer(error, name if isinstance(name, str) else "")


def answer_questions(
    backend: Backend, caller: Caller, asked: Sequence[tuple[Any, Any]]
) -> list[Answered]:
    """Ask many questions, each a name and a request: the answers of `answer_question`."""
    found: dict[int, Answered] = {}
    together: dict[str, dict[int, BaseModel]] = {}
    for place, (name, request) in enumerate(asked):
        question = QUESTIONS.get(name) if isinstance(name, str) else None
        if question is None or question.answer_each is None:
            found[place] = answer_question(backend, caller, name, request)
            continue
        try:
            require(caller, READ)
            together.setdefault(name, {})[place] = question.request.model_validate(request)
        except Exception as error:
            found[place] = problem_answer(error, name)
    for name, requests in together.items():
        answers = _each(backend, caller, name, list(requests.values()))
        found |= zip(requests, answers, strict=True)
    return [found[place] for place in range(len(asked))]


def _each(backend: Backend, caller: Caller, name: str, requests: list[BaseModel]) -> list[Answered]:
    answer_each = QUESTIONS[name].answer_each
    assert answer_each is not None
    try:
        answers = answer_each(backend, caller, requests)
    except Exception:  # one bad request must not end the answers to the others
        return [answer_question(backend, caller, name, one) for one in requests]
    return [
        problem_answer(one, name)
        if isinstance(one, ProblemError)
        else Answered(200, one.__pydantic_serializer__.to_json(one))
        for one in answers
    ]


def problem_answer(error: Exception, name: str) -> Answered:
    """The problem document of an error, with the name of the question as its `instance`."""
    problem = problem_of(error, name[:100])
    return Answered(problem["status"], to_json(problem))


def question_named(name: Any) -> Question:
    """The question of that name; a 404 problem with all names for an unknown one."""
    if isinstance(name, str) and name in QUESTIONS:
        return QUESTIONS[name]
    raise ProblemError(
        404, f"there is no question {str(name)[:100]!r}", f"ask one of {', '.join(QUESTIONS)}"
    )
