"""`python -m serving.check BUNDLE`: would serving accept this bundle?

The command loads the bundle as serving does, runs its golden queries, and prints one JSON object:
`{"loads": true, "why": "", "golden": {"count": 40, "failures": 0, "worst": 1e-7}}`. The exit status
is 0 also for a bad bundle. The step `evaluate` runs the command for the gate's condition 6.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from marquee.errors import BundleError, MarqueeError
from marquee.policy import MODELS
from scoring.evaluation_blocks import GoldenReport
from serving.engines import BAD_BUNDLE_REMEDY, DEFAULT_ENGINE, ENGINES
from serving.title_index import build_title_index

NO_GOLDEN: dict[str, Any] = {"count": 0, "failures": 0, "worst": None}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the findings on the bundle as JSON; returns 0 also for a bad bundle."""
    parser = argparse.ArgumentParser(prog="python -m serving.check", description=__doc__)
    parser.add_argument("bundle", type=Path, help="a bundle's folder (the one with bundle.json)")
    parser.add_argument("--model", choices=MODELS, help="default: what bundle.json says")
    options = parser.parse_args(arguments)
    print(json.dumps(check_bundle(options.bundle, options.model)))
    return 0


def check_bundle(folder: Path, model: str | None = None) -> dict[str, Any]:
    """The findings: `loads`, `why` (the reason against the bundle), `golden` (counts)."""
    try:
        report = golden_report(folder, model or model_of(folder))
    except MarqueeError as error:
        return {"loads": False, "why": str(error), "golden": NO_GOLDEN}
    except Exception as error:  # any error at all means that the bundle does not load
        why = f"{folder} cannot be loaded: {type(error).__name__}: {error}"
        return {"loads": False, "why": why, "golden": NO_GOLDEN}
    why = "; ".join(report.failures[:3]) if report.count else "it holds no golden queries"
    return {"loads": True, "why": why, "golden": report.as_json()}


def golden_report(folder: Path, model: str) -> GoldenReport:
    """Load the bundle of a `model` and run its golden queries; BundleError for a torn bundle."""
    engine = ENGINES[DEFAULT_ENGINE]
    if model == "recommender":
        recommender = engine.load_recommender(folder)
        build_title_index(recommender.bundle)
        return recommender.check_golden()
    return engine.load_budget(folder).check_golden()


def model_of(folder: Path) -> str:
    """The model named in `bundle.json`; BundleError without one, or for an unknown one."""
    try:
        name = str(json.loads((folder / "bundle.json").read_text("utf-8"))["model"])
    except (OSError, ValueError, KeyError, TypeError):
        raise BundleError(
            f"{folder} holds no bundle.json that names a model", BAD_BUNDLE_REMEDY
        ) from None
    if name not in MODELS:
        raise BundleError(
            f"{folder} holds a '{name}', which is no model of ours", BAD_BUNDLE_REMEDY
        )
    return name


if __name__ == "__main__":
    sys.exit(main())
