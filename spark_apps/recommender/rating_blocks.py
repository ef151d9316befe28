"""Ratings as the sampler reads them: compact blocks of people, and of titles, in files.

Block b of B holds the rows with row % B = b, in the order of their number of ratings, so that rows
of equal number are one rectangle without padding. A rating is the partner's row (int32) and the
index of its stars among the distinct stars (one byte where these are at most 256): 5 bytes in a
block of people, and 5 in a block of titles. A block depends only on its ratings: neither on their
order nor on the other blocks.

A Markov chain spools its blocks into one unnamed file of its executor, and maps one block at a
time. A process that is killed leaves no file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from scoring.arrays import Floats, Ints, Rows, ShortInts

RATINGS_A_BLOCK = 1_000_000
MOST_BLOCKS = 4_096
HEADER = 3  # int64: rows, ratings, bytes of a star's index
PEOPLE, TITLES = 0, 1
"""Sides: whose rows a block holds."""
SentBlock = tuple[int, int, bytes]
"""A block on its way: side, number, bytes."""


@dataclass(frozen=True)
class RatingBlock:
    """Some rows of people or titles with their ratings.

    `rows` [r] are row numbers of the catalogue, `counts` [r] their numbers of ratings, ascending.
    `partners` and `stars` [ratings] follow row by row; a row's partners ascend. `stars` are indices
    of the distinct stars.
    """

    number: int
    rows: ShortInts
    counts: ShortInts
    partners: ShortInts
    stars: NDArray[Any]

    @property
    def starts(self) -> Ints:
        """The position [r + 1] of each row's first rating."""
        return np.concatenate([[0], np.cumsum(self.counts, dtype=np.int64)])

    def rows_of_few(self, most: int) -> int:
        """The number of rows with at most `most` ratings; these come first."""
        return int(np.searchsorted(self.counts, most, side="right"))

    def to_bytes(self) -> bytes:
        """The header, then the arrays in the order of the fields."""
        header = np.array([len(self.rows), len(self.partners), self.stars.itemsize], dtype=np.int64)
        parts = (header, self.rows, self.counts, self.partners, self.stars)
        return b"".join(part.tobytes() for part in parts)

    @classmethod
    def of_bytes(cls, number: int, data: NDArray[np.uint8]) -> RatingBlock:
        """Views of `data`, which `to_bytes` made; no copy."""
        rows, ratings, size = data[: 8 * HEADER].view(np.int64).tolist()
        ends = np.cumsum([8 * HEADER, 4 * rows, 4 * rows, 4 * ratings, size * ratings])
        pieces = [data[a:b] for a, b in pairwise(ends)]
        own, counts, partners = (piece.view(np.int32) for piece in pieces[:3])
        return cls(number, own, counts, partners, pieces[3].view(f"u{size}"))


def block_count(ratings: int) -> int:
    """The number of blocks a side: a property of the data, so that no machine changes a draw."""
    return min(max(1, -(-ratings // RATINGS_A_BLOCK)), MOST_BLOCKS)


def make_blocks(
    own: Rows, partners: Rows, stars: NDArray[Any], count: int, blocks: int
) -> Iterator[RatingBlock]:
    """Blocks of the rows 0..count-1; `own`, `partners`, `stars` [ratings] may have any order."""
    for number in range(blocks):
        chosen = slice(None) if blocks == 1 else np.flatnonzero(own % blocks == number)
        rows = np.arange(number, count, blocks)
        yield make_block(number, rows, own[chosen], partners[chosen], stars[chosen])


def make_block(
    number: int, rows: Rows, own: Rows, partners: Rows, stars: NDArray[Any]
) -> RatingBlock:
    """The block of these ascending `rows` from all their ratings, in any order."""
    counts = np.bincount(np.searchsorted(rows, own), minlength=len(rows))
    by_count = np.argsort(counts, kind="stable")
    place = np.empty_like(by_count)
    place[by_count] = np.arange(len(rows))
    order = np.lexsort((partners, place[np.searchsorted(rows, own)]))
    return RatingBlock(
        number,
        rows[by_count].astype(np.int32),
        counts[by_count].astype(np.int32),
        partners[order].astype(np.int32),
        stars[order],
    )


def blocks_of(
    users: Rows, items: Rows, values: Floats, shape: tuple[int, int]
) -> tuple[Floats, list[SentBlock]]:
    """The distinct stars, and all blocks of people and of titles."""
    levels, stars = star_indices(values)
    rows, blocks = (users, items), block_count(len(values))
    return levels, [
        (side, block.number, block.to_bytes())
        for side in (PEOPLE, TITLES)
        for block in make_blocks(rows[side], rows[1 - side], stars, shape[side], blocks)
    ]


def star_indices(values: Floats) -> tuple[Floats, NDArray[Any]]:
    """The distinct stars, ascending, and each rating's index among them in the fewest bytes."""
    levels = np.unique(values)
    kind = np.min_scalar_type(max(len(levels) - 1, 0))
    return levels, np.searchsorted(levels, values).astype(kind)


def rectangles(starts: Ints, most: int) -> Iterator[tuple[slice, slice]]:
    """Rows of equal numbers of ratings, and their ratings, at most `most` at a time.

    A row with more ratings comes in several pieces. `starts` [r + 1] are positions of the rows'
    first ratings.
    """
    counts = np.diff(starts)
    ends = np.flatnonzero(np.diff(counts, append=-1)) + 1
    for first, end in pairwise([0, *ends.tolist()]):
        each = int(counts[first])
        if each > most:
            yield from _pieces(first, end, starts, most)
        elif each:
            step = most // each
            for row in range(first, end, step):
                last = min(row + step, end)
                yield slice(row, last), slice(int(starts[row]), int(starts[last]))


def _pieces(first: int, end: int, starts: Ints, most: int) -> Iterator[tuple[slice, slice]]:
    """Rows one by one, in pieces of at most `most` ratings."""
    for row in range(first, end):
        last = int(starts[row + 1])
        for start in range(int(starts[row]), last, most):
            yield slice(row, row + 1), slice(start, min(start + most, last))


@dataclass
class BlockFile:
    """Blocks of both sides in one unnamed file, each mapped only while it is read."""

    file: IO[bytes] = field(default_factory=TemporaryFile)
    places: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def spool(cls, blocks: Iterable[SentBlock]) -> BlockFile:
        """Write (side, number, bytes) in the order in which they come."""
        found = cls()
        for side, number, data in blocks:
            found.places[side, number] = found.file.tell(), len(data)
            found.file.write(data + bytes(-len(data) % 8))
        found.file.flush()
        return found

    def side(self, side: int) -> BlockSide:
        """The blocks of people, or of titles."""
        return BlockSide(self, side)


@dataclass(frozen=True)
class BlockSide:
    """The blocks of one side of a file, by number."""

    file: BlockFile
    side: int

    def __iter__(self) -> Iterator[RatingBlock]:
        for number in sorted(n for side, n in self.file.places if side == self.side):
            start, size = self.file.places[self.side, number]
            data = np.memmap(self.file.file, np.uint8, "r", start, (size,)).view(np.ndarray)
            yield RatingBlock.of_bytes(number, data)


Blocks = Sequence[RatingBlock] | BlockSide
"""The blocks of one side, in memory or in a file."""
