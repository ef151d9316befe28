"""Ids that are text, as numbers: the same text is the same number in every job and every run.

Neither job waits for the other to number names: a hash needs no table. The table is kept all the
same, in `prepared/ids/{users,titles}` (`text`, `id`), to look a name up and to prove that no two
share a number. A release whose ids are whole numbers never comes here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from marquee.errors import SourceError

COLUMNS = {"users": "user_id", "titles": "movie_id"}


def text_id(text: Column) -> Column:
    """`marquee.names.text_id` as a column: the first 53 bits of the text's sha256."""
    first_bytes = F.conv(F.substring(F.sha2(text, 256), 1, 16), 16, -10).cast("bigint")
    return F.shiftrightunsigned(first_bytes, 11)


def id_tables(
    judged: DataFrame, listed: DataFrame, kinds: Sequence[str]
) -> Mapping[str, DataFrame]:
    """`text` and `id` of everybody who rated, and of every title rated or `listed`."""
    release = judged.where(F.col("reason").isNull() & ~F.col("is_ours"))
    texts = {kind: release.select(F.col(COLUMNS[kind]).alias("text")) for kind in kinds}
    if "titles" in texts:
        texts["titles"] = texts["titles"].unionByName(listed)
    return {kind: number(frame) for kind, frame in texts.items()}


def number(texts: DataFrame) -> DataFrame:
    """Each different text once, with its number."""
    named = texts.where(F.trim("text") != "").distinct()
    return named.withColumn("id", text_id(F.col("text"))).cache()


def refuse_collisions(table: DataFrame) -> int:
    """How many ids there are; SourceError naming two texts that would be one."""
    same = table.groupBy("id").agg(F.count("text").alias("n"), F.min("text"), F.max("text"))
    found = same.where("n > 1").first()
    if found:
        raise SourceError(
            f"the ids '{found[2]}' and '{found[3]}' have one hash",
            "rename one of them in the release, or number its ids",
        )
    rows: int = table.count()
    return rows
