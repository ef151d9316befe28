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
from scipy.sparse import csr_matrix

from marquee.errors import ContractError
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


def compress(
    own: Rows | ShortInts, partners: Rows | ShortInts, shape: tuple[int, int]
) -> tuple[Ints, ShortInts, ShortInts]:
    """Ratings in any order as compressed rows: ends [n + 1], ascending partners, their positions.

    A sort by counting, in time that grows with the ratings. Each pair is given at most once.
    """
    positions = np.arange(len(own), dtype=np.int32)
    places = own.astype(np.int32, copy=False), partners.astype(np.int32, copy=False)
    rows = csr_matrix((positions, places), shape=shape)
    if rows.nnz != len(own):
        raise ContractError("a person rated a title twice", "prepare the ratings again")
    return rows.indptr.astype(np.int64), rows.indices, rows.data


def make_blocks(
    ends: Ints, partners: ShortInts, stars: NDArray[Any], blocks: int
) -> Iterator[RatingBlock]:
    """Blocks of compressed rows: row r has the ratings `ends[r]` to `ends[r + 1]`."""
    for number in range(blocks):
        rows = np.arange(number, len(ends) - 1, blocks)
        counts = ends[rows + 1] - ends[rows]
        by_count = np.argsort(counts, kind="stable")
        rows, counts = rows[by_count], counts[by_count]
        chosen = np.repeat(ends[rows] - (np.cumsum(counts) - counts), counts)
        chosen += np.arange(len(chosen))
        yield RatingBlock(
            number,
            rows.astype(np.int32),
            counts.astype(np.int32),
            partners[chosen].astype(np.int32),
            stars[chosen],
        )


def blocks_of(
    ends: Ints, items: ShortInts, stars: NDArray[Any], titles: int
) -> Iterator[SentBlock]:
    """All blocks of people, then of titles, from the compressed rows of people.

    They are made as they are taken, so that a receiver holds them once.
    """
    blocks = block_count(len(items))
    for block in make_blocks(ends, items, stars, blocks):
        yield PEOPLE, block.number, block.to_bytes()
    by_title = csr_matrix((stars, items, ends), shape=(len(ends) - 1, titles)).tocsc()
    rows = by_title.indptr.astype(np.int64), by_title.indices, by_title.data
    for block in make_blocks(*rows, blocks):
        yield TITLES, block.number, block.to_bytes()


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


def gathers(starts: Ints, most: int) -> Iterator[list[tuple[slice, slice]]]:
    """Consecutive rectangles of at most `most` ratings together, to be gathered at once."""
    held: list[tuple[slice, slice]] = []
    for rows, ratings in rectangles(starts, most):
        if held and ratings.stop - held[0][1].start > most:
            yield held
            held = []
        held.append((rows, ratings))
    if held:
        yield held


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
