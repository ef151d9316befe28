"""fetch_ratings: the release this world stands on, on this machine's disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sources.ratings_forms import recognise
from steps.run import Run


def fetch_ratings(run: Run) -> dict[str, Any]:
    """The folder of the release; SourceError where it holds none in a form we know."""
    folder = ratings_folder(run)
    print(f"{folder}: {recognise(folder).form.name}", flush=True)
    return {"folder": str(folder), "name": run.settings.ratings.name or run.settings.world}


def ratings_folder(run: Run) -> Path:
    """Where the release lies: the configured folder, else this world's own."""
    source = run.settings.ratings.source
    return Path(source) if source else run.places.world
