"""A generation: the answers of one pair of champions as documents with ids that are easy to make.

    about:<generation>                what it holds: bundles, counts, entries of the ledgers
    <generation>:title:<movie_id>     the answer of GET /v1/titles/{movie_id}
    <generation>:list:<user_id>       that of GET /v1/users/{user_id}/recommendations
    <generation>:estimate:<title_id>  that of POST /v1/budget-estimates to what is `asked`

The answers are those of the API's routes, called here without HTTP. The name of a generation is a
digest of both bundles, the length of the lists and the form of the answers, so that two publishers
of the same pair write the same documents.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import ValidationError

from documents.couch import Document
from marquee.artefacts.ledger_entry import Entry
from marquee.clock import now
from marquee.errors import NotFoundError, SourceError
from marquee.identifiers import digest_value
from marquee.lake import Lake
from marquee.policy import MODELS
from release.ledger import Ledger
from scoring.budget.features import KnownTitle
from scoring.recommender.bundle import Title
from serving.backend import Backend, open_backend
from serving.bundle_cache import BundleCache
from serving.callers import EVERYBODY
from serving.engines import load_budget, load_recommender
from serving.follower import LoadedChampion, View
from serving.questions import QUESTIONS
from serving.routes.budget_estimates import BudgetAnswer, BudgetRequest
from serving.routes.recommendations import RecommendationsAnswer
from serving.routes.title_search import TitleAnswer

KINDS = {"title": "title", "list": "recommendations", "estimate": "budget-estimate"}
"""The kinds of documents, and the question of `serving.questions` that each has the answer to."""
SAFE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""A title's id that no address and no query has to escape."""
LISTS = {"cast": "cast", "writers": "writer", "companies": "company", "keywords": "keyword"}
LABELS = {"countries": "country", "languages": "language"}
"""Fields of a request by their names in the model, in both."""
LONGEST_NAME = 200


@dataclass(frozen=True)
class Pair:
    """The heads of both ledgers when they were read; None for a model without a champion."""

    recommender: Entry | None
    budget: Entry | None

    @property
    def by_model(self) -> dict[str, Entry]:
        """The entries that there are, by model."""
        both = {"recommender": self.recommender, "budget": self.budget}
        return {model: entry for model, entry in both.items() if entry is not None}

    @property
    def numbers(self) -> dict[str, dict[str, Any]]:
        """The entries as documents name them: number and digest."""
        return {m: {"number": e.number, "digest": e.digest} for m, e in self.by_model.items()}

    def name(self, top_n: int) -> str:
        """The generation's name, 17 characters."""
        forms = [x.model_json_schema() for x in (TitleAnswer, RecommendationsAnswer, BudgetAnswer)]
        bundles = {model: entry.bundle_digest for model, entry in self.by_model.items()}
        return "g" + digest_value({"bundles": bundles, "top_n": top_n, "forms": forms})[:16]


def read_pair(lake: Lake) -> Pair:
    """Both heads; NotFoundError before the first promotion of either model."""
    heads = {model: Ledger(lake, model).head() for model in MODELS}
    pair = Pair(heads["recommender"], heads["budget"])
    if not pair.by_model:
        raise NotFoundError(
            f"{lake.root} has no champion yet: there is nothing to publish",
            "documents follow the first promotion",
        )
    return pair


@contextmanager
def answering(lake: Lake, pair: Pair) -> Iterator[Backend]:
    """A backend of the API with exactly this pair of champions, and nobody's feedback.

    Raises LakeError or BundleError where a bundle cannot be fetched or answers wrongly.
    """
    with TemporaryDirectory(prefix="documents-") as folder:
        scratch = Path(folder)
        backend = open_backend(lake, scratch / "cache", scratch / "feedback")
        loaders: dict[str, Callable[[Path], Any]] = {
            "recommender": load_recommender,
            "budget": load_budget,
        }
        for model, entry in pair.by_model.items():
            bundle = BundleCache(lake, model, scratch / "cache").fetch(entry)
            champion = LoadedChampion(loaders[model](bundle), entry, now())
            backend.followers[model].view = View(champion, (entry,))
        yield backend


