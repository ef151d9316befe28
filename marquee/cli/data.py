"""Which world a command means: the synthetic one, a folder's, or a release to fetch."""

from __future__ import annotations

import os
from pathlib import Path

from marquee.errors import SourceError
from marquee.settings import Settings, load_settings
from marquee.sources.releases import RELEASES, release_folder


def settings_for(data: str) -> Settings:
    """The settings of the world `data` names; an empty name is what the settings say already."""
    settings = load_settings()
    if not data:
        return settings
    folder = Path(data).expanduser()
    if not os.path.isdir(folder) and data in RELEASES:
        folder = release_folder(data, settings)
    if not os.path.isdir(folder):
        raise SourceError(
            f"there is no folder '{data}'",
            "give a folder with a release (ratings.csv, u.data or ratings.dat), or one of: "
            + ", ".join(RELEASES),
        )
    folder = folder.resolve()
    name = folder.name
    ratings = settings.ratings.model_copy(update={"source": str(folder), "name": name})
    world = "".join(c if c.isalnum() or c in "._-" else "-" for c in name).strip("._-") or "data"
    return settings.model_copy(update={"world": world[:60], "ratings": ratings})
