"""export: write the promoted bundle in the formats of the settings, beside the bundle in the lake.

Before training, `refuse_recipes` takes out what a configured format could not carry.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from exports.formats import FORMATS, check_formats, refusal
from marquee.errors import SettingsError
from marquee.policy import Model
from marquee.settings import Settings
from release.promotion import EXPORT_FILE, bundle_folder, export_folder
from steps.run import Run

Recipe = dict[str, Any]


def export_champion(run: Run, model: Model, bundle: str) -> dict[str, str]:
    """Publish an export in each format that carries `model`; returns its lake path by format.

    An export that is there already stays: equal bundles give equal bytes.
    """
    wanted = [f for f in run.settings.exports.formats if model in FORMATS[f].models]
    if not wanted:
        print(f"no format of exports.formats carries a {model}", flush=True)
        return {}
    check_formats(wanted)
    with tempfile.TemporaryDirectory(prefix="marquee-export-") as scratch:
        source = Path(scratch) / "bundle"
        run.lake.fetch(bundle_folder(model, bundle), source, below="bundle")
        return {name: _publish(run, model, bundle, name, source) for name in wanted}


def _publish(run: Run, model: Model, bundle: str, name: str, source: Path) -> str:
    from exports.export_files import exported, write_export

    path = export_folder(model, bundle, name)
    with tempfile.TemporaryDirectory(prefix="marquee-export-") as scratch:
        written = write_export(exported(source, name), Path(scratch) / EXPORT_FILE)
        size = written.stat().st_size
        run.lake.publish(written.parent, path, run=run.id)
    print(f"{name}: {size / 1e6:.1f} MB, {run.lake.uri(path)}/{EXPORT_FILE}", flush=True)
    return path


def refuse_recipes(
    settings: Settings, model: Model, recipes: Sequence[Recipe], named: str | None
) -> tuple[Recipe, ...]:
    """The recipes that every configured format can carry; each other one is named in a line.

    A recipe `beside` is never promoted and stays. Raises SettingsError where the form names a
    recipe that goes, where none is left, and for an unknown format.
    """
    formats = settings.exports.formats
    check_formats(formats)
    if model != "budget" or not formats:
        return tuple(recipes)
    why = {str(one.get("name")): refusal(one, formats) for one in recipes}
    if named and (refused := why.get(named)):
        raise refused
    kept = tuple(one for one in recipes if one.get("beside") or not why[str(one.get("name"))])
    refusals = [one for one in why.values() if one]
    if refusals and all(one.get("beside") for one in kept):
        raise SettingsError("; ".join(one.message for one in refusals), refusals[0].remedy)
    for one in recipes:
        if one not in kept:
            print(f"left out: {why[str(one.get('name'))]}", flush=True)
    return kept
