"""Directors are resampled, not titles: held against an independent bootstrap."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.budget.holdout import Clusters, cluster_key, compare_log_rmse, mean_interval
from scoring.budget.holdout_evaluation import question_figures
from tests.scoring_budget.handmade_bundle import known_title

SEED, DIRECTORS, EACH = 11, 30, 8


def errors_of_directors() -> np.ndarray:
    """A director's films share most of their error."""
    rng = np.random.default_rng(1)
    own = np.repeat(rng.normal(0.1, 0.3, DIRECTORS), EACH)
    return own + rng.normal(0.0, 0.05, DIRECTORS * EACH)


def clusters() -> Clusters:
    return Clusters.of_keys([f"nm{i // EACH:07d}" for i in range(DIRECTORS * EACH)])


def separate_bootstrap(groups: list[np.ndarray], resamples: int = 4000) -> tuple[float, float]:
    rng = np.random.default_rng(5)
    means = []
    for _ in range(resamples):
        drawn = [groups[i] for i in rng.integers(0, len(groups), len(groups))]
        means.append(np.concatenate(drawn).mean())
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def test_a_mean_varies_as_its_directors_do() -> None:
    errors = errors_of_directors()
    low, high = mean_interval(clusters(), errors, SEED)
    by_director = separate_bootstrap(list(errors.reshape(DIRECTORS, EACH)))
    by_film = separate_bootstrap(list(errors[:, None]))
    assert (low, high) == pytest.approx(by_director, abs=0.01)
    assert high - low > 2 * (by_film[1] - by_film[0])


def test_directors_of_many_titles_weigh_by_their_titles() -> None:
    keys = ["a"] * 9 + ["b"]
    found = compare_log_rmse(
        Clusters.of_keys(keys), np.array([1.0] * 9 + [3.0]), np.zeros(10), SEED
    )
    assert found["challenger"] == pytest.approx(np.sqrt((9 * 1 + 9) / 10))
    assert found["units"] == "directors"
    assert found["interval"] == pytest.approx([1.0, 3.0])


def test_a_film_without_a_director_is_a_cluster_of_its_own() -> None:
    films = [
        known_title("tt1", 2000, 7.0, None, directors=()),
        known_title("tt2", 2000, 7.0, None, directors=()),
        known_title("tt3", 2000, 7.0, None, directors=("Ada Lane", "Bo Zell")),
        known_title("tt4", 2000, 7.0, None, directors=("ADA  LANE",)),
    ]
    found = Clusters.of(films)
    assert found.count == 3
    assert sorted(found.sizes) == [1.0, 1.0, 2.0]
    assert cluster_key([], "tt1") == "tt1"


def test_a_questions_intervals_hold_its_figures_and_widen_with_directors() -> None:
    errors = errors_of_directors()
    inside = np.abs(errors - 0.1) < 0.35
    whole = question_figures(clusters(), errors, inside, SEED)
    alone = question_figures(
        Clusters.of_keys([str(i) for i in range(len(errors))]), errors, inside, 1
    )
    for name in ("bias", "coverage"):
        low, high = whole[f"{name}_interval"]
        assert low < whole[name] < high
        assert high - low > 1.5 * np.ptp(alone[f"{name}_interval"])
