"""Weekly runs without Airflow: the real steps and the real jobs, one after the other, on a folder.

What a crawl would bring home is written where the crawl leaves it; all else is the product's own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from marquee.artefacts.verdict import Verdict
from marquee.clock import iso, now
from marquee.lake import Lake, open_lake
from marquee.policy import Model
from marquee.settings import Settings, load_settings
from sources.title_record import title_record, write_lines
from spark_apps import prepare_ratings, prepare_titles, train_budget, train_recommender
from steps.evaluate import evaluate
from steps.form import Form
from steps.freeze_inputs import freeze_inputs
from steps.load_sources import find_ratings, load_ratings, load_titles
from steps.release_model import gate, promote
from steps.run import Run
from tests.small_recipes import BUDGET, RECOMMENDER

TRAIN = {"recommender": train_recommender, "budget": train_budget}
PREPARE = {"recommender": prepare_ratings, "budget": prepare_titles}
"""A recommender whose titles were not prepared goes by the release's own list."""


@dataclass(frozen=True)
class Place:
    """Settings of one lake that is a drill's, and the lake."""

    settings: Settings
    lake: Lake

    @classmethod
    def of(cls, folder: Path) -> Place:
        """Everything below `folder`, with recipes that cost little."""
        base = load_settings("local")
        root = f"file://{folder}/lake"
        recipes = base.recipes.model_copy(
            update={"recommender": (RECOMMENDER,), "budget": (BUDGET,)}
        )
        lake = base.lake.model_copy(update={"root": root, "drill": True})
        update = {"state": str(folder / "state"), "lake": lake, "recipes": recipes}
        return cls(base.model_copy(update=update), open_lake(root))

    def run(self, name: str, world: Path, at: datetime | None = None, **asked: Any) -> Run:
        """A run on the release at `world`; keyword arguments are the form's."""
        ratings = self.settings.ratings.model_copy(
            update={"source": str(world), "name": "synthetic"}
        )
        settings = self.settings.model_copy(update={"ratings": ratings})
        moment = at or now().replace(microsecond=0)
        return Run(name, moment, "manual", Form.of(settings, asked), settings, self.lake)


def load(run: Run, *, pages: bool) -> None:
    """Everything before the jobs: pages where the run crawls any, ratings, frozen inputs."""
    if pages:
        crawl(run)
    load_titles(run)
    loaded = load_ratings(run, **find_ratings(run))
    freeze_inputs(run, loaded["path"])


def crawl(run: Run) -> None:
    """What a crawl of every title leaves behind."""
    world = Path(run.settings.ratings.source)
    lines = (world / "titles.jsonl").read_text("utf-8").splitlines()
    records = [_item(json.loads(line), now()) for line in lines]
    folder = run.crawl_folder
    folder.mkdir(parents=True)
    write_lines(folder / "titles-00001.jsonl.gz", records)
    counts = {"fetched": len(records), "titles": len(records), "refused": 0}
    report = counts | {"site": "http://site", "as_of": iso(run.as_of)}
    (folder / "report.json").write_text(json.dumps(report), "utf-8")


def _item(stated: dict[str, Any], fetched: datetime) -> dict[str, Any]:
    rest = {key: value for key, value in stated.items() if key not in ("title_id", "title")}
    for money in filter(None, (rest["budget"], rest["gross"])):
        money["confidence"] = 1.0
    when = iso(fetched.replace(microsecond=0))
    return title_record("world", stated["title_id"], stated["title"], fetched_at=when, **rest)


def judge(run: Run, models: Sequence[Model]) -> dict[Model, Verdict]:
    """Prepare, train, evaluate and judge; the verdict of each model."""
    for job in [one[model] for model in models for one in (PREPARE, TRAIN)]:
        assert job.main(["--lake", run.lake.root, "--run", run.id]) == 0, job.__name__
    for model in models:
        evaluate(run, model)
    return {model: gate(run, model) for model in models}


def serve(run: Run, models: Sequence[Model]) -> None:
    """Promote what was approved."""
    for model in models:
        promote(run, model)
