"""The run's typed form, with defaults from the settings; bounds may only be tightened."""

from __future__ import annotations

from typing import get_args

from airflow.sdk import Param

from marquee.settings import Settings, TitleSource

SOURCES = list(get_args(TitleSource))


def form(settings: Settings) -> dict[str, Param]:
    """Params of `weekly_retrain`, in the order people read them."""
    schedule = settings.schedule
    return {
        "promote": Param(
            schedule.promote,
            enum=["yes", "ask", "no"],
            title="Promote",
            description="yes: an approved model serves; ask: a person decides; no: only judge.",
        ),
        "search": Param(
            schedule.search,
            enum=["none", "quick", "full"],
            title="Search",
            description="none: the recipe that serves, else the first; quick or full: more, on an "
            "inner split.",
        ),
        "max_pages": Param(
            settings.crawl.max_pages,
            type="integer",
            minimum=0,
            maximum=100_000,
            title="Pages to crawl at most",
            description="On a public host one page takes at least a second.",
        ),
        "sources": Param(
            list(settings.titles.sources),
            type="array",
            items={"type": "string", "enum": SOURCES},
            examples=SOURCES,  # makes the form offer them, not ask for text
            uniqueItems=True,
            minItems=1,
            title="Sources of titles",
            description="In order of precedence. All but the crawl need a place in [titles].",
        ),
        "as_of": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="As of",
            description="See only rows before this moment; a week or more ago, no page is fetched. "
            "Empty: the data interval's end.",
        ),
        "force": Param(
            False,
            type="boolean",
            title="Force",
            description="Train even where nothing changed since the last decision.",
        ),
        "recommender_rmse_ceiling": _bound("recommender: RMSE at most", "stars"),
        "recommender_coverage_floor": _bound("recommender: coverage at least", "a share"),
        "budget_log_rmse_ceiling": _bound("budget: log-RMSE at most", "log10 dollars"),
    }


def _bound(title: str, unit: str) -> Param:
    return Param(
        None,
        type=["null", "number"],
        minimum=0,
        title=f"Tighten {title}",
        description=f"In {unit}. Empty: the policy's. A looser bound is refused.",
    )
