"""Which feedback a run reads, and by when what a clock that was ahead stamped had been said.

A segment sealed while its server's clock was ahead seems to be of the future. But what a run froze
had been said by then: the earliest freeze that names the segment bounds it, in every later run.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime

from marquee.artefacts.inputs import FeedbackInput, Inputs, inputs_of
from marquee.clock import SET_FROM
from marquee.errors import ContractError, NotFoundError
from marquee.lake import Lake
from steps.fingerprint import last_time


def frozen_feedback(lake: Lake, frozen_at: datetime) -> tuple[FeedbackInput, ...]:
    """Every segment the lake holds at `frozen_at`; those of the future with their `said_by`."""
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda name: _segment(lake, name), lake.names("raw/feedback")))
        lasts = list(pool.map(lambda one: last_time(lake, one), found))
    froze = int(frozen_at.timestamp())
    ahead = {one.path for one, last in zip(found, lasts, strict=True) if last >= froze}
    if not ahead:
        return tuple(found)
    said_by = dict.fromkeys(ahead, frozen_at) if frozen_at >= SET_FROM else {}
    for path, moment in _earlier_freezes(lake):
        if path in ahead:
            said_by[path] = min(moment, said_by.get(path, moment))
    return tuple(one.model_copy(update={"said_by": said_by.get(one.path)}) for one in found)


def _segment(lake: Lake, name: str) -> FeedbackInput:
    path = f"raw/feedback/{name}"
    return FeedbackInput(path=path, digest=lake.manifest(path).digest)


def _earlier_freezes(lake: Lake) -> Iterator[tuple[str, datetime]]:
    """Each segment that a run has frozen, with the moment; format 1 does not say the moment."""

    def read(run: str) -> Inputs | None:
        with suppress(NotFoundError, ContractError):
            return inputs_of(lake, run)
        return None

    with ThreadPoolExecutor(8) as pool:
        runs = [inputs for inputs in pool.map(read, lake.names("runs")) if inputs]
    for inputs in runs:
        if inputs.frozen_at and inputs.frozen_at >= SET_FROM:
            yield from ((one.path, inputs.frozen_at) for one in inputs.feedback)
