"""load_titles: what the crawl brought home, into the lake, unless an alarm says no."""

from __future__ import annotations

from typing import Any

from marquee.names import compact
from marquee.sources.titles import load_titles as load
from marquee.steps.crawl_titles import crawl_folder
from marquee.steps.run import Run


def load_titles(run: Run) -> dict[str, Any]:
    """Publish the crawl's folder; a crawl that found nothing new loads nothing."""
    folder = crawl_folder(run)
    path = f"raw/titles/as_of={compact(run.as_of)}/run={run.id}"
    manifest = load(run.lake, folder, path) if folder.is_dir() else None
    if manifest is None:
        print("the crawl brought nothing new home: nothing to load", flush=True)
        return {"path": None, "rows": 0}
    print(f"{manifest.rows} titles at {run.lake.uri(path)}", flush=True)
    return {"path": path, "rows": manifest.rows}
