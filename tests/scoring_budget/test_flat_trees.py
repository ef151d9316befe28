"""Two small trees walked by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from marquee.errors import BundleError
from scoring.budget.flat_trees import FlatTrees, join_trees, load_trees, save_trees

#   tree 0 (weight 1):   x0 <= 2 ? 1.0 : (x1 <= 0.5 ? 3.0 : 7.0)      values inside: 4.0, 5.0
#   tree 1 (weight 0.1): x1 <= 0.5 ? -10 : 10                         value inside: 0.0
TREES = FlatTrees(
    feature=np.array([0, -1, 1, -1, -1, 1, -1, -1], dtype=np.int32),
    threshold=np.array([2.0, 0, 0.5, 0, 0, 0.5, 0, 0]),
    left=np.array([1, 0, 3, 0, 0, 6, 0, 0], dtype=np.int32),
    right=np.array([2, 0, 4, 0, 0, 7, 0, 0], dtype=np.int32),
    value=np.array([4.0, 1.0, 5.0, 3.0, 7.0, 0.0, -10.0, 10.0]),
    root=np.array([0, 5], dtype=np.int32),
    weight=np.array([1.0, 0.1]),
)
ROWS = np.array([[2.0, 0.0], [2.1, 0.5], [9.0, 1.0], [0.0, 1.0]])


def test_answers() -> None:
    np.testing.assert_allclose(TREES.predict(ROWS), [0.0, 2.0, 8.0, 2.0], rtol=0, atol=1e-15)


def test_contributions_name_the_feature_and_add_up() -> None:
    added = TREES.contributions(ROWS)
    # row 2: x0 moves tree 0 from 4 to 5; x1 from 5 to 7 and tree 1 from 0 to 10 (times 0.1)
    np.testing.assert_allclose(added[2], [1.0, 3.0])
    np.testing.assert_allclose(added.sum(axis=1) + TREES.base, TREES.predict(ROWS))


def test_saved_and_loaded(tmp_path: Path) -> None:
    save_trees(TREES, tmp_path, "trees_x")
    again = load_trees(tmp_path, "trees_x", features=2)
    np.testing.assert_array_equal(again.predict(ROWS), TREES.predict(ROWS))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"feature": np.array([2, -1, 1, -1, -1, 1, -1, -1], dtype=np.int32)}, "outside 0 to 1"),
        ({"left": np.array([0, 0, 3, 0, 0, 6, 0, 0], dtype=np.int32)}, "come after"),
        ({"right": np.array([2, 0, 9, 0, 0, 7, 0, 0], dtype=np.int32)}, "come after"),
        ({"value": np.array([np.nan, 1, 5, 3, 7, 0, -10, 10])}, "not finite"),
        ({"value": np.array([1.0])}, "different lengths"),
        ({"root": np.array([0, 8], dtype=np.int32)}, "root outside"),
        ({"weight": np.array([1.0])}, "one weight a tree"),
    ],
)
def test_torn_trees_do_not_load(tmp_path: Path, change: dict[str, np.ndarray], says: str) -> None:
    save_trees(replace(TREES, **change), tmp_path, "t")
    with pytest.raises(BundleError, match=says):
        load_trees(tmp_path, "t", features=2)


def test_a_missing_or_cut_file_is_named(tmp_path: Path) -> None:
    save_trees(TREES, tmp_path, "t")
    (tmp_path / "t_value.npy").write_bytes((tmp_path / "t_value.npy").read_bytes()[:-8])
    with pytest.raises(BundleError, match=r"t_value\.npy"):
        load_trees(tmp_path, "t", features=2)
    (tmp_path / "t_value.npy").unlink()
    with pytest.raises(BundleError, match=r"t_value\.npy"):
        load_trees(tmp_path, "t", features=2)


def test_joined_trees_are_the_weighted_sum(tmp_path: Path) -> None:
    other = replace(TREES, weight=np.array([0.5, -2.0]))
    joined = join_trees([(0.25, TREES), (3.0, other)], constant=6.5)
    expected = 0.25 * TREES.predict(ROWS) + 3.0 * other.predict(ROWS) + 6.5
    np.testing.assert_allclose(joined.predict(ROWS), expected, rtol=0, atol=1e-12)
    assert joined.base == pytest.approx(0.25 * TREES.base + 3.0 * other.base + 6.5)
    save_trees(joined, tmp_path, "t")
    np.testing.assert_array_equal(load_trees(tmp_path, "t", 2).predict(ROWS), joined.predict(ROWS))
