"""Scores folders of Parquet in the lake: pairs by one query, films by the saved pipeline in parts.

The scored rows are written to the lake's staging and appear whole at the output path, with a
manifest that names kind, bundle and engine. Jobs run one after the other in a thread; a job that a
restart of this process ends has published nothing.
"""

from __future__ import annotations

import logging
import queue
import tempfile
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError
from pyspark.sql import DataFrame

from marquee.errors import MarqueeError, SourceError
from marquee.lake import Lake
from serving.backend import Backend, current_champion
from serving.problems import ProblemError
from serving.routes.batch_jobs import BatchJob, BatchRequest, Kind
from serving.routes.budget_estimates import BudgetRequest
from spark_connect.budget import ConnectBudget
from spark_connect.recommender import ConnectRecommender, RecommenderFrames

MOST_WAITING, MOST_KNOWN = 10, 200
FILMS_AT_ONCE = 10_000
WHOLE_NUMBERS = ("tinyint", "smallint", "int", "bigint")
log = logging.getLogger("marquee.connect")


@dataclass(frozen=True)
class Scored:
    """What a batch wrote."""

    rows: int
    bundle: str


class Batches:
    """The `BatchScorer` of this engine, over the champions of `backend`."""

    def __init__(self, lake: Lake, backend: Backend, most_rows: int) -> None:
        self._lake, self._backend, self._most = lake, backend, most_rows
        self._jobs: dict[str, BatchJob] = {}
        self._waiting: queue.Queue[str] = queue.Queue(MOST_WAITING)
        self._score: dict[Kind, Callable[[BatchJob], Scored]] = {
            "predictions": self._predictions,
            "budget-estimates": self._budgets,
        }
        threading.Thread(target=self._run, name="score-batches", daemon=True).start()

    def submit(self, kind: Kind, request: BatchRequest) -> BatchJob:
        """See `BatchScorer`."""
        if not self._lake.exists(request.input):
            raise ProblemError(404, f"{self._lake.uri(request.input)} does not exist")
        if self._lake.exists(request.output):
            what = f"{self._lake.uri(request.output)} exists already"
            raise ProblemError(409, what, "name another output")
        job = BatchJob(
            job=uuid.uuid4().hex,
            kind=kind,
            input=request.input,
            output=request.output,
            state="waiting",
            engine=self._backend.recommender.engine,
        )
        try:
            self._jobs[job.job] = job
            self._waiting.put_nowait(job.job)
        except queue.Full:
            del self._jobs[job.job]
            raise ProblemError(503, f"{MOST_WAITING} batches wait already", "ask later") from None
        for old in list(self._jobs)[:-MOST_KNOWN]:
            self._jobs.pop(old, None)
        return job

    def job(self, name: str) -> BatchJob | None:
        """See `BatchScorer`."""
        return self._jobs.get(name)

    def _run(self) -> None:
        while True:
            name = self._waiting.get()
            job = self._set(name, state="running")
            try:
                scored = self._score[job.kind](job)
            except MarqueeError as error:
                self._set(name, state="failed", why=str(error))
            except Exception as error:  # the thread goes on; the log has the trace
                log.exception("the batch %s failed", name)
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
                self._set(name, state="failed", why=f"the batch could not be scored: {reason}")
            else:
                self._set(name, state="done", rows=scored.rows, bundle=scored.bundle)

    def _set(self, name: str, **changes: Any) -> BatchJob:
        self._jobs[name] = self._jobs[name].model_copy(update=changes)
        return self._jobs[name]

    def _facts(self, job: BatchJob, bundle: str) -> dict[str, str]:
        return {"kind": job.kind, "input": job.input, "bundle": bundle, "engine": job.engine}

    # Pairs ------------------------------------------------------------------------------

    def _predictions(self, job: BatchJob) -> Scored:
        champion = current_champion(self._backend.recommender)
        model = champion.model.recommender
        assert isinstance(model, ConnectRecommender)
        bundle, staged = champion.entry.bundle, self._lake.staging(job.output)

        def score(frames: RecommenderFrames) -> int:
            pairs = self._read(frames.session, job.input)
            _require_whole_numbers(pairs, ("user_id", "movie_id"))
            rows = self._counted(pairs)
            model.scored(frames, pairs).write.parquet(self._lake.uri(staged))
            return rows

        try:
            rows = model.frames.use(score)
            self._lake.seal(staged, job.output, rows, **self._facts(job, bundle))
        except BaseException:
            self._lake.delete(staged)
            raise
        return Scored(rows, bundle)

    def _read(self, session: Any, path: str) -> DataFrame:
        try:
            frame: DataFrame = session.read.parquet(self._lake.uri(path))
            frame.dtypes  # noqa: B018 - asks the server
        except Exception as error:
            if "PARQUET" not in str(error).upper() and "SCHEMA" not in str(error).upper():
                raise
            raise SourceError(
                f"{self._lake.uri(path)} is not Parquet", "write a folder of Parquet files there"
            ) from None
        return frame

    def _counted(self, frame: DataFrame) -> int:
        rows = int(frame.count())
        if rows > self._most:
            raise SourceError(
                f"the batch has {rows} rows, more than {self._most}",
                "send it in parts, or raise [connect] batch_rows",
            )
        return rows

    # Films ------------------------------------------------------------------------------

    def _budgets(self, job: BatchJob) -> Scored:
        champion = current_champion(self._backend.budget)
        model, bundle = champion.model, champion.entry.bundle
        assert isinstance(model, ConnectBudget)

        def read(frames: Any) -> pa.Table:
            frame = self._read(frames.session, job.input)
            if not {"year", "release_date"} & set(frame.columns):
                raise SourceError("the batch has no column year", "name it, or release_date")
            self._counted(frame)
            return frame.toArrow()

        table = model.frames.use(read)
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "part-00000.parquet"
            parts = [
                _estimated(model, table.slice(start, FILMS_AT_ONCE), start)
                for start in range(0, max(table.num_rows, 1), FILMS_AT_ONCE)
            ]
            pq.write_table(pa.concat_tables(parts), path)
            facts = self._facts(job, bundle)
            self._lake.publish(path.parent, job.output, table.num_rows, **facts)
        return Scored(table.num_rows, bundle)


