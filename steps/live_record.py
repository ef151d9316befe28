"""The live record: what serves, scored on ratings given since it was trained; `live.json`."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from marquee.artefacts.inputs import inputs_of
from marquee.digest import canonical_json
from marquee.errors import MarqueeError, retry_helps
from marquee.lake import Lake
from release.bundles import bundle_folder
from release.ledger import Ledger
from release.live import LIVE
from steps.run import Run


def record_live(run: Run) -> dict[str, Any]:
    """Write `runs/R/live.json`, once, and return it.

    It is about the recommender that served when this run froze its inputs. Beside the gate, not
    part of it: what cannot be measured is said in `why` and never fails the run.
    """
    written = run.lake.create_once(run.path(LIVE), lambda: canonical_json(_live(run)))
    found: dict[str, Any] = json.loads(written)
    return found


def _live(run: Run) -> dict[str, Any]:
    scratch = Path(tempfile.mkdtemp(prefix="marquee-live-"))
    try:
        return _measured(run, scratch)
    except MarqueeError as error:
        if retry_helps(error):
            raise
        return {"rows": 0, "people": 0, "alarm": False, "why": f"not measured: {error}"}
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _measured(run: Run, scratch: Path) -> dict[str, Any]:
    champion = inputs_of(run.lake, run.id).models["recommender"].champion
    if champion is None:
        return {"rows": 0, "people": 0, "alarm": False, "why": "nothing has served yet"}
    entry = Ledger(run.lake, "recommender").entry(champion.number)
    since = int(entry.as_of.timestamp())
    told = {"bundle": entry.bundle, "number": entry.number}
    bundle = _fetch_bundle(run.lake, entry.bundle, scratch)
    ratings = run.lake.fetch(run.path("prepared/ratings"), scratch / "ratings")
    # Here, not above: no DAG parse should pay for NumPy.
    from scoring.recommender.live_record import live_record

    return told | live_record(bundle, ratings, since, run.settings.seed)


def _fetch_bundle(lake: Lake, name: str, scratch: Path) -> Path:
    return lake.fetch(bundle_folder("recommender", name), scratch / "bundle", below="bundle")
