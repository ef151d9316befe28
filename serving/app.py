"""The app: routes over one source."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from marquee import __version__
from serving.asgi import Measured
from serving.metrics import RequestMetrics
from serving.pages import router as pages
from serving.problems import install_problems
from serving.routes import (
    budget,
    health,
    models,
    people,
    predictions,
    recommendations,
    reports,
    titles,
)
from serving.source import Source

ABOUT = """What to watch next, how somebody would rate a title, and what a film costs to make.

Every answer names the bundle it came from, the moment that bundle knows the world up to (`as_of`)
and the strategy that made it. Errors are problem documents (RFC 9457). A promotion is picked up
without a restart; no request sees two models.
"""


def create_app(source: Source) -> FastAPI:
    """The app over `source`, whose followers it starts and stops."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        source.start()
        yield
        source.stop()

    app = FastAPI(
        title="Marquee",
        version=__version__,
        description=ABOUT,
        lifespan=lifespan,
        docs_url=None,  # FastAPI's page loads from a CDN; ours is `serving.pages`
        redoc_url=None,
    )
    app.state.source = source
    app.state.metrics = RequestMetrics()
    install_problems(app)
    for module in (recommendations, predictions, people, titles, budget, models, reports, health):
        app.include_router(module.router)
    app.include_router(pages)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    app.add_middleware(Measured, metrics=app.state.metrics)
    return app
