"""Pages for people: `/`, to try both models, and `/docs`, the API's reference.

Rendered here, styled and moved by two files of our own under `/static`; nothing is loaded from
elsewhere.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup, escape

from marquee.clock import now
from scoring.budget.model import BudgetModel
from serving.answers import ModelState
from serving.loading import LoadedRecommender
from serving.routes.context import SourceHere
from serving.routes.models import model_state
from serving.schema import example_of, fields_of

SUGGESTIONS = 12
router = APIRouter(include_in_schema=False)
templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True
)


def _with_code(text: str) -> Markup:
    """Escape a docstring and set its `code` in code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


templates.filters["with_code"] = _with_code


@router.get("/", response_class=HTMLResponse)
async def home(
    source: SourceHere, person: Annotated[str, Query(max_length=1_000)] = ""
) -> HTMLResponse:
    """Rate a few titles, see what to watch; describe a film, see what it costs."""
    champion, films = source.recommender.view.champion, source.budget.view.champion
    page = templates.get_template("home.html").render(
        recommender=_shown(model_state(source.recommender)),
        budget=_shown(model_state(source.budget)),
        suggestions=_suggestions(champion.model) if champion else [],
        genres=list(champion.model.catalogue.genres) if champion else [],
        titles=len(champion.model.catalogue.titles) if champion else 0,
        people=len(champion.model.model.user_ids) if champion else 0,
        somebody=int(champion.model.model.user_ids[0]) if champion else 1,
        lowest=source.scale[0],
        highest=source.scale[1],
        person=person,
        directors=_directors(films.model) if films else [],
        budget_genres=films.model.bundle.stages.genres if films else (),
        this_year=now().year,
    )
    return HTMLResponse(page)


@router.get("/docs", response_class=HTMLResponse)
async def docs(request: Request) -> HTMLResponse:
    """The reference, from the same description `/openapi.json` gives to clients."""
    api = request.app.openapi()
    page = templates.get_template("docs.html").render(
        about=api["info"]["description"].strip().split("\n\n"),
        version=api["info"]["version"],
        groups=_grouped(api),
    )
    return HTMLResponse(page)


def _suggestions(loaded: LoadedRecommender) -> list[dict[str, Any]]:
    popular = loaded.catalogue.search("", SUGGESTIONS)
    return [
        {"movie_id": t.movie_id, "title": t.title, "year": t.year, "genres": list(t.genres)}
        for t in popular
    ]


def _directors(model: BudgetModel) -> list[str]:
    """Names to choose from: those with the most films the model has seen."""
    films = model.bundle.films
    return [
        name for name, _ in Counter(n for f in films for n in f.director_names).most_common(400)
    ]


def _shown(state: ModelState) -> dict[str, Any]:
    """A model's state with its moments as a person reads them."""
    moments = {
        key: datetime.fromisoformat(value).strftime("%-d %B %Y, %H:%M UTC")
        for key in ("as_of", "promoted_at", "loaded_at")
        if (value := getattr(state, key))
    }
    return {**state.model_dump(), **moments}


def _grouped(api: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Operations by tag, in the order the app declares them."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for operation in _operations(api):
        groups.setdefault(operation["tag"], []).append(operation)
    return groups


def _operations(api: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            body = _json_schema(operation.get("requestBody", {}))
            status, answer = next(iter(operation["responses"].items()))
            reply = _json_schema(answer)
            yield {
                "method": method.upper(),
                "path": path,
                "tag": operation.get("tags", ["other"])[0],
                "about": operation.get("description", ""),
                "parameters": operation.get("parameters", []),
                "body": json.dumps(example_of(api, body), indent=1) if body else "",
                "status": status,
                "fields": fields_of(api, reply) if reply else [],
            }


def _json_schema(part: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = part.get("content", {}).get("application/json", {}).get("schema", {})
    return schema
