"""Batches: a folder of Parquet in the lake in, the same rows with answers out.

An engine with a batch scorer answers them (`spark_connect`; the API asks it with `?engine=`). Both
folders lie below `batch/` in the lake, so that a caller reads and writes nothing else there. The
answer folder appears whole or not at all. A job is known until its process ends.
"""

from __future__ import annotations

from typing import Annotated, Literal, Protocol

from fastapi import APIRouter, Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from serving.other_engines import EngineDep
from serving.problems import ProblemError
from serving.routes.request_context import BackendDep

router = APIRouter(tags=["batches"])
Kind = Literal["predictions", "budget-estimates"]
NO_SCORER = ProblemError(
    501, "this engine scores no batches", "ask with ?engine=spark-connect, where one is set up"
)


def _plain_path(path: str) -> str:
    if any(part in ("", ".", "..") or part[0] in "._" for part in path.split("/")):
        raise ValueError("is no plain path below batch/")
    return path


LakePath = Annotated[
    str,
    Field(pattern=r"^batch/[A-Za-z0-9._=/-]+$", max_length=200),
    AfterValidator(_plain_path),
]


class BatchRequest(BaseModel):
    """Two folders of the lake, below `batch/`; that of the answer must not exist."""

    model_config = ConfigDict(extra="forbid")

    input: LakePath = Field(description="a folder of Parquet files, or one file")
    output: LakePath = Field(description="where the scored rows appear, as one published folder")


class BatchJob(BaseModel):
    """A batch and how far it is."""

    model_config = ConfigDict(frozen=True)

    job: str
    kind: Kind
    input: str
    output: str
    state: Literal["waiting", "running", "done", "failed"]
    rows: int | None = Field(default=None, description="rows written, once it is done")
    bundle: str = Field(default="", description="the bundle that answered")
    engine: str
    why: str = Field(default="", description="why it failed, in one sentence")


class BatchScorer(Protocol):
    """Scores batches in the background, one after the other."""

    def submit(self, kind: Kind, request: BatchRequest) -> BatchJob:
        """Start a job; raises ProblemError: 404 no input, 409 the output exists, 503 too many."""

    def job(self, name: str) -> BatchJob | None:
        """The job of that name as it is now; None for an unknown one."""


@router.post("/v1/batch/{kind}", status_code=202)
async def score_batch(
    backend: BackendDep,
    kind: Annotated[Kind, Path(description="what is asked of each row")],
    request: BatchRequest,
    engine: EngineDep = None,
) -> BatchJob:
    """Score a folder of rows; 202 with a job, whose state `GET /v1/batch-jobs/{job}` tells.

    Predictions need the columns `user_id` and `movie_id`, budget estimates those of a request to
    `/v1/budget-estimates`. All columns are kept.
    """
    if engine is not None:
        return await engine.answer(BatchJob)
    if backend.batches is None:
        raise NO_SCORER
    scorer = backend.batches
    return await backend.lake_calls.run(lambda: scorer.submit(kind, request))


@router.get("/v1/batch-jobs/{job}")
async def read_batch_job(backend: BackendDep, job: str, engine: EngineDep = None) -> BatchJob:
    """How far a batch is."""
    if engine is not None:
        return await engine.answer(BatchJob)
    if backend.batches is None:
        raise NO_SCORER
    if (found := backend.batches.job(job)) is None:
        raise ProblemError(404, f"there is no job {job[:100]}", "jobs end with their process")
    return found
