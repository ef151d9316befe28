"""The gate: an evaluation and a policy in, a verdict out. Pure, total, and closed when in doubt.

`decide` never raises, whatever the evaluation holds: what cannot be judged is refused with a
sentence. Where the figures themselves are not sound, conditions 2 to 4 are left out (there is
nothing to judge them on), and a verdict without all its conditions is not approved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from marquee.artefacts.condition import Condition
from marquee.artefacts.evaluation import Evaluation, read_evaluation
from marquee.artefacts.subject import Subject
from marquee.artefacts.verdict import Verdict
from marquee.policy import BudgetPolicy, Policy, RecommenderPolicy
from release import absolute, relative
from release.against import Against, Compared, beside_champion
from release.metric import LOG_RMSE, LOG_RMSE_BEFORE, NDCG, RMSE
from release.same_world import Worlds, same_world


def decide(
    evaluation: Any, policy: Policy, *, subject: Subject, against: Against, worlds: Worlds
) -> Verdict:
    """Judge one challenger; every condition with its measured value, its bound and a sentence.

    `evaluation` is what `evaluation.json` holds, whatever that is; `against` the champion and
    `worlds` both runs' figures of what they learnt from.
    """
    found = read_evaluation(evaluation)
    rules = _RULES[type(policy)](found, policy)
    finite = absolute.figures_finite(found, subject.model, rules.needed)
    conditions = [finite, *rules.sound]
    beside = beside_champion(found, rules.compared, against)
    if finite.passed:
        conditions += [*rules.alone, *beside.conditions]
    conditions += same_world(subject.model, subject.run, worlds, policy)
    conditions += absolute.servable(found, finite.passed)
    return Verdict(
        subject=subject,
        conditions=tuple(conditions),
        head=against.head,
        losses=beside.losses,
    )


@dataclass(frozen=True)
class _Rules:
    """What one kind of model is asked."""

    needed: tuple[str, ...]
    sound: list[Condition]
    alone: list[Condition]
    """Conditions 2 and 3."""
    compared: Compared


def _ask_recommender(e: Evaluation, p: RecommenderPolicy) -> _Rules:
    holdout = relative.read_holdout(e, "people", p.fewest_people)
    return _Rules(
        needed=("rmse", "ndcg@10", "answered", "coverage"),
        sound=[
            absolute.holdout_filled(e, "people"),
            absolute.every_pair_answered(e),
            absolute.coverage_reached(e, p.coverage_floor),
        ],
        alone=[
            absolute.below_ceiling(e, RMSE, p.rmse_ceiling),
            relative.beats(e, RMSE, "bias", "the bias model", holdout),
            relative.beats(e, NDCG, "popularity", "popularity", holdout),
        ],
        compared=Compared({RMSE: p.margin_rmse, NDCG: p.margin_ndcg}, holdout),
    )


def _ask_budget(e: Evaluation, p: BudgetPolicy) -> _Rules:
    units = "titles" if e.units("directors") is None else "directors"
    holdout = relative.read_holdout(e, units, p.fewest_titles)
    return _Rules(
        needed=("log_rmse", "log_rmse_before_release", "answered"),
        sound=[absolute.holdout_filled(e, "titles"), absolute.every_pair_answered(e)],
        alone=[
            absolute.below_ceiling(e, LOG_RMSE, p.log_rmse_ceiling),
            *absolute.bias_bounded(e, p.bias_most),
            *absolute.interval_holds(e, p.interval_coverage_floor),
            relative.beats(e, LOG_RMSE, "median_by_genre", "the median by genre", holdout),
            relative.near(e, LOG_RMSE, "ridge", "ridge regression", p.margin_ridge),
        ],
        compared=Compared(dict.fromkeys((LOG_RMSE, LOG_RMSE_BEFORE), p.margin_log_rmse), holdout),
    )


_RULES: Mapping[type, Callable[[Evaluation, Any], _Rules]] = {
    RecommenderPolicy: _ask_recommender,
    BudgetPolicy: _ask_budget,
}
