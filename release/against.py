"""Condition 4: the challenger beside the champion, retrained or as it recorded itself.

Another recipe is compared with the champion's, retrained on the same rows by the same code. Where
the code is another, that champion is the new code's too: the challenger is compared with what the
champion recorded of its own holdout, on the people or titles whose holdout rows are the same
(ADR 28). So is the same recipe and code, whose rows are newer; where nothing can be paired, that
passes by identity.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from marquee.artefacts.condition import Condition
from marquee.artefacts.evaluation import Evaluation
from marquee.artefacts.subject import Head
from release import balance, relative
from release.loss import read_loss
from release.metric import Metric
from release.recorded import Asked, Made, as_they_stand, matched, paired
from release.relative import CHAMPION, RETRAINED, Holdout

IDENTICAL = "it has the champion's recipe and code"


@dataclass(frozen=True)
class Against:
    """What the challenger must not fall behind."""

    head: Head | None
    """The champion's ledger entry; None before the first promotion."""
    same_recipe: bool = False
    same_code: bool = False
    accepted: Any = field(default_factory=dict)
    """The ledger's balance at the champion, by metric, as shares."""
    recorded: Evaluation = field(default_factory=Evaluation)
    """The champion's own `evaluation.json`."""

    @property
    def is_identical(self) -> bool:
        """Whether only the rows are newer."""
        return self.head is not None and self.same_recipe and self.same_code

    @property
    def is_retrained(self) -> bool:
        """Whether the champion's recipe was fitted beside the challenger's."""
        return self.head is None or not self.same_recipe


@dataclass(frozen=True)
class Compared:
    """The metrics compared, the share each may lose, and what the comparison rests on."""

    margins: Mapping[Metric, float]
    holdout: Holdout


@dataclass(frozen=True)
class Beside:
    """What the comparisons with the champion say, and the balance a promotion would book."""

    conditions: list[Condition]
    losses: dict[str, float]


def beside_champion(evaluation: Evaluation, asked: Compared, against: Against) -> Beside:
    """Every comparison with the champion that there must be; at least one condition."""
    if is_first(evaluation, against):
        nothing = "nothing serves yet, so there is nothing to fall behind"
        return Beside([_said(True, nothing)], _booked({}, asked, against))
    made = {m: _made(evaluation, m, asked, against) for m in asked.margins}
    found = [c for comparisons in made.values() for each in comparisons for c in each.conditions]
    if not all(made.values()):
        found.insert(0, _by_identity(asked, against))
    return Beside(found, _booked(made, asked, against))


def is_first(evaluation: Evaluation, against: Against) -> bool:
    """No champion, and no stand-in for one either (a backfill may bring the default recipe)."""
    stand_in = evaluation.versus.champion if evaluation.versus else None
    return against.head is None and stand_in is None


def _booked(
    made: Mapping[Metric, list[Made]], asked: Compared, against: Against
) -> dict[str, float]:
    """The balance after each comparison made, else unchanged; what cannot be told is left out."""
    found: dict[str, float] = {}
    for metric, margin in asked.margins.items():
        known = [each.loss for each in made.get(metric, ()) if each.loss is not None]
        balances = [balance.balance_after(loss, against.accepted, margin) for loss in known]
        balances = balances or [balance.balance_before(against.accepted, metric.key)]
        shares = [share for share in balances if share is not None]
        if shares and max(shares) < math.inf:
            found[metric.key] = max(shares)
    return found


def _made(evaluation: Evaluation, metric: Metric, asked: Compared, against: Against) -> list[Made]:
    """The comparisons on one metric; none where it passes by identity alone."""
    question = Asked(metric, asked.margins[metric], asked.holdout, against.accepted)
    found: list[Made] = []
    if against.is_retrained:
        found.append(_retrained(evaluation, question))
    if against.is_identical:
        common = matched(evaluation.record, question)
        of = f"the {common.found or 0:,.0f} {asked.holdout.units} both were asked about"
        beside = paired(evaluation, question, f"{IDENTICAL}; on {of}, ")
        return [beside] if beside else []
    if against.head is not None and not against.same_code:
        beside = paired(evaluation, question)
        found.append(beside or as_they_stand(evaluation, question, against.recorded))
    return found


def _retrained(evaluation: Evaluation, asked: Asked) -> Made:
    loss = read_loss(evaluation, "champion", asked.metric)
    return Made(
        relative.not_worse(
            loss, asked.metric, asked.margin, asked.accepted, asked.holdout, RETRAINED
        ),
        loss,
    )


def _by_identity(asked: Compared, against: Against) -> Condition:
    readable = None not in (balance.balance_before(against.accepted, m.key) for m in asked.margins)
    return _said(
        readable,
        f"{IDENTICAL}, only newer rows: it passes by identity"
        if readable
        else "the ledger's accepted losses cannot be read",
    )


def _said(passed: bool, sentence: str) -> Condition:
    return Condition(CHAMPION, "against the champion", passed, sentence)
