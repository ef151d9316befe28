"""verify_serving: the promoted bundle answers, or the task says who does not."""

from __future__ import annotations

import time
from typing import Any

import httpx

from marquee.errors import StackError
from marquee.policy import Model
from steps.run import Run

SECONDS = 60


def verify_serving(run: Run, model: Model, bundle: str) -> dict[str, Any]:
    """Wait until the API names `bundle` as what it serves; StackError with what it says instead."""
    url = f"http://{run.settings.serving.host}:{run.settings.stack.port('serving')}/v1/models"
    deadline, said = time.monotonic() + SECONDS, "no answer"
    while time.monotonic() < deadline:
        try:
            found = httpx.get(url, timeout=5, trust_env=False).json()
            state = next(m for m in found["models"] if m["model"] == model)
            if state.get("bundle") == bundle:
                print(f"the API serves {bundle}", flush=True)
                return dict(state)
            said = f"it serves {state.get('bundle')}: {state.get('trouble') or 'no reason given'}"
        except (httpx.HTTPError, ValueError, KeyError, StopIteration) as error:
            said = f"{type(error).__name__}: {error}"
        time.sleep(0.3)
    raise StackError(
        f"after {SECONDS} s the API at {url} does not serve {bundle}: {said}",
        "look at serving's log; the ledger stands, and serving follows it when it is back",
    )
