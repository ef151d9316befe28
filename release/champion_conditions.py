"""Group 4 of the gate: the challenger is compared with the champion.

There are two comparisons, and a challenger may need both:

- Another recipe: with the champion's recipe, retrained on the same rows by the same code.
- Other code: with the champion's holdout record, on the people or titles whose holdout rows are
  the same (ADR 19). A retrained champion would run the new code, so it cannot show this loss.

Where recipe and code are the same, only the rows differ. Then the record is used where it can be
paired; else the challenger passes by identity.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from marquee.artefacts.evaluation import Evaluation
from marquee.artefacts.verdict import CHAMPION, Condition, Head
from release.losses import (
    Holdout,
    Loss,
    Metric,
    balance_after,
    balance_before,
    finite,
    read_loss,
    unreadable,
    within_balance,
    worse_by,
)
from release.recorded_champion import (
    ComparisonResult,
    ComparisonTerms,
    compare_paired,
    compare_unpaired,
    matched_holdout,
)

RETRAINED = "the retrained champion"
IDENTICAL = "it has the champion's recipe and code"


@dataclass(frozen=True)
class GateChampion:
    """What the gate knows of the champion."""

    head: Head | None
    """Its ledger entry; None before the first promotion."""
    same_recipe: bool = False
    same_code: bool = False
    accepted: Any = field(default_factory=dict)
    """The ledger's balance of accepted losses at the champion: shares by metric."""
    recorded: Evaluation = field(default_factory=Evaluation)
    """The champion's own `evaluation.json`."""

    @property
    def is_identical(self) -> bool:
        """Whether challenger and champion have the same recipe and code."""
        return self.head is not None and self.same_recipe and self.same_code

    @property
    def is_champion_retrained(self) -> bool:
        """Whether the champion's recipe was fitted beside the challenger's."""
        return self.head is None or not self.same_recipe


@dataclass(frozen=True)
class ChampionComparison:
    """The comparisons of one challenger with its champion, by metric."""

    evaluation: Evaluation
    champion: GateChampion
    margins: Mapping[Metric, float]
    """The share of the champion's figure that each metric may lose."""
    holdout: Holdout

    @property
    def has_no_champion(self) -> bool:
        """Whether there is no ledger entry and the evaluation has no retrained champion."""
        versus = self.evaluation.versus
        return self.champion.head is None and (versus is None or versus.champion is None)

    def conditions(self) -> list[Condition]:
        """The conditions of every comparison; at least one condition."""
        if self.has_no_champion:
            nothing = "nothing serves yet, so there is nothing to fall behind"
            return [_overall_condition(True, nothing)]
        made = [self._comparisons(metric) for metric in self.margins]
        found = [c for comparisons in made for each in comparisons for c in each.conditions]
        return found if all(made) else [self._by_identity(), *found]

    def balances(self) -> dict[str, float]:
        """The balance of accepted losses that a promotion would write to the ledger, by metric.

        A metric without a comparison keeps its balance. The result omits unreadable balances.
        """
        found: dict[str, float] = {}
        for metric, margin in self.margins.items():
            losses = [each.loss for each in self._comparisons(metric) if each.loss is not None]
            balances = [balance_after(loss, self.champion.accepted, margin) for loss in losses]
            balances = balances or [balance_before(self.champion.accepted, metric.key)]
            shares = [share for share in balances if share is not None]
            if shares and max(shares) < math.inf:
                found[metric.key] = max(shares)
        return found

    def _comparisons(self, metric: Metric) -> list[ComparisonResult]:
        """The comparisons on one metric; empty where the challenger passes by identity."""
        if self.has_no_champion:
            return []
        champion = self.champion
        terms = ComparisonTerms(metric, self.margins[metric], self.holdout, champion.accepted)
        found: list[ComparisonResult] = []
        if champion.is_champion_retrained:
            found.append(_compare_retrained(self.evaluation, terms))
        if champion.is_identical:
            paired = compare_paired(self.evaluation, terms, self._identity_preface(terms))
            return [paired] if paired else []
        if champion.head is not None and not champion.same_code:
            paired = compare_paired(self.evaluation, terms)
            found.append(paired or compare_unpaired(self.evaluation, terms, champion.recorded))
        return found

    def _identity_preface(self, terms: ComparisonTerms) -> str:
        common = matched_holdout(self.evaluation.record, terms)
        return (
            f"{IDENTICAL}; on the {common.found or 0:,.0f} {terms.holdout.units} "
            "both were asked about, "
        )

    def _by_identity(self) -> Condition:
        accepted = self.champion.accepted
        if None in [balance_before(accepted, metric.key) for metric in self.margins]:
            return _overall_condition(False, "the ledger's accepted losses cannot be read")
        return _overall_condition(True, f"{IDENTICAL}, only newer rows: it passes by identity")


def _overall_condition(passed: bool, sentence: str) -> Condition:
    return Condition(CHAMPION, "against the champion", passed, sentence)


def _compare_retrained(evaluation: Evaluation, terms: ComparisonTerms) -> ComparisonResult:
    """The loss stays within the margin, and the balance of accepted losses does too."""
    loss = read_loss(evaluation, "champion", terms.metric)
    title = f"{terms.metric.label} against {RETRAINED}"
    if loss is None:
        sentence = unreadable(terms.metric, RETRAINED)
        return ComparisonResult([Condition(CHAMPION, title, False, sentence)])
    balance = within_balance(terms.metric, terms.margin, loss, terms.accepted)
    return ComparisonResult([_within_margin(title, terms, loss), balance], loss)


def _within_margin(title: str, terms: ComparisonTerms, loss: Loss) -> Condition:
    margin, holdout = terms.margin, terms.holdout
    upper, point = loss.share(loss.upper), loss.share(loss.point)
    passed = holdout.is_enough and upper <= margin
    sentence = f"{loss.figures(terms.metric, RETRAINED)}: {worse_by(point)}"
    if not holdout.is_enough:
        sentence += f"; {holdout.sentence}, so the champion stays"
    elif passed:
        known = f"more than {upper:.2%} is ruled out" if upper > 0 else "a loss is ruled out"
        sentence += f"; {known} with 95 % confidence, and the margin is {margin:.1%}"
    elif point <= margin:
        sentence += (
            f"; it could be {upper:.2%} worse, beyond the margin of {margin:.1%}: "
            "the holdout is too small to tell, so the champion stays"
        )
    else:
        sentence += f", more than the margin of {margin:.1%}"
    return Condition(
        CHAMPION, title, passed, sentence, finite(upper), "loss at most", margin, "share"
    )
