"""Before a run's first load: the lake is this world's, or becomes it."""

from __future__ import annotations

import json
from pathlib import Path

from marquee.artefacts.reading import dig
from marquee.lake import World, check_world, claim_world
from steps.fetch_ratings import ratings_folder
from steps.run import Run


def claim(run: Run) -> None:
    """Claim the lake for the run's world; of a backfill, which loads nothing, check it alone.

    Raises ConflictError where the lake holds another world.
    """
    if run.is_backfill:
        check(run)
        return
    drill = run.settings.lake.drill
    fault = _fault(ratings_folder(run)) if drill else None
    claim_world(run.lake, World(run.settings.world, drill, fault))


def check(run: Run) -> None:
    """ConflictError where the lake holds another world than the run's."""
    check_world(run.lake, run.settings.world)


def _fault(folder: Path) -> str | None:
    """The fault a drill's made-up world was made with."""
    try:
        found = dig(json.loads((folder / "world.json").read_text("utf-8")), "fault")
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, str) else None
