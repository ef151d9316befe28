"""`marquee compare`: two bundles on the same file, and who wins."""

from __future__ import annotations

import json
from typing import Any

from rich.markup import escape
from rich.table import Column, Table

from cli.bundle_argument import BundleArgument, FileFlag, fetched, kind_of
from cli.evaluate import file_sentence
from cli.lake_flags import AsJson, LakeFlag, WebHdfsFlag, WorldFlag, out
from marquee.settings import load_settings
from release.metric import LOG_RMSE, NDCG, RMSE, Metric
from report.charts import Interval

METRICS = (RMSE, NDCG, LOG_RMSE)


def compare(
    one: BundleArgument,
    other: BundleArgument,
    on: FileFlag,
    lake: LakeFlag = "",
    webhdfs: WebHdfsFlag = "",
    data: WorldFlag = "",
    as_json: AsJson = False,
) -> None:
    """Compare two bundles on a file: paired differences, their intervals, and who wins.

    Both are asked for the same rows, those that neither has learnt from.
    Whole people (or titles) are resampled, 2,000 times, seeded. A win is a
    95 % interval on one side of zero.

    \b
    marquee compare champion:recommender runs/R/models/recommender/shipped/bundle --on new.csv
    """
    with fetched(one, lake, webhdfs, data) as first, fetched(other, lake, webhdfs, data) as second:
        from scoring.on_file import compare_on_file, load_model

        ours, theirs = (load_model(folder, kind_of(folder)) for folder in (first, second))
        found = compare_on_file(ours, theirs, on, load_settings().seed)
    sentences = [
        sentence(metric, found["versus"][metric.key], one, other)
        for metric in METRICS
        if found["versus"].get(metric.key)
    ]
    if as_json:
        print(json.dumps({"one": one, "other": other, **found, "sentences": sentences}))
        return
    out.print(escape(file_sentence(found["file"])))
    out.print(_table(found["versus"]))
    out.print(*map(escape, sentences), sep="\n")


def sentence(metric: Metric, comparison: dict[str, Any], one: str, other: str) -> str:
    """Who wins on a metric, by how much, and how sure that is."""
    low, high = comparison["interval"]
    apart = Interval(low, comparison["difference"], high, metric.lower_is_better)
    said = f"{abs(apart.point):.4f} (95 %: {low:+.4f} to {high:+.4f})"
    winner = {"better": one, "worse": other}.get(apart.tone)
    if winner is None:
        return f"{metric.label}: no winner; they differ by {said}, and zero is inside"
    return f"{metric.label}: {winner} wins by {said}"


def _table(versus: dict[str, Any]) -> Table:
    table = Table(
        "metric", "one", "other", "difference", Column("95 % interval", no_wrap=True), "resampled"
    )
    for metric in METRICS:
        if found := versus.get(metric.key):
            low, high = found["interval"]
            table.add_row(
                metric.label,
                f"{found['challenger']:.4f}",
                f"{found['other']:.4f}",
                f"{found['difference']:+.4f}",
                f"{low:+.4f} to {high:+.4f}",
                found["units"],
            )
    return table
