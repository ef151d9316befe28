"""promote: let an approved bundle serve, by one more entry in the ledger."""

from __future__ import annotations

from typing import Any

from marquee.clock import now
from marquee.errors import PromotionRefusedError
from marquee.policy import Model
from release.outcome import Outcome, add_outcome
from release.promotion import promote as promote_bundle
from steps.approve import Answer, approval_of, folder_of, last_answer, record_answer
from steps.run import Run


def promote(run: Run, model: Model, answer: Answer | None = None) -> dict[str, Any]:
    """Promote what the verdict in the lake allows; PromotionRefusedError says why not.

    `answer` is what Airflow keeps of the person asked: it is written down here where the lake was
    away when it was given. Either way the outcome is left beside the verdict.
    """
    if answer:
        record_answer(run, model, answer)
    approval, said = approval_of(run, model), last_answer(run, model)
    if said and not approval:
        print(said, flush=True)
        raise PromotionRefusedError(str(said), "to be asked again, clear the approve task")
    try:
        entry = promote_bundle(
            run.lake,
            model,
            run.id,
            approved=approval is not None,
            approved_by=approval.by if approval else "",
        )
    except PromotionRefusedError as error:
        refused = Outcome(kind="refused", at=now(), reason=error.message, remedy=error.remedy)
        print(add_outcome(run.lake, folder_of(run, model), refused), flush=True)
        raise
    promoted = Outcome(kind="promoted", at=now(), by=entry.approved_by, entry=entry.number)
    add_outcome(run.lake, folder_of(run, model), promoted)
    print(f"entry {entry.number}: {entry.bundle} was made the {model}'s champion", flush=True)
    return {"number": entry.number, "bundle": entry.bundle}
