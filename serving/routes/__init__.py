"""The routes of the API: one module for each subject, with its requests, answers and router.

`ROUTERS` is the table of routers. `serving.app` serves them, and makes the OpenAPI description and
`/docs` from them. A new subject is one module here, one line in the table, and the scope of each of
its routes in `serving.access.ROUTE_SCOPES`.

- `recommendations`: the titles to watch next
- `star_predictions`: the stars a person would give, and their interval
- `person_ratings`: people give ratings and take them back
- `title_search`: find titles, and titles similar to one
- `budget_estimates`: the budget of a title
- `model_ledger`: the models that serve, their ledgers, and the reports of runs
- `health`: `/livez`, `/readyz`, `/metrics`
- `batch_jobs`: folders of rows, scored in the background
- `request_context`: types and functions that several of these modules share
"""

from __future__ import annotations

from fastapi import APIRouter

from serving.routes import (
    batch_jobs,
    budget_estimates,
    health,
    model_ledger,
    person_ratings,
    recommendations,
    star_predictions,
    title_search,
)

__all__ = [
    "ROUTERS",
    "batch_jobs",
    "budget_estimates",
    "health",
    "model_ledger",
    "recommendations",
    "request_context",
    "star_predictions",
    "title_search",
]

ROUTERS: tuple[APIRouter, ...] = (
    recommendations.router,
    star_predictions.router,
    person_ratings.router,
    title_search.router,
    budget_estimates.router,
    batch_jobs.router,
    model_ledger.router,
    health.router,
)
"""All routers, in the order of `/docs`."""
