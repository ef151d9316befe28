"""The API: one module for each subject, with its requests, its responses and its router.

`ROUTERS` is the table of them: `serving.app` serves what it lists, and the OpenAPI description and
`/docs` follow. A new route is one module here and one line in the table.

- `recommendations`: what to watch next, and how somebody would rate a title
- `person_ratings`: people of our own API rate titles and take ratings back
- `title_search`: find titles, and titles near another
- `budget_estimates`: what a title costs to make
- `model_ledger`: which model serves, its history, and the reports of runs
- `health`: alive, ready, metrics
- `request_context`: what several routes need
"""

from __future__ import annotations

from fastapi import APIRouter

from serving.routes import (
    budget_estimates,
    health,
    model_ledger,
    person_ratings,
    recommendations,
    title_search,
)

__all__ = ["ROUTERS", "health", "model_ledger", "request_context"]

ROUTERS: tuple[APIRouter, ...] = (
    recommendations.router,
    person_ratings.router,
    title_search.router,
    budget_estimates.router,
    model_ledger.router,
    health.router,
)
"""In the order of `/docs`."""
