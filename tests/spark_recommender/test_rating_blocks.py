"""Blocks of ratings: every rating once a side, the same bytes from any order, read from a file."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from spark_apps.recommender.rating_blocks import (
    PEOPLE,
    RATINGS_A_BLOCK,
    TITLES,
    BlockFile,
    RatingBlock,
    block_count,
    gathers,
    rectangles,
    star_indices,
)
from tests.spark_recommender.made_up import all_blocks, made_blocks

SHAPE = (50, 30)


def some_ratings() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Person 0 rated nothing, person 1 everything."""
    rng = np.random.default_rng(3)
    rated = rng.random(SHAPE) < 0.2
    rated[0], rated[1] = False, True
    users, items = np.nonzero(rated)
    return users, items, rng.integers(1, 11, len(users)) / 2


@pytest.mark.parametrize("blocks", [1, 4])
def test_every_row_and_rating_is_in_one_block(blocks):
    users, items, values = some_ratings()
    levels, stars = star_indices(values)
    made = list(made_blocks(users, items, stars, SHAPE, blocks))
    assert [block.number for block in made] == list(range(blocks))
    assert sorted(np.concatenate([b.rows for b in made]).tolist()) == list(range(SHAPE[0]))
    found = []
    for block in made:
        assert (block.rows % blocks == block.number).all()
        assert (np.diff(block.counts) >= 0).all()
        for row, start, end in zip(block.rows, block.starts, block.starts[1:], strict=False):
            assert (np.diff(block.partners[start:end]) > 0).all()
            found += [
                (row, p, levels[s])
                for p, s in zip(block.partners[start:end], block.stars[start:end])
            ]
    assert sorted(found) == sorted(zip(users, items, values))


def test_the_order_of_the_ratings_changes_no_byte():
    users, items, values = some_ratings()
    stars = star_indices(values)[1]
    order = np.random.default_rng(1).permutation(len(users))
    first = all_blocks(users, items, stars, SHAPE)
    assert first == all_blocks(users[order], items[order], stars[order], SHAPE)
    assert [(side, number) for side, number, _ in first] == [(PEOPLE, 0), (TITLES, 0)]


def test_a_rating_takes_five_bytes_a_side():
    users, items, values = some_ratings()
    stars = star_indices(values)[1]
    people, titles = (len(data) for _, _, data in all_blocks(users, items, stars, SHAPE))
    rows = 8 * (SHAPE[0] + SHAPE[1]) + 2 * 24
    assert people + titles - rows == 2 * 5 * len(values)


def test_a_file_gives_the_blocks_back_by_number():
    users, items, values = some_ratings()
    _, stars = star_indices(values)
    made = list(made_blocks(users, items, stars, SHAPE, 3))
    other = made_blocks(items, users, stars, SHAPE[::-1], 1)
    sent = [(TITLES, b.number, b.to_bytes()) for b in other]
    sent += [(PEOPLE, b.number, b.to_bytes()) for b in made[::-1]]
    file = BlockFile.spool(sent)
    for _ in range(2):
        read = list(file.side(PEOPLE))
        assert [b.number for b in read] == [0, 1, 2]
        for one, other_one in zip(made, read, strict=True):
            for name in ("rows", "counts", "partners", "stars"):
                assert np.array_equal(getattr(one, name), getattr(other_one, name))
    assert [len(b.rows) for b in file.side(TITLES)] == [SHAPE[1]]


def test_any_stars_are_kept_exactly():
    for values in (np.array([3.0]), np.arange(300) / 7, np.arange(70_000) / 3):
        levels, stars = star_indices(values)
        assert np.array_equal(levels[stars], values)
        one_row = np.zeros(len(values), int), np.arange(len(values)), stars
        block = next(made_blocks(*one_row, (1, len(values)), 1))
        again = RatingBlock.of_bytes(0, np.frombuffer(block.to_bytes(), np.uint8))
        assert np.array_equal(levels[again.stars], values)


def test_the_number_of_blocks_is_of_the_ratings():
    assert [block_count(n) for n in (0, 1, RATINGS_A_BLOCK, RATINGS_A_BLOCK + 1)] == [1, 1, 1, 2]
    assert block_count(32_000_000) == 32


def test_rectangles_cover_rows_of_equal_length_and_cut_long_ones():
    counts = np.array([0, 0, 1, 1, 1, 2, 2, 25, 25])
    starts = np.concatenate([[0], np.cumsum(counts)])
    found = [(r.start, r.stop, s.start, s.stop) for r, s in rectangles(starts, 10)]
    assert found[:2] == [(2, 5, 0, 3), (5, 7, 3, 7)]
    assert [f[:2] for f in found[2:]] == [(7, 8)] * 3 + [(8, 9)] * 3
    assert found[-1][3] == counts.sum()
    assert sum(f[3] - f[2] for f in found) == counts.sum()
    assert [f[:2] for f in ((r.start, r.stop) for r, _ in rectangles(starts, 2))][:2] == [
        (2, 4),
        (4, 5),
    ]


def test_what_is_gathered_together_is_contiguous_and_small_enough():
    counts = np.array([0, 1, 1, 2, 3, 3, 4, 9, 25])
    starts = np.concatenate([[0], np.cumsum(counts)])
    together = list(gathers(starts, 10))
    flat = [one for some in together for one in some]
    assert flat == list(rectangles(starts, 10))
    assert len(together) < len(flat) > 5
    for some in together:
        assert some[-1][1].stop - some[0][1].start <= 10
        assert all(a[1].stop == b[1].start for a, b in pairwise(some))
