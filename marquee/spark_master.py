"""Spark's masters: the pages of a Standalone one, and what one inside the driver needs.

A Standalone master answers on `/json/` and ends an application on `/app/kill/`, as its own web page
does (Spark 4.1, `MasterWebUI`). Of several masters one is ALIVE; a STANDBY lists no application.
Tasks use this module to leave no orphan, and `marquee doctor` to check a place.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from marquee.errors import AwayError

SECONDS_TO_ANSWER = 10.0
LOCAL_CONF = {"spark.locality.wait": "0s"}
"""For a master inside the driver. There a task that waits for a host with its data is never offered
again once the others have ended, and its job hangs (SPARK-4939)."""


@dataclass(frozen=True)
class Application:
    """An application that a master, or a ResourceManager, has registered."""

    id: str
    name: str
    state: str
    page: str
    """The address of the page that lists it."""


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


def worker_pages(state: dict[str, Any]) -> list[str]:
    """The pages of the living workers that a master names."""
    alive = [one for one in state.get("workers", ()) if one.get("state") == "ALIVE"]
    return [str(one["webuiaddress"]) for one in alive if one.get("webuiaddress")]


def listed_applications(page: str, prefix: str) -> list[Application]:
    """The applications of one master whose names begin so; AwayError where it does not answer."""
    return [
        Application(str(one["id"]), str(one["name"]), str(one["state"]), page)
        for one in read_state(page)["activeapps"]
        if str(one["name"]).startswith(prefix)
    ]


def end_application(application: Application) -> None:
    """Ask once; the list shows whether it helped. AwayError where the master does not answer."""
    import httpx

    form = {"id": application.id, "terminate": "true"}
    url = f"{application.page}/app/kill/"
    try:
        httpx.post(url, data=form, timeout=SECONDS_TO_ANSWER, trust_env=False)
    except httpx.HTTPError as error:
        raise AwayError(f"{url} does not answer ({type(error).__name__})") from None
