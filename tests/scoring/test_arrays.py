"""Rows of arrays: the best of each row at once are those of one row at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scoring.arrays import top_rows, top_rows_of_each

SCORES = st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 0.5 + 1e-12, 3.0])
SHAPES = st.tuples(st.integers(0, 6), st.integers(0, 9))


@given(arrays(np.float64, SHAPES, elements=SCORES), st.integers(0, 11))
def test_the_best_of_each_row_are_those_of_one_row_at_a_time(scores, n):
    found = top_rows_of_each(scores, n)
    assert [rows.tolist() for rows in found] == [top_rows(row, n).tolist() for row in scores]


@pytest.mark.parametrize("shape", [(0, 4), (3, 0)])
def test_no_rows_and_no_columns_have_no_best(shape):
    assert [len(rows) for rows in top_rows_of_each(np.empty(shape), 2)] == [0] * shape[0]
