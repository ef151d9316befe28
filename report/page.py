"""The page: every section read from its evidence, laid out by one template."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import escape

from marquee.artefacts.condition import Condition
from marquee.artefacts.reading import dig, figures, name, number
from marquee.artefacts.verdict import Verdict
from marquee.names import iso
from release.live import live_sentence
from release.same_world import Worlds
from report import budget_sections, recommender_sections
from report.calibration import FOOT, LEFT, SIDE, calibration_plot
from report.cells import DASH, dollars, figure, listed, share, shown
from report.charts import WIDTH, bars
from report.comparisons import headlines, rivals, variety
from report.making import costs, search
from report.world_section import world_section


def model_report(
    verdict: Verdict,
    evaluation: Any,
    card: Any,
    *,
    timings: Sequence[Any] = (),
    live: Any = None,
    worlds: Worlds | None = None,
    degraded: Sequence[str] = (),
) -> str:
    """The page as text; `evaluation`, `card`, `timings` and `live` as their files hold them;
    `degraded`: what the run went without, a sentence each."""
    is_budget = dig(evaluation, "model") == "budget"
    page = _template().render(
        verdict=verdict,
        as_of=iso(verdict.subject.as_of),
        headlines=headlines(evaluation),
        conditions=[_condition_row(c) for c in verdict.conditions],
        world=world_section(worlds, verdict.subject.model),
        rivals=rivals(evaluation),
        variety=variety(evaluation),
        forecast=recommender_sections.forecast(evaluation),
        foretold=rivals(dig(evaluation, "forecast")),
        plot=calibration_plot(evaluation, *((_power, _axis) if is_budget else ())),
        segments=recommender_sections.segments(evaluation),
        people=recommender_sections.people(evaluation),
        questions=budget_sections.questions(evaluation) if is_budget else [],
        residuals=budget_sections.residuals(evaluation),
        films=budget_sections.films(evaluation),
        price_year=figure(number(evaluation, "price_year")).replace(",", ""),
        metrics=shown(dig(evaluation, "metrics")),
        holdout=shown(dig(evaluation, "holdout")),
        trained_on={key: figure(number(card, key)) for key in ("rows", "people", "titles")},
        search=search(card),
        costs=costs(timings),
        seconds=bars(_numbers(dig(card, "seconds"))),
        live=_live(live),
        degraded=[name(one, 400) for one in degraded],
        notes=[name(note, 400) for note in listed(dig(card, "notes"))],
        recipe=_recipe_text(verdict.subject.recipe),
        width=WIDTH,
        side=SIDE,
        left=LEFT,
        foot=FOOT,
    )
    return page.encode("utf-8", "replace").decode()


_OPEN = (
    "It goes on to a person's approval.",
    "It goes on to promotion.",
    "It waits for a person's approval.",  # as 7d641d8 and before wrote
    "It may be promoted.",
)
"""What a verdict says that is not the end of the story."""


def tell_outcome(page: str, came_of: str) -> str:
    """The page, written with the verdict, with what came of that by now in place of what was open.

    `came_of` is the sentence of `outcome.came_of`.
    """
    for text in _OPEN:
        page = page.replace(f"<p>{escape(text)}</p>", f"<p>{escape(came_of)}</p>", 1)
    return page


def _live(live: Any) -> dict[str, str] | None:
    """The live record's sentence and its colour; None where the run left none."""
    if not isinstance(live, dict):
        return None
    tone = "worse" if live.get("alarm") is True else "open"
    return {"tone": tone, "text": live_sentence(live)}


@cache
def _template() -> Template:
    folder = Path(__file__).parent / "templates"
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")


def _condition_row(condition: Condition) -> dict[str, Any]:
    bound = _valued(condition.bound, condition.form)
    return {
        "condition": condition,
        "measured": _valued(condition.measured, condition.form),
        "bound": bound if bound == DASH else f"{condition.relation} {bound}",
    }


def _valued(value: float | None, form: str) -> str:
    if value is None:
        return DASH
    if form == "share":
        return share(value, 2)
    return f"{value:,.0f}" if form == "count" else figure(value)


def _numbers(values: Any) -> dict[str, float]:
    found = {key: number(value) for key, value in figures(values)}
    return {key: value for key, value in found.items() if value is not None}


def _recipe_text(recipe: Any) -> str:
    return json.dumps(recipe, indent=1, sort_keys=True, ensure_ascii=False, default=str)


def _power(log: float) -> str:
    """log10 dollars as dollars; beyond what money is, as the logarithm it is."""
    return dollars(10**log) if abs(log) < 15 else figure(log)


def _axis(log: float) -> str:
    """A tick's dollars, short."""
    if not 2 < log < 12:
        return figure(log)
    worth = 10**log
    if worth < 1e6:
        return f"${worth / 1e3:,.0f} k"
    return f"${worth / 1e6:,.1f} m" if worth < 1e7 else f"${worth / 1e6:,.0f} m"
