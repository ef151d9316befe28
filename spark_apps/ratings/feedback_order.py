"""The order of what people said on our own API, and the moment each line counts from.

The same rules as `sources.feedback_time.in_order`; a test holds them equal. A line's place
among its server's is its sequence number; lines from before there were numbers come first, by
segment and by place in it. No line counts from later than its segment was first frozen.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from sources.feedback_time import SET_FROM

WORD = "struct<server: string, place: bigint>"
SEGMENT = r"([^/]+)-(\d{6})(?:-[0-9a-f]{12}/[^/]+|(?:\.open)?\.jsonl)$"
OWN_PART = len("000001-0123456789ab")
"""A segment's number and digest, which end its folder's name; Spark encodes the server's part."""


def in_order(lines: DataFrame, said_by: Mapping[str, int] | None = None) -> DataFrame:
    """Lines with `word` (whose, and its place there) and with `time` as a string, made to ascend.

    `said_by`: UTC seconds by which all of a segment had been said, by the segment's folder name.
    One task sorts one server's lines: a window over a server's whole history needs them together.
    """
    stamped = lines.withColumns(
        {
            "server": _of_path(1),
            "segment": F.coalesce(_of_path(2).try_cast("int"), F.lit(0)),
            "block": F.col("_metadata.file_block_start"),
            "row": F.monotonically_increasing_id(),  # ascends within a block of a file
            "stamp": _not_after(
                F.coalesce("effective_time", F.col("time").try_cast("bigint")), said_by or {}
            ),
        }
    )
    backward, forward = _history(descending=True), _history(descending=False)
    known = F.when(F.col("stamp") >= SET_FROM, F.col("stamp"))
    bounded = stamped.withColumn("bound", F.coalesce(F.min(known).over(backward), F.col("stamp")))
    placed = bounded.withColumns(
        {
            "place": F.row_number().over(forward).cast("bigint"),
            "ascending": F.max("bound").over(forward),
        }
    )
    # A line whose time is no number is still refused for it.
    time = F.when(F.col("stamp").isNotNull(), F.col("ascending")).cast("string")
    return placed.withColumns({"time": time, "word": F.struct("server", "place")})


def _not_after(stamp: Column, said_by: Mapping[str, int]) -> Column:
    """The stamp, at the latest the moment by which its segment had been said, where that is known.

    A stamp that is no number stays null; a moment of a clock that was not set says nothing.
    """
    moments = {name[-OWN_PART:]: at for name, at in said_by.items() if at >= SET_FROM}
    if not moments:
        return stamp
    known = [F.lit(part) for pair in moments.items() for part in pair]
    folder = F.right(F.element_at(F.split(F.col("_metadata.file_path"), "/"), -2), F.lit(OWN_PART))
    until = F.create_map(*known)[folder]
    return F.when(stamp > until, until).otherwise(stamp)


def _of_path(group: int) -> Column:
    """A part of the name of the segment a line was read from."""
    return F.regexp_extract(F.col("_metadata.file_path"), SEGMENT, group)


def _history(*, descending: bool) -> WindowSpec:
    """A server's lines up to each line, from the first on or from the last back."""
    keys = (F.coalesce("seq", F.lit(0)), F.col("segment"), F.col("block"), F.col("row"))
    order = [key.desc() if descending else key.asc() for key in keys]
    return (
        Window.partitionBy("server")
        .orderBy(*order)
        .rowsBetween(Window.unboundedPreceding, Window.currentRow)
    )
