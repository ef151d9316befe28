"""A small lake on disk for one run: a ratings release, crawled titles, frozen inputs."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from marquee.clock import iso, parse_moment
from marquee.lake import Lake, open_lake
from spark_apps import prepare_titles, train_budget
from tests.frozen_inputs import frozen

RUN = "run-0001"
AS_OF = "2026-11-01T03:00:00Z"
LINEAR = {
    "name": "linear",
    "family": "linear",
    "reg": 0.05,
    "elastic": 0.0,
    "director_smoothing": 3.0,
}
FOREST = {
    "name": "forest",
    "family": "forest",
    "trees": 12,
    "depth": 4,
    "min_instances": 3,
    "feature_share": 0.4,
    "rating_step": 1.0,
    "trend": True,
    "linear_share": 0.3,
    "reg": 0.05,
    "director_smoothing": 3.0,
}
GBT = {
    "name": "gbt",
    "family": "gbt",
    "trees": 3,
    "depth": 2,
    "step": 0.1,
    "min_instances": 5,
    "subsample": 0.8,
    "director_smoothing": 3.0,
}


def make_lake(root: Path) -> Lake:
    """An empty lake below `root`."""
    root.mkdir(parents=True, exist_ok=True)
    return open_lake(root.as_uri())


def day_before(as_of: str) -> str:
    """A moment by which everything loaded is known at as-of."""
    return iso(parse_moment(as_of) - timedelta(days=1))


def add_ratings(lake: Lake, movies: str, links: str) -> dict[str, Any]:
    """Publish a release's catalogue; the entry of `inputs.json`."""
    folder = Path(lake.root.removeprefix("file://")).parent / "release"
    folder.mkdir()
    (folder / "movies.csv").write_text(movies, encoding="utf-8")
    (folder / "links.csv").write_text(links, encoding="utf-8")
    manifest = lake.publish(folder, "raw/ratings/made-up-0")
    return {"path": "raw/ratings/made-up-0", "digest": manifest.digest, "rows": 0, "last_time": 0}


def add_snapshot(lake: Lake, lines: Iterable[str], as_of: str, number: int = 1) -> dict[str, Any]:
    """Publish one crawl's titles, loaded at `as_of`; the entry of `inputs.json`."""
    folder = Path(lake.root.removeprefix("file://")).parent / f"crawl-{number}"
    folder.mkdir()
    with gzip.open(folder / "titles-0001.jsonl.gz", "wt", encoding="utf-8") as stream:
        stream.writelines(f"{line}\n" for line in lines)
    path = f"raw/titles/as_of={number}/run=r{number}"
    manifest = lake.publish(folder, path)
    return {"path": path, "digest": manifest.digest, "as_of": as_of}


def freeze(
    lake: Lake,
    ratings: Mapping[str, Any],
    titles: Sequence[Mapping[str, Any]],
    *,
    recipes: Sequence[Mapping[str, Any]] = (LINEAR,),
    search: str = "quick",
    as_of: str = AS_OF,
    run: str = RUN,
    champion: Mapping[str, Any] | None = None,
    **rest: Any,
) -> None:
    """Write `inputs.json` of one run."""
    requested = {"recipes": list(recipes), "champion": champion}
    value = frozen(
        run,
        as_of,
        ratings=ratings,
        titles=list(titles),
        search=search,
        models={"budget": requested},
        code="0" * 12,
        **rest,
    )
    lake.create_json(f"runs/{run}/inputs.json", value)


def lake_of_world(root: Path, world: Path, **options: Any) -> Lake:
    """A lake that holds one made-up world, all its titles crawled."""
    lake = make_lake(root)
    ratings = add_ratings(
        lake,
        (world / "movies.csv").read_text(encoding="utf-8"),
        (world / "links.csv").read_text(encoding="utf-8"),
    )
    lines = (world / "titles.jsonl").read_text(encoding="utf-8").splitlines()
    snapshot = add_snapshot(lake, lines, day_before(options.get("as_of", AS_OF)))
    freeze(lake, ratings, [snapshot], **options)
    return lake


def item(number: int, **changes: Any) -> str:
    """One crawled title as a JSON line; `changes` say what is unusual about it."""
    record: dict[str, Any] = {
        "title_id": f"tt{number:07d}",
        "title": f"Film {number}",
        "type": "movie",
        "year": 2001,
        "release_date": "2001-05-04",
        "directors": [{"name_id": "nm0000001", "name": "Ada Lane"}],
        "genres": ["Drama"],
        "rating": 7.1,
        "vote_count": 900,
        "budget": {"amount": 12_000_000, "currency": "USD"},
        "countries": ["US"],
        "fetched_at": None,
    }
    return json.dumps(record | changes)


def title_lines(count: int, rated: bool = True) -> list[str]:
    """Dramas and action titles of five directors; action costs ten times as much."""
    return [
        item(
            1000 + i,
            year=1980 + i // 4,
            release_date=None,
            genres=["Action"] if i % 2 else ["Drama"],
            directors=[{"name_id": f"nm000000{i % 5}", "name": f"Director {i % 5}"}],
            rating=5.0 + i % 4 if rated else None,
            budget={"amount": (4e7 if i % 2 else 4e6) * (1 + i % 3 / 10), "currency": "USD"},
        )
        for i in range(count)
    ]


def run_of(
    tmp_path: Path, lines: list[str], as_of_crawl: str, **options: object
) -> tuple[Lake, int]:
    """Prepare and train one run over these titles; its lake and the exit status."""
    lake = make_lake(tmp_path / "lake")
    ratings = add_ratings(
        lake, "movieId,title,genres\n1,A (2000),Drama\n", "movieId,imdbId,tmdbId\n"
    )
    freeze(lake, ratings, [add_snapshot(lake, lines, as_of_crawl)], **options)  # type: ignore[arg-type]
    flags = ["--lake", lake.root, "--run", RUN]
    assert prepare_titles.main(flags) == 0
    return lake, train_budget.main(flags)
