"""fetch_ratings: the release this world stands on, on this machine's disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from marquee.errors import SourceError
from marquee.sources.ratings import HEADERS
from marquee.steps.run import Run


def fetch_ratings(run: Run) -> dict[str, Any]:
    """The folder of the release; SourceError where it is not whole."""
    source = run.settings.ratings.source
    folder = Path(source) if source else run.places.world
    missing = [name for name in HEADERS if not (folder / name).is_file()]
    if missing:
        raise SourceError(
            f"{folder} lacks {', '.join(missing)}", f"a release holds {', '.join(HEADERS)}"
        )
    return {"folder": str(folder), "name": run.settings.ratings.name or run.settings.world}
