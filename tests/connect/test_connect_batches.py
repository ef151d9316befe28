"""Batches through the API: Parquet of the lake in, the same rows with answers out, whole or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.plugins.connect_server import eventually

ENGINE = {"engine": "spark-connect"}


def put(lake, name: str, table: pa.Table) -> str:
    folder = Path(lake.root.removeprefix("file://")) / "batch" / name
    folder.mkdir(parents=True)
    pq.write_table(table, folder / "part-0.parquet")
    return f"batch/{name}"


def scored(api, connect_worker, kind: str, source: str, out: str) -> dict:
    """The job when it has ended."""
    started = api.post(f"/v1/batch/{kind}", json={"input": source, "output": out}, params=ENGINE)
    assert started.status_code == 202, started.text
    path = f"/v1/batch-jobs/{started.json()['job']}"
    jobs: list[dict] = []

    def has_ended() -> bool:
        jobs[:] = [api.get(path, params=ENGINE).json()]
        return jobs[0]["state"] in ("done", "failed")

    eventually(has_ended, connect_worker)
    return jobs[0]


def read(lake, path: str) -> pa.Table:
    manifest = lake.manifest(path)
    folder = Path(lake.root.removeprefix("file://")) / path
    return pa.concat_tables(pq.read_table(folder / f.name) for f in manifest.files)


def test_pairs_are_those_of_the_native_engine(api, connect_worker, native, connect_lake):
    model = native.recommender.view.champion.model.recommender
    rng = np.random.default_rng(3)
    users = rng.choice([*model.user_ids.tolist(), 999_999], 3_000)
    movies = rng.choice([*model.movie_ids.tolist(), 888_888], 3_000)
    keys = np.arange(3_000)
    table = pa.table({"key": keys, "user_id": users, "movie_id": movies})
    job = scored(
        api, connect_worker, "predictions", put(connect_lake, "pairs", table), "batch/scored"
    )
    assert (job["state"], job["rows"], job["why"]) == ("done", 3_000, "")
    assert job["bundle"] == native.recommender.view.champion.entry.bundle
    found = read(connect_lake, "batch/scored").sort_by("key")
    assert found.column_names == ["key", "user_id", "movie_id", "predicted_rating"]
    assert found["movie_id"].to_pylist() == movies.tolist()
    stars = model.predict(users, movies).values
    assert found["predicted_rating"].to_numpy() == pytest.approx(stars, abs=1e-5)
    assert connect_lake.manifest("batch/scored").facts["engine"] == "spark-connect"


def test_films_are_those_of_the_native_engine(api, connect_worker, connect_lake):
    films = [
        {"film": "a", "year": 2020, "genres": ["Drama"], "rating": 7.0, "directors": ["nm1"]},
        {"film": "b", "year": 1990, "genres": [], "rating": None, "directors": []},
        {"film": "c", "year": 2031, "genres": ["Action"], "rating": None, "directors": ["x"]},
    ]
    source = put(connect_lake, "films", pa.Table.from_pylist(films))
    job = scored(api, connect_worker, "budget-estimates", source, "batch/films-scored")
    assert (job["state"], job["rows"]) == ("done", 3), job
    for film, row in zip(films, read(connect_lake, "batch/films-scored").to_pylist(), strict=True):
        stated = {n: v for n, v in film.items() if n != "film" and v}
        ours = api.post("/v1/budget-estimates", json=stated).json()
        assert row["film"] == film["film"] and row["question"] == ours["strategy"]
        for name in ("low", "median", "high"):
            assert row[name] == pytest.approx(ours[name], rel=1e-9)


@pytest.mark.parametrize(
    ("kind", "table", "why"),
    [
        ("predictions", {"user_id": [1]}, "the column movie_id is missing"),
        ("predictions", {"user_id": ["a"], "movie_id": [1]}, "the column user_id is string"),
        ("budget-estimates", {"genres": [["Drama"]]}, "the batch has no column year"),
        ("budget-estimates", {"year": [2000, 1500]}, "row 1: year"),
    ],
)
def test_bad_columns_are_one_sentence(api, connect_worker, connect_lake, kind, table, why):
    name = f"bad-{abs(hash(why)) % 10**8}"
    job = scored(
        api, connect_worker, kind, put(connect_lake, name, pa.table(table)), f"batch/{name}-out"
    )
    assert job["state"] == "failed" and why in job["why"], job
    assert "\n" not in job["why"]
    assert not connect_lake.exists(f"batch/{name}-out")


def test_what_is_no_parquet_is_one_sentence(api, connect_worker, connect_lake):
    folder = Path(connect_lake.root.removeprefix("file://")) / "batch" / "text"
    folder.mkdir(parents=True)
    (folder / "part-0.parquet").write_text("no Parquet at all, and long enough to have a footer")
    job = scored(api, connect_worker, "predictions", "batch/text", "batch/text-out")
    assert job["state"] == "failed" and "is not Parquet" in job["why"], job


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"input": "batch/nothing", "output": "batch/other"}, 404),
        ({"input": "runs/run-0001", "output": "batch/other"}, 422),
        ({"input": "batch/../runs", "output": "batch/other"}, 422),
        ({"input": "batch/x", "output": "serving/recommender"}, 422),
        ({"input": "batch/x"}, 422),
    ],
)
def test_paths_outside_of_batch_are_refused(api, request_, status):
    answer = api.post("/v1/batch/predictions", json=request_, params=ENGINE)
    assert answer.status_code == status, answer.text


def test_an_output_is_never_overwritten(api, connect_worker, connect_lake):
    source = put(connect_lake, "twice", pa.table({"user_id": [1], "movie_id": [1]}))
    assert scored(api, connect_worker, "predictions", source, "batch/once")["state"] == "done"
    again = {"input": source, "output": "batch/once"}
    answer = api.post("/v1/batch/predictions", json=again, params=ENGINE)
    assert answer.status_code == 409 and "exists already" in answer.json()["detail"]


def test_the_native_engine_scores_no_batches(api):
    answer = api.post("/v1/batch/predictions", json={"input": "batch/x", "output": "batch/y"})
    assert answer.status_code == 501 and "spark-connect" in answer.json()["detail"]
    assert api.get("/v1/batch-jobs/nothing", params=ENGINE).status_code == 404
