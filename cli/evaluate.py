"""`marquee evaluate`: a bundle measured on a file of one's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Column, Table

from cli.bundle_argument import BundleArgument, FileFlag, fetched, kind_of
from cli.lake_flags import AsJson, LakeFlag, WebHdfsFlag, WorldFlag, out
from marquee.settings import load_settings
from report.cells import figure
from report.comparisons import headlines, rivals

SHOWN = (
    "mae", "coverage", "ndcg@10_any", "recall@10", "precision@10", "map@10", "catalogue_coverage",
    "novelty", "gini", "mae_log", "bias_log", "median_factor", "log_rmse_before_release",
)  # fmt: skip


def evaluate(
    bundle: BundleArgument,
    on: FileFlag,
    lake: LakeFlag = "",
    webhdfs: WebHdfsFlag = "",
    data: WorldFlag = "",
    as_json: AsJson = False,
) -> None:
    """Measure a bundle on a file, with the figures of the weekly evaluation.

    Rows the bundle has learnt from are left out and counted. People and
    titles it does not know are answered by its fallback, and counted.
    The baselines are fitted on what the bundle has learnt from; intervals
    are 95 %, people (or titles) resampled.

    \b
    marquee evaluate champion:recommender --on new-ratings.csv
    marquee evaluate runs/R/models/budget/evaluated/bundle --on my-films.csv --json
    """
    with fetched(bundle, lake, webhdfs, data) as folder:
        found = _measured(folder, on)
    if as_json:
        print(json.dumps({"bundle": bundle, **found}))
        return
    out.print(escape(file_sentence(found["file"])))
    out.print(_figures(found))
    out.print(_rivals(found))


def _measured(folder: Path, on: Path) -> dict[str, Any]:
    from scoring.on_file import evaluate_on_file, load_model

    model = load_model(folder, kind_of(folder))
    return evaluate_on_file(model, on, load_settings().seed)


def file_sentence(told: dict[str, Any]) -> str:
    """What of the file was used, and why the rest was not."""
    reasons = {
        "repeats": "repeat a person and title",
        "unusable": "lack budget, year or genre",
        "learnt": "were learnt from",
    }
    left = [f"{told[key]:,} {why}" for key, why in reasons.items() if told.get(key)]
    text = f"{told['path']}: {told['used']:,} of {told['rows']:,} rows used"
    text += f" ({', '.join(left)})" if left else ""
    unknown = {"of_unknown_people": "people", "of_unknown_titles": "titles"}
    strange = [f"{told[k]:,} are of {what}" for k, what in unknown.items() if told.get(k)]
    said = f"; {' and '.join(strange)} it does not know, answered by its fallback"
    return text + said if strange else text


def _figures(found: dict[str, Any]) -> Table:
    table = Table("metric", "value", "95 % interval", title=f"the {found['model']}")
    for line in headlines(found):
        table.add_row(line.label, line.value, line.interval)
    for name in SHOWN:
        if (value := found["metrics"].get(name)) is not None:
            table.add_row(name, figure(float(value)), "–")
    return table


def _rivals(found: dict[str, Any]) -> Table:
    columns = ("metric", "against", "this", "the other", "difference")
    table = Table(
        *columns, Column("95 % interval", no_wrap=True), title="beside the baselines, paired"
    )
    colours = {"better": "green", "worse": "red", "open": "yellow"}
    for line in rivals(found):
        colour = colours[line.whisker.tone] if line.whisker else "default"
        difference = f"[{colour}]{line.difference}[/{colour}]"
        row = (line.metric, line.label, line.challenger, line.other, difference, line.interval)
        table.add_row(*row)
    return table