def documents_of(backend: Backend, generation: str, top_n: int) -> Iterator[Document]:
    """Every document of the generation but `about`; lists are of people of the release alone.

    People of our own API have no list here: what they rate counts at once, and their names are
    nobody's business on boards elsewhere.
    """
    titles: tuple[Title, ...] = ()
    if (stars := backend.recommender.view.champion) is not None:
        titles = stars.model.title_index.titles
        for title in titles:
            asked: dict[str, Any] = {"movie_id": title.name or str(title.movie_id)}
            yield _document(backend, generation, "title", title.movie_id, asked)
        for user in stars.model.recommender.bundle.user_ids.tolist():
            if user >= 0:
                asked = {"user_id": str(user), "n": top_n}
                yield _document(backend, generation, "list", user, asked)
    if (budget := backend.budget.view.champion) is not None:
        for name, request in questions(titles, budget.model.bundle.titles):
            asked = request.model_dump(mode="json", exclude_defaults=True)
            try:
                estimate = _document(backend, generation, "estimate", name, asked)
            except SourceError:  # more genres than a film may have, for example
                continue
            yield estimate


def _document(
    backend: Backend, generation: str, kind: str, name: object, asked: Mapping[str, Any]
) -> Document:
    """The document of a question; raises as the question does."""
    question = QUESTIONS[KINDS[kind]]
    answer = question.answer(backend, EVERYBODY, question.request.model_validate(asked))
    return {
        "_id": f"{generation}:{kind}:{name}",
        "kind": kind,
        "generation": generation,
        "asked": dict(asked),
        "answer": answer.model_dump(mode="json"),
    }


def questions(
    titles: tuple[Title, ...], films: tuple[KnownTitle, ...]
) -> Iterator[tuple[str, BudgetRequest]]:
    """By title id, what both bundles know of a film, as a request; by id, each once.

    A film of the budget model's training is asked with all that is known of it; any other title of
    the recommender with its year and genres. Both bundles are immutable, so the questions are, too.
    """
    stated = {t.title_id: {"year": t.year, "genres": t.genres} for t in titles if t.title_id}
    stated |= {film.title_id: _all_known(film) for film in films}
    for name in sorted(stated):
        if SAFE_ID.fullmatch(name) and (request := _request(stated[name])):
            yield name, request


def _all_known(film: KnownTitle) -> dict[str, Any]:
    labels, numbers = film.labels, film.numbers
    month = labels.get("month", "")
    known: dict[str, Any] = {
        "year": film.year,
        "genres": film.genres,
        "directors": film.directors,
        "rating": film.rating,
        "runtime": numbers.get("runtime"),
        "vote_count": numbers.get("vote_count"),
        "certificate": labels.get("certificate"),
        "release_date": f"{film.year}-{month}" if month else None,
    }
    known |= {field: film.people.get(role, ()) for field, role in LISTS.items()}
    return known | {field: (labels[n],) for field, n in LABELS.items() if labels.get(n)}


def _request(stated: Mapping[str, Any]) -> BudgetRequest | None:
    """The request; with year and genres alone where a field is out of its bounds, else None."""
    whole = {name: _within(name, value) for name, value in stated.items() if value}
    for facts in (whole, {name: whole.get(name) for name in ("year", "genres") if name in whole}):
        try:
            return BudgetRequest.model_validate(facts)
        except ValidationError:
            continue
    return None


def _within(name: str, value: Any) -> Any:
    """A list cut to what a request may state; any other value as it is."""
    if not isinstance(value, list | tuple):
        return value
    most = next((m.max_length for m in BudgetRequest.model_fields[name].metadata
                 if getattr(m, "max_length", None)), len(value))  # fmt: skip
    return [one for one in value if 0 < len(one) <= LONGEST_NAME][:most]
