"""How often a ratings row crosses between the lake and its client, from the release to serving."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from marquee.clock import iso
from marquee.identifiers import canonical_json
from marquee.lake import FolderLake
from marquee.lake.manifest import LocalCopies
from marquee.run_folder import model_folder
from release.promotion import promote
from serving.bundle_cache import BundleCache
from steps.evaluate import evaluate
from steps.load_sources import load_ratings
from steps.release_model import gate
from steps.run import Run
from tests.frozen_inputs import frozen
from tests.scoring.made_up import save_ratings
from tests.scoring.test_holdout_evaluation import HOLDOUT, ROWS, TRAIN, bundle_of
from tests.steps.test_evaluate_to_gate import MODEL, POLICY, RECIPE, with_golden

Make = Callable[..., Run]
MOST = 6.0
"""Crossings of a row through our client. Spark's own client adds three: it reads the raw rows, and
writes the prepared rows and the split."""


@dataclass(frozen=True)
class Crossing:
    """One file that went through the client."""

    way: str
    path: str
    bytes: int


class CountingLake(FolderLake):
    """A lake that notes every file that its client reads or writes."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.crossings: list[Crossing] = []

    def _note(self, way: str, path: str, size: int) -> None:
        self.crossings.append(Crossing(way, path, size))

    def read_bytes(self, path: str) -> bytes:
        data = super().read_bytes(path)
        self._note("out", path, len(data))
        return data

    def copy_out(self, path: str, target: Path) -> None:
        super().copy_out(path, target)
        self._note("out", path, target.stat().st_size)

    def copy_in(self, source: Path, path: str) -> None:
        super().copy_in(source, path)
        self._note("in", path, source.stat().st_size)

    def write_bytes(self, path: str, data: bytes) -> None:
        super().write_bytes(path, data)
        self._note("in", path, len(data))

    def rows(self) -> float:
        """How often a row crossed: the rows in the files that crossed, over all rows."""
        return sum(rows_in(one.path) for one in self.crossings) / len(ROWS)

    def megabytes(self) -> float:
        """The size of the files with ratings that crossed."""
        return sum(one.bytes for one in self.crossings if rows_in(one.path)) / 1e6


def rows_in(path: str) -> int:
    """The rows of ratings in a file of the lake, known by its path."""
    if path.endswith("ratings_indices.npy"):  # the others of a bundle's arrays cross with it
        return len(TRAIN) if "evaluated" in path else len(ROWS)
    if path.endswith(".parquet"):
        parts = {"/train/": len(TRAIN), "/holdout/": len(HOLDOUT)}
        return next((rows for part, rows in parts.items() if part in path), len(ROWS))
    return len(ROWS) if path.endswith("ratings.tsv") else 0


def written_by_spark(run: Run, path: str, folder: Path) -> None:
    """Seal a folder that Spark wrote through its own client, past ours."""
    staged = run.lake.staging(path)
    FolderLake(run.lake.root).publish(folder, staged)
    FolderLake(run.lake.root).delete(f"{staged}/_manifest.json")
    run.lake.seal(staged, run.path(path))


def walk(run: Run, folder: Path) -> None:
    """The steps of one run that move ratings, as the weekly run calls them; Spark's by hand."""
    release = folder / "release"
    lines = [
        f"{u},{m},{v},{t}"
        for u, m, v, t in zip(ROWS.user_ids, ROWS.movie_ids, ROWS.values, ROWS.times)
    ]
    text = "\n".join(["userId,movieId,rating,timestamp", *lines]) + "\n"
    (release / "ratings.csv").write_text(text)
    load_ratings(run, str(release), "made-up")
    inputs = {MODEL: {"policy": POLICY, "champion": None}}
    run.lake.create_json(run.path("inputs.json"), frozen(run.id, iso(run.as_of), models=inputs))
    figures = {"format": 1, "rows": len(ROWS), "people": 50, "titles": 40, "mean": 3.5}
    run.lake.create_json(run.path("data/ratings.json"), figures)
    written_by_spark(run, "prepared/ratings", save_ratings(folder / "prepared", ROWS))
    save_ratings(folder / "split/train", TRAIN)
    save_ratings(folder / "split/holdout", HOLDOUT)
    written_by_spark(run, "split/ratings", folder / "split")
    run.lake.fetch(run.path("split/ratings"), folder / "driver")  # the training job's driver
    model = folder / "model"
    with_golden(bundle_of(model / "evaluated/bundle", TRAIN, 0.3))
    with_golden(bundle_of(model / "shipped/bundle", ROWS, 0.1))
    (model / "card.json").write_bytes(canonical_json({"model": MODEL, "recipe": RECIPE}))
    run.lake.publish(model, model_folder(run.id, MODEL))
    evaluate(run, MODEL)
    assert gate(run, MODEL).approved
    entry = promote(run.lake, MODEL, run.id, approved=False)
    served = BundleCache(run.lake, MODEL, folder / "serving").fetch(entry)
    assert len(np.load(served / "ratings_indices.npy")) == len(ROWS)


def walked(make_run: Make, folder: Path, copies: LocalCopies | None) -> CountingLake:
    run = make_run("week-0")
    lake = CountingLake(run.lake.root)
    lake.copies = copies
    walk(replace(run, lake=lake), folder)
    return lake


def test_a_row_crosses_the_client_at_most_six_times(make_run: Make, tmp_path: Path) -> None:
    lake = walked(make_run, tmp_path, LocalCopies(tmp_path / "copies"))
    assert 5.0 < lake.rows() <= MOST
    out = [one.path for one in lake.crossings if one.way == "out" and rows_in(one.path)]
    assert len(out) == 3, "prepared, train and holdout, once each, for their digests"
    print(f"{lake.rows():.1f} crossings, {lake.megabytes():.2f} MB")


def test_another_machine_without_copies_fetches_what_it_needs(
    make_run: Make, tmp_path: Path
) -> None:
    lake = walked(make_run, tmp_path, None)
    assert lake.rows() > 2 * MOST - 1
    print(f"{lake.rows():.1f} crossings, {lake.megabytes():.2f} MB")
