"""The run's typed form in Airflow, and the check of every request that starts a run.

Airflow checks a conf only by the form's JSON schema: unknown keys pass, and a refusal shows the
schema. So `FormCheck` runs in the API server and calls `steps.form.check_form` on each request
first, whether it comes from the form, REST, a backfill or another DAG.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from airflow.sdk import Param

from marquee.errors import MarqueeError
from marquee.policy import Model
from marquee.settings import Settings, load_settings
from marquee_airflow.timetable import DAG_ID
from steps.form import MOST_PAGES, PROMOTE, SEARCH, check_form, policy_of, recipe_names


def form(settings: Settings) -> dict[str, Param]:
    """The params of `weekly_retrain`, in the order of the form."""
    schedule = settings.schedule
    return {
        "promote": Param(
            schedule.promote,
            enum=list(PROMOTE),
            title="Promote",
            description="yes: an approved model serves; ask: a person decides; no: only judge.",
        ),
        "search": Param(
            schedule.search,
            enum=list(SEARCH),
            title="Search",
            description="none: the recipe that serves, else the first; quick or full: more, on an "
            "inner split.",
        ),
        "max_pages": Param(
            settings.crawl.max_pages,
            type="integer",
            minimum=0,
            maximum=MOST_PAGES,
            title="Pages to crawl at most",
            description="On a public host one page takes at least a second.",
        ),
        "sources": Param(
            list(settings.titles.sources),
            type="array",
            items={"type": "string", "enum": list(settings.titles.known_sources)},
            examples=list(
                settings.titles.known_sources
            ),  # makes the form offer them, not ask for text
            uniqueItems=True,
            minItems=1,
            title="Sources of titles",
            description="In order of precedence. All but the crawl need a place in [titles].",
        ),
        "as_of": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="As of",
            description="See only rows before this moment; a week or more ago, no page is fetched. "
            "Empty: the data interval's end.",
        ),
        "force": Param(
            False,
            type="boolean",
            title="Force",
            description="Train even where nothing changed since the last decision.",
        ),
        "recommender_recipe": _recipe(settings, "recommender"),
        "budget_recipe": _recipe(settings, "budget"),
        "recommender_rmse_ceiling": _ceiling(
            settings, "recommender", "rmse_ceiling", "RMSE", "stars"
        ),
        "recommender_coverage_floor": _floor(
            settings, "recommender", "coverage_floor", "coverage", "as a share"
        ),
        "budget_log_rmse_ceiling": _ceiling(
            settings, "budget", "log_rmse_ceiling", "log-RMSE", "log10 dollars"
        ),
    }


def _recipe(settings: Settings, model: Model) -> Param:
    return Param(
        None,
        type=["null", "string"],
        enum=[None, *recipe_names(settings, model)],
        title=f"Recipe of the {model}",
        description="Train this recipe of config alone. Empty: as the search says.",
    )


def _ceiling(settings: Settings, model: Model, bound: str, what: str, unit: str) -> Param:
    held = getattr(policy_of(settings, model), bound)
    return _bound(f"{model}: {what} at most", f"{held:g} {unit}", minimum=0, maximum=held)


def _floor(settings: Settings, model: Model, bound: str, what: str, unit: str) -> Param:
    held = getattr(policy_of(settings, model), bound)
    return _bound(f"{model}: {what} at least", f"{held:g} {unit}", minimum=held, maximum=1)


def _bound(title: str, held: str, **limits: float) -> Param:
    return Param(
        None,
        type=["null", "number"],
        title=f"Tighten {title}",
        description=f"The policy holds {held}; empty leaves it so. A looser bound is refused.",
        **limits,
    )


Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_CONF_KEYS = {
    re.compile(rf"/api/v2/dags/{DAG_ID}/dagRuns/?$"): "conf",
    re.compile(rf"/execution/dag-runs/{DAG_ID}/[^/]+$"): "conf",
    re.compile(r"/api/v2/backfills(/dry_run)?/?$"): "dag_run_conf",
}
"""For each path of a request that starts a run, the key of the conf in the request's body."""


class FormCheck:
    """ASGI middleware of Airflow's API server: it answers a wrong conf with 400 and the reason.

    `airflow dags trigger` does not pass the API server: the tasks of such a run refuse its conf.
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        key = _key_of(scope)
        if key is None:
            await self.app(scope, receive, send)
            return
        messages = [await receive()]
        while messages[-1].get("more_body"):
            messages.append(await receive())
        why = refusal_reason(b"".join(m.get("body", b"") for m in messages), key)
        if why is not None:
            await _send_refusal(send, why)
            return

        async def replay() -> Message:
            return messages.pop(0) if messages else await receive()

        await self.app(scope, replay, send)


def refusal_reason(body: bytes, key: str) -> str | None:
    """Why a request cannot start a run; None where it can.

    None also where the body is not a JSON object, or names another DAG: Airflow judges those.
    """
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(request, dict) or request.get("dag_id", DAG_ID) != DAG_ID:
        return None
    conf = request.get(key)
    try:
        check_form(load_settings(), {} if conf is None else conf)
    except MarqueeError as error:
        return str(error)
    return None


def _key_of(scope: Mapping[str, Any]) -> str | None:
    if scope["type"] != "http" or scope["method"] != "POST":
        return None
    return next((key for path, key in _CONF_KEYS.items() if path.search(scope["path"])), None)


async def _send_refusal(send: Send, why: str) -> None:
    """Send the refusal as JSON `{"detail": why}`, as Airflow's own routes do."""
    body = json.dumps({"detail": why}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": body})
