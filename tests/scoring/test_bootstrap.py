"""The paired bootstrap: known answers, pairing, clusters, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from marquee.errors import SourceError
from scoring.bootstrap import paired

LOTS = np.random.default_rng(5)


def test_the_point_is_the_difference_of_the_means():
    ours, other = LOTS.random(80), LOTS.random(80)
    found = paired(ours, other, seed=1)
    assert found["difference"] == pytest.approx(ours.mean() - other.mean())
    low, high = found["interval"]
    assert low < found["lower95"] < found["difference"] < found["upper95"] < high


def test_the_interval_agrees_with_the_textbook_for_means():
    apart = LOTS.normal(0.1, 1.0, 400)
    found = paired(apart, np.zeros(400), seed=1)
    standard_error = apart.std() / 20
    assert found["interval"][0] == pytest.approx(apart.mean() - 1.96 * standard_error, abs=0.02)
    assert found["interval"][1] == pytest.approx(apart.mean() + 1.96 * standard_error, abs=0.02)


def test_pairing_hides_what_both_share():
    people = LOTS.normal(0, 5, 200)
    found = paired(people + 0.01, people, seed=1)
    assert found["interval"] == pytest.approx([0.01, 0.01])


def test_root_of_weighted_sums_is_the_rmse_over_rows():
    rows = LOTS.integers(1, 30, 60).astype(float)
    errors = LOTS.random(60) * rows
    found = paired(errors, errors * 2, weights=rows, root=True, seed=3)
    assert found["challenger"] == pytest.approx(np.sqrt(errors.sum() / rows.sum()))
    assert found["other"] == pytest.approx(np.sqrt(2 * errors.sum() / rows.sum()))


def test_the_seed_decides():
    ours, other = LOTS.random(30), LOTS.random(30)
    assert paired(ours, other, seed=1) == paired(ours, other, seed=1)
    assert paired(ours, other, seed=1) != paired(ours, other, seed=2)


@pytest.mark.parametrize("ours", [[], [np.nan, 1.0], [np.inf, 1.0]])
def test_nothing_or_not_finite_is_refused(ours):
    with pytest.raises(SourceError, match="nothing to compare"):
        paired(np.array(ours), np.zeros(len(ours)), seed=1)
