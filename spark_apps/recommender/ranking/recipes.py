"""A ranker's recipe: its family and parameters, as data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from spark_apps.recommender.recipe_parts import Part, Positive, Share, Whole


class PersonRidge(Part):
    """People's factors solved once more with the ridge `reg` (n + w I)^`power`: n of I titles
    rated, each of the rest with the weight w beside a rated one's 1. Before that, titles and
    people are solved alike in `sweeps` turns."""

    reg: Positive
    power: Share
    sweeps: Annotated[int, Field(ge=0, le=50)] = 0


class ImplicitAlsRecipe(Part):
    """Implicit ALS over who rated what; `alpha` is the extra confidence of a rated title.

    Without `person`, people's factors are Spark's.
    """

    family: Literal["implicit_als"]
    rank: Whole
    alpha: Positive
    reg: Positive
    iterations: Whole
    person: PersonRidge | None = None


class RecencyRecipe(Part):
    """A person's rating `span` ratings back counts 1/e of the latest, above the `floor`."""

    span: Positive
    floor: Share


class EaseRecipe(Part):
    """EASE over the `titles` most rated, the `keep` largest weights of each title kept.

    The ridge of a title rated n times is `reg` (n / mean n)^`title_power`; a person of n ratings
    weighs (n / mean n)^-`people_power`. Refused where it takes more than `most_gigabytes`.
    """

    family: Literal["ease"]
    titles: Annotated[int, Field(ge=1, le=20_000)]
    keep: Annotated[int, Field(ge=1, le=20_000)]
    reg: Positive
    title_power: Share = 0.0
    people_power: Share = 0.0
    recency: RecencyRecipe | None = None
    most_gigabytes: Positive = 1.0

    @property
    def iterations(self) -> int:
        """None: it is solved at once."""
        return 0


class EaseAlsRecipe(Part):
    """Both, each person's scores standardised and added; `share` is ALS's."""

    family: Literal["ease_als"]
    share: Share
    als: ImplicitAlsRecipe
    ease: EaseRecipe

    @property
    def iterations(self) -> int:
        """ALS's."""
        return self.als.iterations


RankerRecipe = Annotated[
    ImplicitAlsRecipe | EaseRecipe | EaseAlsRecipe, Field(discriminator="family")
]
