"""Web pages for people: `/`, to try both models, and `/docs`, the reference of the API.

The server renders both from `serving/templates`. Their script and style are our own files under
`/static`. `/docs` is made from the OpenAPI description that clients read.
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
from scoring.budget.lookup import ChainLayout, VectorLayout, layout_of
from serving.engines import BudgetEngine, LoadedRecommender
from serving.routes.model_ledger import ModelState, model_state
from serving.routes.request_context import BackendDep

SUGGESTED_TITLES = 12
"""Number of popular titles that the home page offers to rate."""
MOST_DIRECTORS = 400
"""Number of directors that the home page offers to choose from."""
FURTHER_FIELDS = {
    "cast": ("cast", "names, with commas between"),
    "writer": ("writers", "names, with commas between"),
    "company": ("companies", "production companies"),
    "keyword": ("keywords", "heist, paris"),
}
FURTHER_LABELS = {"language": ("languages", "English"), "country": ("countries", "USA")}
"""Fields of the budget form by the role or label that the model reads, with an example."""
Schema = dict[str, Any]
EXAMPLE_VALUES: dict[str, Any] = {
    "movie_id": 1,
    "user_id": 1,
    "rating": 4.5,
    "year": 2027,
    "genre": None,
    "year_from": None,
    "year_to": None,
}
"""Example values by field name. A rating of 4.5 suits both scales: stars and IMDb's 1 to 10."""
router = APIRouter(include_in_schema=False)
templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True
)


def _with_code(text: str) -> Markup:
    """Escape a text for HTML, with a code element for each pair of backticks."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


templates.filters["with_code"] = _with_code


@router.get("/", response_class=HTMLResponse)
async def home(
    backend: BackendDep, person: Annotated[str, Query(max_length=1_000)] = ""
) -> HTMLResponse:
    """Rate a few titles, see what to watch; describe a film, see what it costs."""
    champion, budget = backend.recommender.view.champion, backend.budget.view.champion
    index = champion.model.title_index if champion else None
    known_people = champion.model.recommender.bundle.user_ids.tolist() if champion else []
    page = templates.get_template("home.html").render(
        recommender=_with_readable_times(model_state(backend.recommender)),
        budget=_with_readable_times(model_state(backend.budget)),
        suggestions=_suggestions(champion.model) if champion else [],
        genres=list(index.genres) if index else [],
        titles=len(index.titles) if index else 0,
        people=len(known_people),
        somebody=known_people[0] if known_people else 1,
        lowest=backend.scale[0],
        highest=backend.scale[1],
        person=person,
        directors=_directors(budget.model) if budget else [],
        budget_genres=budget.model.bundle.encoder.genres if budget else (),
        budget_words=_further_fields(budget.model) if budget else [],
        budget_certificates=_certificates(budget.model) if budget else (),
        this_year=now().year,
    )
    return HTMLResponse(page)


@router.get("/docs", response_class=HTMLResponse)
async def docs(request: Request) -> HTMLResponse:
    """The reference of the API, made from its OpenAPI description."""
    api = request.app.openapi()
    page = templates.get_template("docs.html").render(
        about=api["info"]["description"].strip().split("\n\n"),
        version=api["info"]["version"],
        groups=_operations_by_tag(api),
    )
    return HTMLResponse(page)


# The home page --------------------------------------------------------------------------------


def _suggestions(loaded: LoadedRecommender) -> list[dict[str, Any]]:
    popular = loaded.title_index.search("", SUGGESTED_TITLES)
    return [
        {"movie_id": t.movie_id, "title": t.title, "year": t.year, "genres": list(t.genres)}
        for t in popular
    ]


def _directors(model: BudgetEngine) -> list[str]:
    """The names of the directors with the most titles in the model's training data."""
    titles = model.bundle.titles
    counts = Counter(name for title in titles for name in title.director_names)
    return [name for name, _ in counts.most_common(MOST_DIRECTORS)]


def _further_fields(model: BudgetEngine) -> list[tuple[str, str]]:
    """The fields of names that the form asks for, each with an example; none for a narrow model."""
    read = {name for layout in _layouts(model) for name in layout.fields}
    further = FURTHER_FIELDS | FURTHER_LABELS
    return [field for name, field in further.items() if name in read]


def _certificates(model: BudgetEngine) -> tuple[str, ...]:
    words = [word for layout in _layouts(model) for word in layout.words.get("certificate", ())]
    return tuple(dict.fromkeys(words))


def _layouts(model: BudgetEngine) -> list[VectorLayout | ChainLayout]:
    return [layout_of(model.bundle.encoder, question) for question in model.bundle.predictors]


def _with_readable_times(state: ModelState) -> dict[str, Any]:
    """The fields of a model's state, with times such as `3 May 2026, 14:00 UTC`."""
    moments = {
        key: datetime.fromisoformat(value).strftime("%-d %B %Y, %H:%M UTC")
        for key in ("as_of", "promoted_at", "loaded_at")
        if (value := getattr(state, key))
    }
    return {**state.model_dump(), **moments}


# The reference --------------------------------------------------------------------------------


def _operations_by_tag(api: Schema) -> dict[str, list[dict[str, Any]]]:
    """Operations by tag, in the order of the app's routes."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for operation in _operations(api):
        groups.setdefault(operation["tag"], []).append(operation)
    return groups


def _operations(api: Schema) -> Iterator[dict[str, Any]]:
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


def _json_schema(content: dict[str, Any]) -> Schema:
    schema: Schema = content.get("content", {}).get("application/json", {}).get("schema", {})
    return schema


def example_of(api: Schema, schema: Schema, name: str = "") -> Any:
    """A short value that the schema accepts; `name` is the field's name."""
    schema = _resolved(api, schema)
    if name in EXAMPLE_VALUES:
        return EXAMPLE_VALUES[name]
    if "default" in schema:
        return schema["default"]
    if schema.get("type") == "object":
        found = schema.get("properties", {})
        return {key: example_of(api, inner, key) for key, inner in found.items()}
    if schema.get("type") == "array":
        return [example_of(api, schema["items"])]
    return {"string": "text", "integer": 1, "number": 1.0, "boolean": True}.get(
        schema.get("type", "")
    )


def fields_of(api: Schema, schema: Schema, prefix: str = "") -> list[tuple[str, str, str]]:
    """(name, type, description) of every field; nested fields follow their parent: `user.name`."""
    found: list[tuple[str, str, str]] = []
    for name, field in _resolved(api, schema).get("properties", {}).items():
        found.append((prefix + name, type_of(api, field), field.get("description", "")))
        inner = _resolved(api, field.get("items", field))
        if inner.get("properties") and prefix.count(".") < 1:
            found += fields_of(api, inner, f"{prefix}{name}.")
    return found


def type_of(api: Schema, schema: Schema) -> str:
    """A type in one or two words, such as `list of integer`."""
    if "anyOf" in schema:
        return " or ".join(type_of(api, option) for option in schema["anyOf"])
    schema = _resolved(api, schema)
    if schema.get("type") == "array":
        return f"list of {type_of(api, schema.get('items', {}))}"
    return str(schema.get("type", "any"))


def _resolved(api: Schema, schema: Schema) -> Schema:
    while "$ref" in schema:
        schema = api["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    return schema
