"""fetch_ratings: the release this world stands on, on this machine's disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from marquee.sources.ratings_forms import recognise
from marquee.steps.run import Run


def fetch_ratings(run: Run) -> dict[str, Any]:
    """The folder of the release; SourceError where it holds none in a form we know."""
    source = run.settings.ratings.source
    folder = Path(source) if source else run.places.world
    print(f"{folder}: {recognise(folder).form.name}", flush=True)
    return {"folder": str(folder), "name": run.settings.ratings.name or run.settings.world}
