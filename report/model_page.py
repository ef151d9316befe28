"""A model's report page: one HTML file without links to other files, with the verdict first.

`write_page` writes it into the model's folder of the run. The page shows a dash where a number is
missing or malformed, and omits a section that has no content.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from marquee.artefacts.document import dig, flat_figures, json_or_none, number, printable
from marquee.artefacts.inputs import Inputs
from marquee.artefacts.model_card import Forecast, read_card
from marquee.artefacts.verdict import Condition, Verdict
from marquee.clock import iso
from marquee.lake import Lake
from marquee.policy import MODELS, Model
from marquee.run_folder import (
    figures_paths,
    inputs_of,
    json_at,
    live_sentence,
    model_folder,
    read_all_runs,
    read_live,
    read_timings,
    timed_tasks,
)
from release.judge import compare_data
from release.ledger import Ledger
from release.same_world import DataComparison
from report import model_sections
from report.cells import DASH, dollars, figure, list_or_empty, named_figures, share
from report.charts import (
    BOTTOM_MARGIN,
    DRIFT_HEIGHT,
    LEFT_MARGIN,
    PLOT_SIZE,
    WIDTH,
    bars,
    calibration_plot,
)
from report.data_sections import data_section, statistics
from report.shared_sections import (
    headlines,
    paired_comparisons,
    rating_intervals,
    recipe_search,
    training_costs,
    variety,
)


def write_page(lake: Lake, verdict: Verdict) -> None:
    """Write `report.html` beside a run's verdict, unless an earlier attempt has written it.

    Raises NotFoundError or ContractError where the run's inputs or its card cannot be read.
    """
    folder = model_folder(verdict.subject.run, verdict.subject.model)
    lake.create_once(f"{folder}/report.html", lambda: _page(lake, verdict, folder).encode())


def _page(lake: Lake, verdict: Verdict, folder: str) -> str:
    run, model = verdict.subject.run, verdict.subject.model
    card = lake.read_bytes(f"{folder}/card.json")
    degraded = read_card(card, lake.uri(f"{folder}/card.json")).degraded
    inputs = inputs_of(lake, run)
    return model_report(
        verdict,
        json_at(lake, f"{folder}/evaluation.json"),
        json_or_none(card),
        timings=_timings(lake, model, run),
        live=read_live(lake, run) if model == "recommender" else None,
        data=_data(lake, verdict, inputs),
        degraded=[str(one) for one in (*inputs.degraded, *degraded)],
        figures=_titles_figures(lake, inputs) if model == "budget" else (),
    )


def _titles_figures(lake: Lake, inputs: Inputs) -> list[Any]:
    """The titles' figures of this run and of earlier runs, by as-of; this run's are the last."""

    def read(run: str) -> Any:
        found = json_at(lake, figures_paths(run)["titles"])
        is_earlier = str(dig(found, "as_of") or "") < iso(inputs.as_of)
        return found if isinstance(found, dict) and is_earlier and run != inputs.run else None

    earlier = sorted(read_all_runs(lake, read), key=lambda one: str(one["as_of"]))
    own = json_at(lake, figures_paths(inputs.run)["titles"])
    return [*earlier, own] if own is not None else []


def _timings(lake: Lake, model: str, run: str) -> list[Any]:
    """The timings of the run's tasks by start; the tasks of the other model are omitted."""
    others = set(MODELS) - {model}
    tasks = [t for t in timed_tasks(lake, run) if not any(other in t for other in others)]
    found = [read_timings(lake, run, task) for task in tasks]
    return sorted(found, key=lambda value: number(value, "started") or 0.0)


def _data(lake: Lake, verdict: Verdict, inputs: Inputs) -> DataComparison:
    """The data figures that the gate has compared."""
    model = cast(Model, verdict.subject.model)
    head = verdict.head.number if verdict.head else 0
    return compare_data(lake, model, inputs, Ledger(lake, model).entries()[:head])


def model_report(
    verdict: Verdict,
    evaluation: Any,
    card: Any,
    *,
    timings: Sequence[Any] = (),
    live: Any = None,
    data: DataComparison | None = None,
    degraded: Sequence[str] = (),
    figures: Sequence[Any] = (),
) -> str:
    """The page as HTML.

    `evaluation`, `card`, `timings`, `live` and `figures` are the unchecked JSON of their files.
    `degraded` has one sentence for each degradation of the run. `figures` are the statistics of the
    titles run by run, this run's last.
    """
    is_budget = dig(evaluation, "model") == "budget"
    page = _template("report.html.j2").render(
        verdict=verdict,
        as_of=iso(verdict.subject.as_of),
        headlines=headlines(evaluation),
        conditions=[_condition_row(c) for c in verdict.conditions],
        data=data_section(data, verdict.subject.model),
        statistics=statistics(figures),
        comparisons=paired_comparisons(evaluation),
        variety=variety(evaluation),
        forecast=_forecast_section(verdict, evaluation),
        plot=calibration_plot(evaluation, *((_dollars_of_log10, _tick_label) if is_budget else ())),
        segments=model_sections.segments(evaluation),
        intervals=rating_intervals(dig(evaluation, "rating_intervals")),
        people=model_sections.people(evaluation),
        turned_stars=model_sections.turned_stars(evaluation),
        questions=model_sections.questions(evaluation) if is_budget else [],
        residuals=model_sections.residuals(evaluation),
        titles=model_sections.well_known_titles(evaluation),
        price_year=figure(number(evaluation, "price_year")).replace(",", ""),
        metrics=named_figures(dig(evaluation, "metrics")),
        holdout=named_figures(dig(evaluation, "holdout")),
        trained_on={key: figure(number(card, key)) for key in ("rows", "people", "titles")},
        search=recipe_search(card),
        costs=training_costs(timings),
        seconds=bars(_numbers(dig(card, "seconds"))),
        live=_live(live),
        degraded=[printable(one, 400) for one in degraded],
        notes=[printable(note, 400) for note in list_or_empty(dig(card, "notes"))],
        recipe=_recipe_text(verdict.subject.recipe),
        width=WIDTH,
        side=PLOT_SIZE,
        height=DRIFT_HEIGHT,
        left=LEFT_MARGIN,
        foot=BOTTOM_MARGIN,
    )
    return page.encode("utf-8", "replace").decode()


