"""The content part of a recipe, as data."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from spark_apps.recommender.recipe_parts import NotNegative, Part, Positive


class ContentRecipe(Part):
    """The `words` told of most titles, in `columns` numbers a title, fewer where all titles' would
    take more than `most_megabytes`; `optimism` standard errors are added to a cold title's score
    before it is compared."""

    words: Annotated[int, Field(ge=1, le=20_000)] = 2_000
    columns: Annotated[int, Field(ge=1, le=1_000)] = 128
    optimism: NotNegative = 1.0
    most_megabytes: Positive = 32.0

    def affordable_columns(self, titles: int) -> int:
        """Columns of single precision that so many titles may have; at least one."""
        return max(1, min(self.columns, int(self.most_megabytes * 1e6 / (4 * max(titles, 1)))))
