"""load_feedback: ratings given through our own API, sealed and published."""

from __future__ import annotations

from typing import Any

from sources.feedback import publish_feedback
from steps.claim_world import claim
from steps.run import Run
from steps.sweep import sweep


def load_feedback(run: Run) -> dict[str, Any]:
    """Publish every sealed segment; publishing twice is a no-op.

    It also sweeps what killed attempts left: of a run's first steps it is the one that nobody
    waits for.
    """
    claim(run)
    sweep(run)
    paths = publish_feedback(run.lake, run.places.feedback, run.settings.serving.server)
    print(f"{len(paths)} segments of feedback are in the lake", flush=True)
    return {"paths": len(paths)}
