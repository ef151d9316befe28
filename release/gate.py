"""The gate: a pure function from a challenger's case to a verdict.

`CONDITIONS` is the table of everything that the gate requires. `decide` never raises: it refuses a
case that it cannot judge, with a sentence. Where the figures are not sound, `decide` skips the
conditions that read them; a verdict that lacks a group of conditions is not approved.
`release.judge` reads the case from the lake.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marquee.artefacts.evaluation import Evaluation
from marquee.artefacts.verdict import (
    BASELINES,
    CHAMPION,
    GOOD_ENOUGH,
    SAME_WORLD,
    SERVABLE,
    SOUND,
    Condition,
    Subject,
    Verdict,
)
from marquee.policy import MODELS, BudgetPolicy, Model
from release.baseline_conditions import beats_baseline, near_baseline
from release.champion_conditions import ChampionComparison, GateChampion
from release.evaluation_conditions import (
    below_ceiling,
    bias_bounded,
    bundle_loads,
    coverage_reached,
    every_row_answered,
    figures_finite,
    golden_queries_repeated,
    holdout_filled,
    interval_holds,
    learned_from_all_rows,
    stars_count,
)
from release.losses import (
    LOG_RMSE,
    LOG_RMSE_BEFORE,
    NDCG,
    RMSE,
    Holdout,
    Metric,
)
from release.same_world import DataComparison, same_world

REQUIRED_METRICS: Mapping[Model, tuple[str, ...]] = {
    "recommender": (RMSE.key, NDCG.key, "answered", "coverage"),
    "budget": (LOG_RMSE.key, LOG_RMSE_BEFORE.key, "answered"),
}
"""The metrics that an evaluation of each model must hold."""


@dataclass(frozen=True, kw_only=True)
class GateCase:
    """One challenger, and everything that its conditions depend on."""

    subject: Subject
    evaluation: Evaluation
    policy: Any
    """A RecommenderPolicy or a BudgetPolicy: the bounds of the conditions."""
    champion: GateChampion
    data: DataComparison

    @property
    def model(self) -> Model:
        """The model that the policy is for."""
        return "budget" if isinstance(self.policy, BudgetPolicy) else "recommender"

    @property
    def finite_figures(self) -> Condition:
        """Whether the evaluation is about the model and every number in it is finite."""
        return figures_finite(self.evaluation, self.subject.model, REQUIRED_METRICS[self.model])

    @property
    def holdout(self) -> Holdout:
        """How many people (budget model: directors, else titles) the holdout has, and needs."""
        units, least = "people", "fewest_people"
        if self.model == "budget":
            has_directors = self.evaluation.units("directors") is not None
            units, least = "directors" if has_directors else "titles", "fewest_titles"
        return Holdout(units, self.evaluation.units(units), getattr(self.policy, least))

    @property
    def margins(self) -> dict[Metric, float]:
        """The share of the champion's figure that each metric may lose."""
        if self.model == "budget":
            return dict.fromkeys((LOG_RMSE, LOG_RMSE_BEFORE), self.policy.margin_log_rmse)
        return {RMSE: self.policy.margin_rmse, NDCG: self.policy.margin_ndcg}

    @property
    def against_champion(self) -> ChampionComparison:
        """The comparison of group 4."""
        return ChampionComparison(self.evaluation, self.champion, self.margins, self.holdout)


@dataclass(frozen=True)
class GateCondition:
    """One line of the gate's table.

    A new line does not change older verdicts: a verdict's format version says which groups of
    conditions it needs.
    """

    key: str
    group: int
    judge: Callable[[GateCase], list[Condition]]
    """Returns the conditions of a case, each with `number == group`; never raises."""
    models: tuple[Model, ...] = MODELS
    needs_figures: bool = True
    """Whether it is skipped where the evaluation's figures are not sound."""


RECOMMENDER: tuple[Model, ...] = ("recommender",)
BUDGET: tuple[Model, ...] = ("budget",)

