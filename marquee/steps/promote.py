"""promote: let an approved bundle serve, by one more entry in the ledger."""

from __future__ import annotations

from typing import Any

from marquee.release.promotion import promote as promote_bundle
from marquee.steps.approve import is_given
from marquee.steps.run import Model, Run


def promote(run: Run, model: Model) -> dict[str, Any]:
    """Promote what the verdict in the lake allows; PromotionRefusedError says why not."""
    entry = promote_bundle(run.lake, model, run.id, approved=is_given(run, model))
    print(f"entry {entry.number}: {entry.bundle} was made the {model}'s champion", flush=True)
    return {"number": entry.number, "bundle": entry.bundle}
