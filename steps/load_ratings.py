"""load_ratings: the release into the lake, named by its content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sources.ratings import load_release
from steps.claim_world import claim
from steps.run import Run


def load_ratings(run: Run, folder: str, name: str) -> dict[str, Any]:
    """Publish the release at `folder`; loading it twice is a no-op, and says so.

    What of it was refused or left out is printed, with counts and examples."""
    claim(run)
    before = set(run.lake.names("raw/ratings"))
    scale = run.settings.ratings.lowest, run.settings.ratings.highest
    path, manifest = load_release(run.lake, Path(folder), name, scale)
    is_new = path.rsplit("/", 1)[1] not in before
    what = f"{manifest.rows} ratings at {run.lake.uri(path)}"
    print(what if is_new else f"{what}: already loaded, nothing done", flush=True)
    for note in manifest.facts.get("notes", ()):
        print(f"  {note}", flush=True)
    if not manifest.facts.get("linked"):
        print(
            "no title is linked to IMDb: recommendations go on without crawled titles", flush=True
        )
    return {"path": path, "rows": manifest.rows, "loaded": is_new}
