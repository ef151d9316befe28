"""Inputs as a run freezes them, for tests that say only what matters to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CHAMPION = {"number": 1, "digest": "d" * 64, "bundle": "some", "recipe": {}, "code": "c0ffee"}
ASKED: dict[str, Any] = {"recipes": [], "policy": {}, "fingerprint": "f" * 64, "champion": None}
RATINGS = {"path": "raw/ratings/made-up-0", "digest": ""}
REST = {
    "format": 2,
    "world": "made-up",
    "run_type": "manual",
    "search": "none",
    "promote": "yes",
    "seed": 7,
    "code": "c0ffee",
}


def frozen(run: str, as_of: str, /, **changes: Any) -> dict[str, Any]:
    """The document of run `run`; of `ratings` and `models`, what is not said is made up."""
    models: Mapping[str, Any] = changes.pop("models", {})
    asked = {name: _asked(models.get(name, {})) for name in ("recommender", "budget")}
    ratings = RATINGS | changes.pop("ratings", {})
    return {**REST, "run": run, "as_of": as_of, **changes, "ratings": ratings, "models": asked}


def _asked(model: Mapping[str, Any]) -> dict[str, Any]:
    champion = model.get("champion")
    return {**ASKED, **model, "champion": champion and {**CHAMPION, **champion}}
