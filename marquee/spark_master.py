"""The pages of a Spark Standalone master: its state, its applications, and ending one.

A master answers on `/json/` and ends an application on `/app/kill/`, as its own web page does
(Spark 4.1, `MasterWebUI`). Of several masters one is ALIVE; a STANDBY lists no application. Tasks
use this module to leave no orphan, and `marquee doctor` to check a place.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from marquee.errors import AwayError

SECONDS_TO_ANSWER = 10.0
SECONDS_TO_END = 60.0
"""How long an application may take to end; a master drops a dead driver's at once."""


@dataclass(frozen=True)
class Application:
    """An application that a master has registered."""

    id: str
    name: str
    state: str
    page: str
    """The address of the master's page."""


def read_state(page: str) -> dict[str, Any]:
    """What a master says of itself: `status`, `workers`, `activeapps`, and more.

    Raises AwayError where it does not answer with that.
    """
    import httpx

    from marquee.remote_page import read_page  # Airflow parses this module for the DAG alone

    try:
        state = json.loads(read_page(f"{page}/json/")[0])
    except (httpx.HTTPError, ValueError, RecursionError) as error:
        raise AwayError(
            f"no Spark master answers at {page} ({type(error).__name__})",
            "is it running? Else correct [spark] master_pages",
        ) from None
    if not isinstance(state, dict) or "activeapps" not in state:
        raise AwayError(f"{page} is no Spark master's page", "correct [spark] master_pages")
    return state


def active_applications(pages: Sequence[str], prefix: str) -> list[Application]:
    """The applications whose names begin with `prefix`, of all masters that answer.

    Raises AwayError where no master answers.
    """
    found, errors = [], []
    for page in pages:
        try:
            state = read_state(page)
        except AwayError as error:
            errors.append(error)
            continue
        for one in state["activeapps"]:
            if str(one["name"]).startswith(prefix):
                found.append(Application(one["id"], one["name"], one["state"], page))
    if errors and len(errors) == len(pages):
        raise errors[0]
    return found


def end_applications(
    pages: Sequence[str], prefix: str, seconds: float = SECONDS_TO_END
) -> list[Application]:
    """End all applications whose names begin with `prefix`, and wait for it; returns them.

    Raises AwayError where no master answers, or where an application is still there after
    `seconds`.
    """
    if not prefix:
        raise ValueError("an empty prefix would end every application")
    ended: dict[str, Application] = {}
    until = time.monotonic() + seconds
    while found := active_applications(pages, prefix):
        for one in found:
            _kill(one)
            ended[one.id] = one
        if time.monotonic() > until:
            names = ", ".join(f"{one.name} ({one.id})" for one in found)
            raise AwayError(
                f"{found[0].page} still runs {names} after {seconds:.0f} s",
                "end it on that page; spark.ui.killEnabled must be true there",
            )
        time.sleep(0.5)
    return list(ended.values())


def _kill(application: Application) -> None:
    """Ask once; the caller sees in the list whether it helped."""
    import httpx

    form = {"id": application.id, "terminate": "true"}
    url = f"{application.page}/app/kill/"
    try:
        httpx.post(url, data=form, timeout=SECONDS_TO_ANSWER, trust_env=False)
    except httpx.HTTPError as error:
        raise AwayError(f"{url} does not answer ({type(error).__name__})") from None