CONDITIONS: tuple[GateCondition, ...] = (
    GateCondition("finite_figures", SOUND, lambda c: [c.finite_figures], needs_figures=False),
    GateCondition(
        "holdout_of_people", SOUND, lambda c: [holdout_filled(c.evaluation, "people")],
        RECOMMENDER, needs_figures=False,
    ),
    GateCondition(
        "holdout_of_titles", SOUND, lambda c: [holdout_filled(c.evaluation, "titles")],
        BUDGET, needs_figures=False,
    ),
    GateCondition(
        "every_row_answered", SOUND, lambda c: [every_row_answered(c.evaluation)],
        needs_figures=False,
    ),
    GateCondition(
        "personal_coverage", SOUND,
        lambda c: [coverage_reached(c.evaluation, c.policy.coverage_floor)],
        RECOMMENDER, needs_figures=False,
    ),
    GateCondition(
        "rmse_ceiling", GOOD_ENOUGH,
        lambda c: [below_ceiling(c.evaluation, RMSE, c.policy.rmse_ceiling)], RECOMMENDER,
    ),
    GateCondition(
        "stars_count", GOOD_ENOUGH, lambda c: [stars_count(c.evaluation)], RECOMMENDER,
    ),
    GateCondition(
        "log_rmse_ceiling", GOOD_ENOUGH,
        lambda c: [below_ceiling(c.evaluation, LOG_RMSE, c.policy.log_rmse_ceiling)], BUDGET,
    ),
    GateCondition(
        "bias_by_question", GOOD_ENOUGH,
        lambda c: bias_bounded(c.evaluation, c.policy.bias_most), BUDGET,
    ),
    GateCondition(
        "interval_by_question", GOOD_ENOUGH,
        lambda c: interval_holds(c.evaluation, c.policy.interval_coverage_floor), BUDGET,
    ),
    GateCondition(
        "beats_bias_model", BASELINES,
        lambda c: [beats_baseline(c.evaluation, RMSE, "bias", "the bias model", c.holdout)],
        RECOMMENDER,
    ),
    GateCondition(
        "beats_popularity", BASELINES,
        lambda c: [beats_baseline(c.evaluation, NDCG, "popularity", "popularity", c.holdout)],
        RECOMMENDER,
    ),
    GateCondition(
        "beats_popularity_lately", BASELINES,
        lambda c: [
            beats_baseline(
                c.evaluation, NDCG, "popularity_lately", "popularity of four weeks", c.holdout
            )
        ],
        RECOMMENDER,
    ),
    GateCondition(
        "beats_median_by_genre", BASELINES,
        lambda c: [
            beats_baseline(
                c.evaluation, LOG_RMSE, "median_by_genre", "the median by genre", c.holdout
            )
        ],
        BUDGET,
    ),
    GateCondition(
        "near_ridge", BASELINES,
        lambda c: [
            near_baseline(
                c.evaluation, LOG_RMSE, "ridge", "ridge regression", c.policy.margin_ridge
            )
        ],
        BUDGET,
    ),
    GateCondition("not_worse_than_champion", CHAMPION, lambda c: c.against_champion.conditions()),
    GateCondition(
        "same_world", SAME_WORLD,
        lambda c: same_world(c.subject.model, c.subject.run, c.data, c.policy),
        needs_figures=False,
    ),
    GateCondition(
        "bundle_loads", SERVABLE, lambda c: [bundle_loads(c.evaluation)], needs_figures=False
    ),
    GateCondition(
        "golden_queries_repeated", SERVABLE, lambda c: [golden_queries_repeated(c.evaluation)],
        needs_figures=False,
    ),
    GateCondition(
        "learned_from_all_rows", SERVABLE, lambda c: [learned_from_all_rows(c.evaluation)]
    ),
)  # fmt: skip


def decide(case: GateCase, conditions: Sequence[GateCondition] = CONDITIONS) -> Verdict:
    """Judge one challenger by the table, group by group.

    The verdict also holds the balance of losses that a promotion would write to the ledger.
    """
    is_sound = case.finite_figures.passed
    chosen = [
        condition
        for condition in sorted(conditions, key=lambda one: one.group)
        if case.model in condition.models and (is_sound or not condition.needs_figures)
    ]
    return Verdict(
        subject=case.subject,
        conditions=tuple(result for condition in chosen for result in condition.judge(case)),
        head=case.champion.head,
        losses=case.against_champion.balances(),
    )
