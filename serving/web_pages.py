"""Web pages for people: `/`, to try both models, `/docs`, the reference of the API, and `/sign-in`.

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
from urllib.parse import parse_qsl

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup, escape

from marquee.clock import now
from scoring.budget.lookup import ChainLayout, VectorLayout, layout_of
from serving.access import TokenRules
from serving.callers import CallerDep, clear_session, is_same_site, session_of, set_session
from serving.engines import BudgetEngine, LoadedRecommender
from serving.problems import ProblemError
from serving.routes.model_ledger import ModelState, model_state
from serving.routes.request_context import BackendDep

SUGGESTED_TITLES = 12
"""Number of popular titles that the home page offers to rate."""
LARGEST_FORM_BYTES = 4_096
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
    backend: BackendDep, caller: CallerDep, person: Annotated[str, Query(max_length=1_000)] = ""
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
        somebody=next((one for one in known_people if one >= 0), 1),  # nobody of this API
        lowest=backend.scale[0],
        highest=backend.scale[1],
        person=person,
        directors=_directors(budget.model) if budget else [],
        budget_genres=budget.model.bundle.encoder.genres if budget else (),
        budget_words=_further_fields(budget.model) if budget else [],
        budget_certificates=_certificates(budget.model) if budget else (),
        this_year=now().year,
        signed_in=caller.name if caller.is_browser else "",
    )
    return HTMLResponse(page)


@router.get("/docs", response_class=HTMLResponse)
async def docs(request: Request, caller: CallerDep) -> HTMLResponse:
    """The reference of the API, made from its OpenAPI description."""
    api = request.app.openapi()
    page = templates.get_template("docs.html").render(
        about=api["info"]["description"].strip().split("\n\n"),
        version=api["info"]["version"],
        groups=_operations_by_tag(api),
        signed_in=caller.name if caller.is_browser else "",
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


# Signing in -----------------------------------------------------------------------------------


@router.get("/sign-in", response_class=HTMLResponse)
async def sign_in_form(request: Request, next: str = "/") -> Response:
    """The form that takes a token; on an open server there is nothing to sign in to."""
    if not isinstance(request.app.state.rules, TokenRules):
        return RedirectResponse("/", 303)
    return _sign_in_page(own_page(next))


@router.post("/sign-in", response_class=HTMLResponse)
async def sign_in(request: Request) -> Response:
    """Start a session with the token of the form, and go on to the page that was wanted."""
    rules, form = request.app.state.rules, await _small_form(request)
    wanted = own_page(form.get("next", "/"))
    if not isinstance(rules, TokenRules):
        return RedirectResponse("/", 303)
    if not is_same_site(request):
        return _sign_in_page(wanted, "Another site sent this form. Sign in here.", 403)
    try:
        token = rules.token_with(request, form.get("token", "").strip())
    except ProblemError as error:
        return _sign_in_page(wanted, str(error), error.status, error.headers)
    answer = RedirectResponse(wanted, 303)
    set_session(request, answer, rules.sessions.start(token))
    return answer


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    """End the session."""
    rules, session = request.app.state.rules, session_of(request)
    answer = RedirectResponse("/sign-in", 303)
    if session and isinstance(rules, TokenRules) and is_same_site(request):
        rules.sessions.end(session)
        clear_session(request, answer)
    return answer


def own_page(wanted: str) -> str:
    """The path if it is one of this server; else the home page.

    A browser takes `//name`, `/\\name` and a path with a control character for another server's.
    """
    is_own = re.fullmatch(r"/(?![/\\])[^\x00-\x20\x7f\\]*", wanted) is not None
    return wanted if is_own and not wanted.startswith("/sign-") else "/"


async def _small_form(request: Request) -> dict[str, str]:
    """The fields of a form of at most LARGEST_FORM_BYTES; a 413 problem for a larger one."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_FORM_BYTES:
            raise ProblemError(413, "this form holds a token and no more")
    return dict(parse_qsl(body.decode("latin-1")))


def _sign_in_page(
    wanted: str, failure: str = "", status: int = 200, headers: dict[str, str] | None = None
) -> HTMLResponse:
    page = templates.get_template("sign_in.html").render(next=wanted, failure=failure)
    return HTMLResponse(page, status, headers)


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
                "scope": next((s["token"][0] for s in operation.get("security", [])), ""),
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