_OPEN_CONSEQUENCES = (
    "It goes on to a person's approval.",
    "It goes on to promotion.",
    "It waits for a person's approval.",  # as 7d641d8 and before wrote
    "It may be promoted.",
)
"""Texts of a verdict's consequence that `insert_outcome` replaces by a later outcome."""


def insert_outcome(page: str, outcome: str) -> str:
    """The page with `outcome` in place of the verdict's consequence, where that was still open.

    `outcome` is the text of `release.outcomes.outcome_sentence`.
    """
    for text in _OPEN_CONSEQUENCES:
        page = page.replace(f"<p>{escape(text)}</p>", f"<p>{escape(outcome)}</p>", 1)
    return page


NO_FORECAST_YET = (
    "The forecast is fitted after this verdict, because no decision needs it. Airflow's button "
    "and the API show it here as soon as it is there."
)
FORECAST_BEGINS, FORECAST_ENDS = "<!-- forecast -->", "<!-- end of forecast -->"
NO_FORECAST = "A refused model gets no forecast."


def insert_forecast(page: str, forecast: Forecast | None) -> str:
    """The page with the forecast's section in place of the sentence that it is still to come."""
    if forecast is None:
        return page
    text = model_sections.forecast(forecast.figures) or "No rating is later than the others."
    whose = f" It was fitted by run {forecast.run}, as of {forecast.as_of}."
    before, found, rest = page.partition(FORECAST_BEGINS)
    if not found:  # a page of an earlier release
        return page
    covered = rating_intervals(dig(forecast.figures, "rating_intervals"))
    whose += f" {covered.text} {covered.warning}".rstrip() if covered else ""
    section = _section(text + whose, {"versus": dig(forecast.figures, "versus")})
    return before + section + rest.partition(FORECAST_ENDS)[2]


def _forecast_section(verdict: Verdict, evaluation: Any) -> Markup | None:
    """The section of a recommender; evaluations of earlier releases hold the forecast."""
    if verdict.subject.model != "recommender":
        return None
    if text := model_sections.forecast(earlier := dig(evaluation, "forecast")):
        return Markup(_section(text, earlier))
    if not verdict.approved:
        return Markup(_section(NO_FORECAST, None))
    return Markup(f"{FORECAST_BEGINS}{_section(NO_FORECAST_YET, None)}{FORECAST_ENDS}")


def _section(text: str, compared: Any) -> str:
    comparisons = paired_comparisons(compared)
    template = _template("forecast.html.j2")
    section = template.render(text=text, comparisons=comparisons, width=WIDTH)
    return section.encode("utf-8", "replace").decode().strip()


def _live(live: Any) -> dict[str, str] | None:
    """The live record's sentence and its tone; None where the run has none."""
    if not isinstance(live, dict):
        return None
    tone = "worse" if live.get("alarm") is True else "open"
    return {"tone": tone, "text": live_sentence(live)}


@cache
def _template(name: str) -> Template:
    folder = Path(__file__).parent / "templates"
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def _condition_row(condition: Condition) -> dict[str, Any]:
    bound = _bound_text(condition.bound, condition.form)
    return {
        "condition": condition,
        "measured": _bound_text(condition.measured, condition.form),
        "bound": bound if bound == DASH else f"{condition.relation} {bound}",
    }


def _bound_text(value: float | None, form: str) -> str:
    if value is None:
        return DASH
    if form == "share":
        return share(value, 2)
    return f"{value:,.0f}" if form == "count" else figure(value)


def _numbers(values: Any) -> dict[str, float]:
    found = {key: number(value) for key, value in flat_figures(values)}
    return {key: value for key, value in found.items() if value is not None}


def _recipe_text(recipe: Any) -> str:
    return json.dumps(recipe, indent=1, sort_keys=True, ensure_ascii=False, default=str)


def _dollars_of_log10(log: float) -> str:
    """log10 dollars as dollars: 6.0 as `$1.00 m`; from 15 on, the logarithm itself."""
    return dollars(10**log) if abs(log) < 15 else figure(log)


def _tick_label(log: float) -> str:
    """The label of a tick for log10 dollars: 4.0 as `$10 k`."""
    if not 2 < log < 12:
        return figure(log)
    worth = 10**log
    if worth < 1e6:
        return f"${worth / 1e3:,.0f} k"
    return f"${worth / 1e6:,.1f} m" if worth < 1e7 else f"${worth / 1e6:,.0f} m"
