"""The models that serve, their ledgers, their champions at a moment, and the reports of runs.

The *Report* button in Airflow opens the report here.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, Field

from marquee.clock import iso, now, parse_moment, refuse_ahead
from marquee.errors import MarqueeError, NotFoundError, SourceError
from marquee.lake import Lake
from marquee.policy import Model
from marquee.run_folder import model_folder, read_forecast
from release.ledger import entry_at
from release.outcomes import outcome_of_run
from release.promotion import EXPORT_FILE, export_folder
from report.model_page import insert_forecast, insert_outcome
from serving.follower import Follower
from serving.problems import ProblemError
from serving.routes.request_context import BackendDep

router = APIRouter(tags=["models"])
RunName = Annotated[
    str,
    Path(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
        description="the run's name in the lake, as `marquee history` lists it",
    ),
]
FormatName = Annotated[
    str, Path(pattern=r"^[a-z][a-z0-9]{0,19}$", description="pmml, onnx or mleap")
]
# A report contains its own style; it may load no files and run no scripts.
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
SECONDS_FOR_OUTCOME = 2.0
"""How long a report waits for its outcome, which needs several files of the lake."""


class ModelState(BaseModel):
    """Which bundle of a model serves here, since when, and what is wrong."""

    model: str
    serving: bool
    bundle: str | None = None
    as_of: str | None = None
    strategy: str | None = Field(default=None, description="the recipe's name")
    number: int | None = Field(default=None, description="the ledger entry that serves")
    digest: str | None = None
    promoted_at: str | None = None
    loaded_at: str | None = None
    head: int | None = Field(default=None, description="the last ledger entry known here")
    looked_at: str | None = Field(default=None, description="when the ledger was last read")
    trouble: str = Field(default="", description="what is wrong, in sentences")


class ModelsAnswer(BaseModel):
    """All models."""

    models: list[ModelState]


class LedgerAnswer(BaseModel):
    """A model's ledger, oldest entry first, and the state of the model here."""

    serving: ModelState
    entries: list[dict[str, Any]]


class ChampionAnswer(BaseModel):
    """The ledger entry that named the champion at a moment."""

    at: str
    entry: dict[str, Any]


@router.get("/v1/models")
async def list_models(backend: BackendDep) -> ModelsAnswer:
    """Every model: the bundle that serves here, and what is wrong (`trouble`)."""
    return ModelsAnswer(models=[model_state(f) for f in backend.followers.values()])


@router.get("/v1/models/{name}/ledger")
async def read_ledger(backend: BackendDep, name: Model) -> LedgerAnswer:
    """The model's ledger when it was last read from the lake, oldest entry first."""
    follower = backend.followers[name]
    entries = [e.to_json() | {"digest": e.digest} for e in follower.view.entries]
    return LedgerAnswer(serving=model_state(follower), entries=entries)


@router.get("/v1/models/{name}/champion")
async def champion_at(
    backend: BackendDep,
    name: Model,
    at: Annotated[str | None, Query(description="a moment, ISO 8601; default: now")] = None,
) -> ChampionAnswer:
    """The ledger entry that named the champion at a moment; a moment in the future is refused."""
    present = now()
    moment = _moment(at) if at else present
    entry = entry_at(backend.followers[name].view.entries, moment, present)
    if entry is None:
        raise ProblemError(404, f"no {name} was champion at {iso(moment)}")
    return ChampionAnswer(at=iso(moment), entry=entry.to_json() | {"digest": entry.digest})


@router.get("/v1/models/{name}/runs/{run}/report", response_class=HTMLResponse)
async def read_report(backend: BackendDep, name: Model, run: RunName) -> HTMLResponse:
    """The report of this run's model: why the gate approved or refused it.

    The outcome since then and the forecast are inserted, if the lake answers in time.
    """
    try:
        path = f"{model_folder(run, name)}/report.html"
        page = await backend.lake_calls.run(lambda: backend.lake.read_bytes(path))
    except NotFoundError:
        raise ProblemError(
            404,
            f"run {run} has left no report on a {name}",
            "its gate writes one; `marquee history` lists the runs that were judged",
        ) from None
    with suppress(MarqueeError, ValueError):  # without an outcome, show the gate's page as it is
        page = await backend.lake_calls.run(
            lambda: completed_report(backend.lake, page.decode(), name, run).encode(),
            SECONDS_FOR_OUTCOME,
        )
    return HTMLResponse(page, headers={"content-security-policy": REPORT_POLICY})


@router.get("/v1/models/{name}/exports/{format}", response_class=Response)
async def read_export(backend: BackendDep, name: Model, format: FormatName) -> Response:
    """The export of the bundle that serves here, a zip, as the run wrote it into the lake.

    It names everybody whom the recommender knows, so it needs more than the right to read.
    """
    champion = backend.followers[name].view.champion
    if champion is None:
        raise ProblemError(404, f"no {name} serves here", "promote one")
    bundle = champion.entry.bundle
    path = export_folder(name, bundle, format)
    try:
        data = await backend.lake_calls.run(
            lambda: backend.lake.read_bytes(f"{path}/{EXPORT_FILE}")
        )
    except NotFoundError:
        beside = path.rpartition("/")[0]
        there = await backend.lake_calls.run(lambda: backend.lake.names(beside))
        raise ProblemError(
            404,
            f"{bundle} has no export to {format}; it has {' and '.join(there) or 'none'}",
            f"`marquee export champion:{name} --help` says which formats it can be written to; "
            "with [exports] formats the next run writes them",
        ) from None
    file = f'attachment; filename="{name}-{bundle}-{format}.zip"'
    return Response(data, media_type="application/zip", headers={"content-disposition": file})


def completed_report(lake: Lake, page: str, name: Model, run: str) -> str:
    """The gate's page with what came after the verdict: the outcome, and the forecast."""
    page = insert_outcome(page, outcome_of_run(lake, name, run))
    return insert_forecast(page, read_forecast(lake, run)) if name == "recommender" else page


def model_state(follower: Follower[Any]) -> ModelState:
    """The state of one model, for `/v1/models`, `/readyz` and the home page."""
    view = follower.view
    state = ModelState(
        model=follower.name,
        serving=view.champion is not None,
        head=view.entries[-1].number if view.entries else None,
        looked_at=iso(follower.polled_at) if follower.polled_at else None,
        trouble=follower.failure,
    )
    if view.champion is None:
        return state
    entry = view.champion.entry
    return state.model_copy(
        update={
            "bundle": entry.bundle,
            "as_of": iso(entry.as_of),
            "strategy": str(entry.recipe.get("name", "")),
            "number": entry.number,
            "digest": entry.bundle_digest,
            "promoted_at": iso(entry.at),
            "loaded_at": iso(view.champion.loaded_at),
        }
    )


def _moment(at: str) -> datetime:
    try:
        return refuse_ahead(parse_moment(at), "at")
    except SourceError as error:
        raise ProblemError(422, str(error)) from None
