"""`python -m serving.check BUNDLE`: would serving take this bundle?

Loads it with serving's own loader in a fresh process, puts its golden queries, and prints one JSON
object: `{"loads": true, "why": "", "golden": {"count": 40, "failures": 0, "worst": 1e-7}}`. The
answer is the JSON; the exit code is 0 unless the command itself was wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from marquee.errors import MarqueeError
from marquee.policy import MODELS
from serving.loading import ask_golden, model_of

NOTHING: dict[str, Any] = {"count": 0, "failures": 0, "worst": None}


def check_bundle(folder: Path, model: str | None = None) -> dict[str, Any]:
    """Whether the bundle loads, why not, and how its golden queries went."""
    try:
        report = ask_golden(folder, model or model_of(folder))
    except MarqueeError as error:
        return {"loads": False, "why": str(error), "golden": NOTHING}
    except Exception as error:  # the answer to "does it load" is no, whatever went wrong
        why = f"{folder} cannot be loaded: {type(error).__name__}: {error}"
        return {"loads": False, "why": why, "golden": NOTHING}
    why = "; ".join(report.failures[:3]) if report.count else "it holds no golden queries"
    return {"loads": True, "why": why, "golden": report.as_json()}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m serving.check", description=__doc__)
    parser.add_argument("bundle", type=Path, help="a bundle's folder (the one with bundle.json)")
    parser.add_argument("--model", choices=MODELS, help="default: what bundle.json says")
    given = parser.parse_args(arguments)
    print(json.dumps(check_bundle(given.bundle, given.model)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