def _require_whole_numbers(frame: DataFrame, names: tuple[str, ...]) -> None:
    types = dict(frame.dtypes)
    for name in names:
        if types.get(name) not in WHOLE_NUMBERS:
            found = f"is {types[name]}" if name in types else "is missing"
            raise SourceError(f"the column {name} {found}", "give whole numbers in it")


def _estimated(model: ConnectBudget, table: pa.Table, start: int) -> pa.Table:
    """The rows with the columns `question`, `low`, `median` and `high`, in dollars."""
    queries = [_query(row, start + place) for place, row in enumerate(table.to_pylist())]
    answers = model.log_estimates(queries).tolist()
    ends = [model.interval(query, answer) for query, answer in zip(queries, answers, strict=True)]
    made = {
        "question": pa.array([model.question(query) for query in queries], pa.string()),
        "low": pa.array([10**low for low, _ in ends], pa.float64()),
        "median": pa.array([10**answer for answer in answers], pa.float64()),
        "high": pa.array([10**high for _, high in ends], pa.float64()),
    }
    for name, column in made.items():
        if name in table.column_names:
            table = table.drop_columns([name])
        table = table.append_column(name, column)
    return table


def _query(row: dict[str, Any], number: int) -> Any:
    stated = {n: v for n, v in row.items() if n in BudgetRequest.model_fields and v is not None}
    try:
        return BudgetRequest(**stated).query()
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the row"
        raise SourceError(f"row {number}: {where}: {first['msg']}", "correct it") from None
