"""A run's report, as the gate left it, with what came of it since: where Airflow's button leads."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import HTMLResponse

from marquee.errors import MarqueeError, NotFoundError
from release.bundles import model_folder
from release.outcome import came_of_run
from report import tell_outcome
from serving.problems import ProblemError
from serving.routes.context import SourceHere
from serving.routes.models import Name

router = APIRouter(tags=["models"])
RunName = Annotated[
    str,
    Path(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
        description="the run's name in the lake, as `marquee history` lists it",
    ),
]
# The page brings its own style and nothing else; it may load nothing and run nothing.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

SECONDS_FOR_WHAT_CAME_SINCE = 2.0
"""How long a page that is there waits for the verdict, the ledger and the answers beside it."""


@router.get("/v1/models/{name}/runs/{run}/report", response_class=HTMLResponse)
async def read_report(source: SourceHere, name: Name, run: RunName) -> HTMLResponse:
    """The page that says why this run's model was let through or refused.

    What came of it since is told where the lake says so in time.
    """
    try:
        path = f"{model_folder(run, name)}/report.html"
        page = await source.lake_calls.run(lambda: source.lake.read_bytes(path))
    except NotFoundError:
        raise ProblemError(
            404,
            f"run {run} has left no report on a {name}",
            "its gate writes one; `marquee history` lists the runs that were judged",
        ) from None
    with suppress(MarqueeError, ValueError):  # whatever is the matter: then as the gate left it
        page = await source.lake_calls.run(
            lambda: tell_outcome(page.decode(), came_of_run(source.lake, name, run)).encode(),
            SECONDS_FOR_WHAT_CAME_SINCE,
        )
    return HTMLResponse(page, headers={"content-security-policy": POLICY})
