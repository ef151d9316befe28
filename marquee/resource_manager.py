"""The pages of YARN's ResourceManager: its nodes, its applications, and ending one.

The REST interface is Hadoop's (`/ws/v1/cluster`, Hadoop 3.4). The ResourceManager of the
minicluster jar answers it in another form: lists are not nested twice, and its answer breaks off
in the first application, after its number and its address, which it has once it runs. So an
application is found by a tag of its job and run, which the ResourceManager compares by itself, and
each answer is read in both forms. Where its pages want Kerberos, an application is ended by hand.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from marquee.errors import AwayError
from marquee.spark_master import SECONDS_TO_ANSWER, Application

ACTIVE = "NEW,NEW_SAVING,SUBMITTED,ACCEPTED,RUNNING"
APPLICATION_ID = re.compile(r"application_\d+_\d+")
REMEDY = "is it running? Else correct [spark] master_pages"


def tag_of(prefix: str) -> str:
    """The tag of all attempts at one job of one run; `prefix` is how their names begin.

    A tag has at most 100 characters of ASCII; the id of a run may have more.
    """
    return f"marquee-{hashlib.sha256(prefix.encode()).hexdigest()[:16]}"


def read_cluster(page: str, what: str) -> Any:
    """`what` of the ResourceManager, such as `nodes`, without the names that wrap it.

    Raises AwayError where the page does not answer with JSON.
    """
    import httpx

    from marquee.remote_page import read_page  # Airflow parses this module for the DAG alone

    try:
        found = json.loads(read_page(f"{page}/ws/v1/cluster/{what}", may_break_off=True)[0])
    except (httpx.HTTPError, ValueError, RecursionError) as error:
        raise AwayError(
            f"no ResourceManager answers at {page} ({type(error).__name__})", REMEDY
        ) from None
    if not isinstance(found, dict):
        raise AwayError(f"{page} is no ResourceManager's page", REMEDY)
    return found


def listed(found: Any, many: str, one: str) -> list[dict[str, Any]]:
    """The list of `{"apps": {"app": [...]}}`, or of `{"apps": [...]}`, or of `{"apps": null}`."""
    inner = found.get(many)
    if isinstance(inner, dict):
        inner = inner.get(one)
    return [each for each in inner or () if isinstance(each, dict)]


def room_of(found: dict[str, Any]) -> tuple[int, int]:
    """Megabytes and cores of a node for containers, used ones included."""
    used = found.get("usedMemoryMB", found.get("usedMemory", 0))
    free = found.get("availMemoryMB", found.get("availableMemory", 0))
    cores = int(found["usedVirtualCores"]) + int(found["availableVirtualCores"])
    return int(used) + int(free), cores


def listed_applications(page: str, prefix: str) -> list[Application]:
    """The applications of a job and run that have not ended; AwayError without an answer."""
    query = f"apps?states={ACTIVE}&applicationTags={tag_of(prefix)}"
    found = listed(read_cluster(page, query), "apps", "app")
    return [_application(one, page, prefix) for one in found]


def _application(found: dict[str, Any], page: str, prefix: str) -> Application:
    number = _id_of(found, page)
    state = found.get("state") or read_cluster(page, f"apps/{number}/state").get("state", "")
    return Application(number, str(found.get("name") or prefix.strip()), str(state), page)


def _id_of(found: dict[str, Any], page: str) -> str:
    """YARN's id of an application: in its fields, or the cluster's number and its own."""
    if match := APPLICATION_ID.search(str(found.get("id") or found)):
        return match.group()
    info = read_cluster(page, "info")
    try:
        return f"application_{int(info['clusterId'])}_{int(found['appIdNum']):04d}"
    except (KeyError, TypeError, ValueError):
        raise AwayError(f"{page} does not say which applications it runs", REMEDY) from None


def end_application(application: Application) -> None:
    """Ask once; the list shows whether it helped. AwayError without an answer or right."""
    import httpx

    url = f"{application.page}/ws/v1/cluster/apps/{application.id}/state"
    try:
        answer = httpx.put(
            url, json={"state": "KILLED"}, timeout=SECONDS_TO_ANSWER, trust_env=False
        )
    except httpx.HTTPError as error:
        raise AwayError(f"{url} does not answer ({type(error).__name__})") from None
    if answer.status_code in (401, 403):
        raise AwayError(
            f"{application.page} refuses to end {application.id} (HTTP {answer.status_code})",
            f"end it by hand: yarn application -kill {application.id}",
        )
