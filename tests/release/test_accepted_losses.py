"""The balance of accepted losses: noise does not fill it, a loss that comes every week does."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest

from release.losses import ONE_SIDED_95, RMSE, Loss, allowance, balance_after, within_balance

MARGIN = 0.01


def loss(point: float, error: float, other: float = 0.9) -> Loss:
    """A comparison whose loss and standard error are so many margins."""
    at, spread = point * MARGIN * other, ONE_SIDED_95 * error * MARGIN * other
    return Loss("rmse", other, other + at, at, at + spread, at - spread)


def weeks(true_loss: float, error: float, histories: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Refusals by the balance, and promotions, of 200 weeks a history; margins."""
    generator = np.random.default_rng(7)
    refused = np.zeros((histories, 200), dtype=bool)
    promoted = np.zeros_like(refused)
    for history in range(histories):
        accepted: Mapping[str, float] = {}
        for week in range(200):
            found = loss(true_loss + error * generator.normal(), error)
            refused[history, week] = not within_balance(RMSE, MARGIN, found, accepted).passed
            is_near = found.share(found.upper) <= MARGIN
            if is_near and not refused[history, week]:
                promoted[history, week] = True
                accepted = {"rmse": balance_after(found, accepted, MARGIN) or 0.0}
    return refused, promoted


@pytest.mark.parametrize("error", [0.05, 0.13, 0.2, 0.3, 0.45, 0.6, 0.9, 1.5, 3.0])
def test_noise_alone_is_refused_in_five_weeks_of_a_hundred_at_most(error: float) -> None:
    refused, promoted = weeks(0.0, error)
    assert promoted.any()
    assert refused.mean() <= 0.05


@pytest.mark.parametrize("error", [0.05, 0.13, 0.2, 0.3, 0.45])
def test_two_margins_lost_are_refused_by_the_balance_alone(error: float) -> None:
    refused, _ = weeks(2.0, error, histories=5)
    assert refused.mean() >= 0.95


@pytest.mark.parametrize(
    ("error", "week", "lost"), [(0.02, 4, 1.0), (0.05, 4, 1.2), (0.13, 6, 2.5), (0.2, 9, 6.0)]
)
def test_a_slow_slide_is_stopped_after_a_few_weeks(error: float, week: int, lost: float) -> None:
    """0.3 margins a week would be 15.6 in a year."""
    refused, promoted = weeks(0.3, error)
    assert np.median(refused.argmax(axis=1) + 1) <= week
    a_year = 0.3 * promoted[:, :52].sum(axis=1)
    assert 0.0 < np.median(a_year) < lost


def test_a_gain_makes_up_for_a_loss_but_is_not_saved_up() -> None:
    after = balance_after(loss(0.4, 0.0), {}, MARGIN)
    assert after == pytest.approx(0.4 * MARGIN)
    after = balance_after(loss(-0.1, 0.0), {"rmse": after}, MARGIN)
    assert after == pytest.approx(0.3 * MARGIN)
    assert balance_after(loss(-5.0, 0.0), {"rmse": after}, MARGIN) == 0.0


def test_large_losses_between_small_gains_still_add_up() -> None:
    accepted: Mapping[str, float] = {}
    for share in (0.45, -0.05, 0.45, -0.05):
        accepted = {"rmse": balance_after(loss(share, 0.02), accepted, MARGIN) or 0.0}
    assert not within_balance(RMSE, MARGIN, loss(0.45, 0.02), accepted).passed


def test_the_less_a_comparison_knows_the_more_it_is_allowed() -> None:
    assert allowance(loss(0.0, 0.0), MARGIN) == 0.0
    known, unsure = (allowance(loss(0.0, error), MARGIN) for error in (0.1, 0.2))
    assert unsure == pytest.approx(4 * known) == pytest.approx(0.03 * MARGIN)


def test_a_bound_far_on_the_good_side_buys_no_allowance() -> None:
    found = loss(0.5, 0.1)
    forged = Loss("rmse", found.other, found.challenger, found.point, found.upper, -1e300)
    assert allowance(forged, MARGIN) == allowance(found, MARGIN)


@pytest.mark.parametrize("margin", [0.0, MARGIN])
@pytest.mark.parametrize("upper", [0.0, 1e-3, 1e300])
def test_figures_at_the_edge_neither_raise_nor_pass_for_nothing(
    upper: float, margin: float
) -> None:
    edge = Loss("rmse", 0.0, 0.5, 0.5, max(upper, 0.5), 0.5)
    condition = within_balance(RMSE, margin, edge, {})
    assert not condition.passed
    assert condition.measured is None
    wide = Loss("rmse", 0.9, 0.9, 0.0, upper, -upper)
    assert not math.isnan(balance_after(wide, {}, margin) or 0.0)


def test_a_balance_that_612d7b6_wrote_counts_as_it_stands() -> None:
    full = within_balance(RMSE, MARGIN, loss(0.3, 0.13), {"rmse": 0.8 * MARGIN, "ndcg@10": 0.02})
    assert not full.passed
    assert within_balance(RMSE, MARGIN, loss(-0.1, 0.13), {"rmse": 0.8 * MARGIN}).passed
    for unreadable in ({"rmse": -1}, {"rmse": math.nan}, {"rmse": "0"}, None, 7):
        assert not within_balance(RMSE, MARGIN, loss(-1.0, 0.1), unreadable).passed
