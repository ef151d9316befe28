"""What would have been promoted when, replayed from verdicts alone."""

from __future__ import annotations

import random

from release_examples import RECOMMENDER, data_comparison, recommender_evaluation, subject, week

from marquee.artefacts.evaluation import read_evaluation
from marquee.artefacts.verdict import Verdict
from release.champion_conditions import GateChampion
from release.gate import GateCase, decide
from release.promotion import replay_promotions
from release.same_world import DataComparison


def verdict(run: str, number: int, rmse: float = 0.88, model: str = "recommender") -> Verdict:
    case = GateCase(
        subject=subject(run=run, as_of=week(number), model=model, run_type="backfill"),
        evaluation=read_evaluation(recommender_evaluation(rmse=rmse) | {"model": model}),
        policy=RECOMMENDER,
        champion=GateChampion(None),
        data=DataComparison(data_comparison().challenger, None),
    )
    return decide(case)


def test_weeks_are_replayed_in_order_whatever_order_they_ran_in() -> None:
    weeks = [verdict(f"w{n}", n, rmse=1.2 if n == 2 else 0.88) for n in range(5)]
    shuffled = random.Random(1).sample(weeks, len(weeks))
    replayed = replay_promotions(shuffled)
    assert [step.verdict.subject.run for step in replayed] == ["w0", "w1", "w2", "w3", "w4"]
    assert [step.promoted for step in replayed] == [True, True, False, True, True]
    assert "refused" in replayed[2].reason


def test_a_week_replayed_twice_counts_once() -> None:
    replayed = replay_promotions([verdict("b", 0), verdict("a", 0), verdict("c", 1)])
    assert [(s.verdict.subject.run, s.promoted) for s in replayed] == [
        ("a", True), ("b", False), ("c", True)
    ]  # fmt: skip
    assert "not later" in replayed[1].reason


def test_a_refused_week_does_not_bar_its_repetition() -> None:
    replayed = replay_promotions([verdict("a", 0, rmse=1.2), verdict("b", 0)])
    assert [step.promoted for step in replayed] == [False, True]


def test_models_do_not_bar_each_other() -> None:
    replayed = replay_promotions([verdict("a", 1), verdict("a", 1, model="other")])
    assert [step.promoted for step in replayed] == [True, True]


def test_no_verdicts_no_history() -> None:
    assert replay_promotions([]) == []


def test_a_week_that_has_not_come_bars_nobody() -> None:
    replayed = replay_promotions([verdict("ahead", 5000), verdict("a", 1), verdict("b", 2)])
    assert [(step.verdict.subject.run, step.promoted) for step in replayed] == [
        ("a", True), ("b", True), ("ahead", False)
    ]  # fmt: skip
    assert "ahead of the clock" in replayed[2].reason
