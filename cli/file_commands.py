"""Commands on a user's files: `evaluate`, `compare`, `recommend-all`, `parse-pages`.

The first three load a bundle. They import `scoring` inside, so that other commands do not load
NumPy.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Column, Table

from cli.bundle_argument import BundleArgument, FileFlag, fetched
from cli.world_and_lake import JsonFlag, LakeFlag, WebHdfsFlag, WorldFlag, checking_arguments, out
from marquee.errors import SourceError
from marquee.settings import REPOSITORY, load_settings
from release.losses import LOG_RMSE, NDCG, RMSE, Metric
from report.cells import figure
from report.charts import Interval
from report.shared_sections import headlines, paired_comparisons

OutFlag = Annotated[
    Path, typer.Option("--out", help="The file to write: .parquet or .csv.", show_default=False)
]
CountFlag = Annotated[int, typer.Option("-n", "--n", min=1, max=1000, help="Titles a person.")]
DiversityFlag = Annotated[
    float, typer.Option(help="Trade relevance for variety: 0, by score, to 1.")
]
COMPARED_METRICS = (RMSE, NDCG, LOG_RMSE)
FURTHER_METRICS = (
    "mae", "coverage", "ndcg@10_any", "recall@10", "precision@10", "map@10", "catalogue_coverage",
    "novelty", "gini", "mae_log", "bias_log", "median_factor", "log_rmse_before_release",
)  # fmt: skip


def evaluate(
    bundle: BundleArgument,
    on: FileFlag,
    lake: LakeFlag = "",
    webhdfs: WebHdfsFlag = "",
    data: WorldFlag = "",
    as_json: JsonFlag = False,
) -> None:
    """Measure a bundle on a file, with the figures of the weekly evaluation.

    The command omits and counts the rows that the bundle has learnt from.
    The fallback answers for people and titles that the bundle does not
    know; they are counted too. The baselines are fitted on the bundle's
    training data. Intervals are 95 %, from resampling people (or titles).

    \b
    marquee evaluate champion:recommender --on new-ratings.csv
    marquee evaluate runs/R/models/budget/evaluated/bundle --on my-films.csv --json
    """
    with fetched(bundle, lake, webhdfs, data) as folder:
        found = _evaluated(folder, on)
    if as_json:
        print(json.dumps({"bundle": bundle, **found}))
        return
    out.print(escape(_file_sentence(found["file"])))
    out.print(_figures_table(found))
    out.print(_baselines_table(found))


def _evaluated(folder: Path, on: Path) -> dict[str, Any]:
    from scoring.any_bundle import evaluate_on_file, load_model

    model = load_model(folder)
    return evaluate_on_file(model, on, load_settings().seed)


def _file_sentence(counts: dict[str, Any]) -> str:
    """How many rows of the file were used, and why the others were not."""
    reasons = {
        "repeats": "repeat a person and title",
        "unusable": "lack budget, year or genre",
        "learnt": "were learnt from",
    }
    unused = [f"{counts[key]:,} {why}" for key, why in reasons.items() if counts.get(key)]
    text = f"{counts['path']}: {counts['used']:,} of {counts['rows']:,} rows used"
    text += f" ({', '.join(unused)})" if unused else ""
    unknown = {"of_unknown_people": "people", "of_unknown_titles": "titles"}
    fallback = [f"{counts[k]:,} are of {what}" for k, what in unknown.items() if counts.get(k)]
    note = f"; {' and '.join(fallback)} it does not know, answered by its fallback"
    return text + note if fallback else text


def _figures_table(found: dict[str, Any]) -> Table:
    table = Table("metric", "value", "95 % interval", title=f"the {found['model']}")
    for line in headlines(found):
        table.add_row(line.label, line.value, line.interval)
    for name in FURTHER_METRICS:
        if (value := found["metrics"].get(name)) is not None:
            table.add_row(name, figure(float(value)), "–")
    return table


def _baselines_table(found: dict[str, Any]) -> Table:
    columns = ("metric", "against", "this", "the other", "difference")
    table = Table(
        *columns, Column("95 % interval", no_wrap=True), title="beside the baselines, paired"
    )
    colours = {"better": "green", "worse": "red", "open": "yellow"}
    for line in paired_comparisons(found):
        colour = colours[line.whisker.tone] if line.whisker else "default"
        difference = f"[{colour}]{line.difference}[/{colour}]"
        row = (line.metric, line.label, line.challenger, line.other, difference, line.interval)
        table.add_row(*row)
    return table


def compare(
    one: BundleArgument,
    other: BundleArgument,
    on: FileFlag,
    lake: LakeFlag = "",
    webhdfs: WebHdfsFlag = "",
    data: WorldFlag = "",
    as_json: JsonFlag = False,
) -> None:
    """Compare two bundles on a file: paired differences, their intervals, and who wins.

    Both bundles answer the rows that neither has learnt from. Intervals
    are 95 %, from resampling people (or titles) 2,000 times with a fixed
    seed. A bundle wins where the interval lies on one side of zero.

    \b
    marquee compare champion:recommender runs/R/models/recommender/shipped/bundle --on new.csv
    """
    with fetched(one, lake, webhdfs, data) as first, fetched(other, lake, webhdfs, data) as second:
        from scoring.any_bundle import compare_on_file, load_model

        ours, theirs = (load_model(folder) for folder in (first, second))
        found = compare_on_file(ours, theirs, on, load_settings().seed)
    sentences = [
        _verdict_sentence(metric, found["versus"][metric.key], one, other)
        for metric in COMPARED_METRICS
        if found["versus"].get(metric.key)
    ]
    if as_json:
        print(json.dumps({"one": one, "other": other, **found, "sentences": sentences}))
        return
    out.print(escape(_file_sentence(found["file"])))
    out.print(_versus_table(found["versus"]))
    out.print(*map(escape, sentences), sep="\n")


def _verdict_sentence(metric: Metric, comparison: dict[str, Any], one: str, other: str) -> str:
    """Which bundle wins on a metric, by how much, with the 95 % interval."""
    low, high = comparison["interval"]
    gap = Interval(low, comparison["difference"], high, metric.lower_is_better)
    size = f"{abs(gap.point):.4f} (95 %: {low:+.4f} to {high:+.4f})"
    winner = {"better": one, "worse": other}.get(gap.tone)
    if winner is None:
        return f"{metric.label}: no winner; they differ by {size}, and zero is inside"
    return f"{metric.label}: {winner} wins by {size}"


def _versus_table(versus: dict[str, Any]) -> Table:
    table = Table(
        "metric", "one", "other", "difference", Column("95 % interval", no_wrap=True), "resampled"
    )
    for metric in COMPARED_METRICS:
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


def recommend_all(
    bundle: BundleArgument,
    out_file: OutFlag,
    n: CountFlag = 10,
    diversity: DiversityFlag = 0.0,
    lake: LakeFlag = "",
    webhdfs: WebHdfsFlag = "",
    data: WorldFlag = "",
    as_json: JsonFlag = False,
) -> None:
    """Write the best N unrated titles of every person a bundle knows into one file.

    Columns: user_id, rank, movie_id, title, year, score, strategy. The lists
    equal those of the API. The file is complete when it appears under its
    name. Lists with a diversity above 0 are more varied: unlike titles and
    less popular ones come up, and rank is their order.

    \b
    marquee recommend-all champion:recommender --out everybody.parquet --n 20
    marquee recommend-all champion:recommender --out varied.csv --diversity 0.3
    """
    from scoring.any_bundle import bundle_kind
    from scoring.recommender.top_n import WRITERS

    with checking_arguments():
        if out_file.suffix not in WRITERS:
            raise SourceError(f"{out_file} is neither .parquet nor .csv", "name it one of the two")
        if not 0.0 <= diversity <= 1.0:
            raise SourceError(f"--diversity {diversity} is off its scale", "give 0 to 1")
    started = time.monotonic()
    with fetched(bundle, lake, webhdfs, data) as folder:
        if (kind := bundle_kind(folder)) != "recommender":
            raise SourceError(f"{bundle} is a {kind} model", "give a recommender's bundle")
        people, rows = _write(folder, out_file, n, diversity)
    seconds = time.monotonic() - started
    if as_json:
        facts = {"people": people, "rows": rows, "out": str(out_file), "seconds": seconds}
        print(json.dumps({"bundle": bundle, "n": n, "diversity": diversity, **facts}))
    else:
        where = escape(str(out_file))
        out.print(f"{rows:,} recommendations for {people:,} people in {seconds:.1f} s: {where}")


def _write(folder: Path, out_file: Path, n: int, diversity: float) -> tuple[int, int]:
    from scoring.recommender.model import Recommender
    from scoring.recommender.top_n import write_top_n

    model = Recommender.load(folder)
    people = len(model.user_ids)
    columns = "[progress.description]{task.description}", BarColumn(), MofNCompleteColumn()
    # The progress bar goes to standard error: a script reads --json from standard output.
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task("people", total=people)
        rows = write_top_n(model, n, out_file, lambda k: progress.advance(task, k), diversity)
        return people, rows


def parse_pages(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders, .html or .html.gz.")],
    out: Annotated[Path | None, typer.Option(help="Write here instead of to the screen.")] = None,
) -> None:
    """Read saved IMDb title pages into JSON lines, one a page.

    Names each refused page with its reason on standard error. The status is non-zero only if no
    page could be read.
    """
    command = [sys.executable, "-m", "scrapy_imdb", "parse", *map(str, paths)]
    if out is not None:
        command += ["--out", str(out)]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    raise typer.Exit(subprocess.run(command, env=environment).returncode)
