"""What the API takes and gives, as typed values; `/docs` and clients are made from these."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field

LARGEST_ID = 2**53  # what JSON numbers hold exactly everywhere
AnyId = Annotated[int, Field(ge=0, le=LARGEST_ID)]

MovieId = Annotated[int, Path(ge=0, le=LARGEST_ID, description="MovieLens' movie number")]
UserId = Annotated[
    str,
    Path(
        pattern=r"^(\d{1,15}|p-[A-Za-z0-9._-]{1,64})$",
        description="a person of the ratings release (a number), or one of this API (`p-<name>`)",
    ),
]
Person = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9._-]{1,66}$", description="a person of this API: `p-<name>`")
]
Count = Annotated[int, Query(ge=1, le=100, description="how many titles at most")]


class Answer(BaseModel):
    """Every answer says from which bundle, of which moment, and by which strategy."""

    model_config = ConfigDict(frozen=True)

    bundle: str
    as_of: str
    strategy: str


class TitleCard(BaseModel):
    """A title as lists show it."""

    movie_id: int
    title_id: str | None
    title: str
    year: int | None
    genres: tuple[str, ...]


class Recommended(TitleCard):
    """One recommendation; `because` are the rated titles that speak for it most, or, where
    `content` recommends it, those most like it."""

    score: float
    predicted_rating: float
    strategy: str = Field(
        description="personal, fold-in, content (from what the title is: too few rated it) or "
        "popular; of ten titles at most one new one is content's"
    )
    because: list[TitleCard]


class RecommendationsAnswer(Answer):
    """The best titles a person has not rated, best first."""

    user_id: str | None
    recommendations: list[Recommended]


class Rating(BaseModel):
    """Stars a person gives a title."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    movie_id: int = Field(ge=0, le=LARGEST_ID)
    rating: float = Field(allow_inf_nan=False)


class AnonymousRequest(BaseModel):
    """Somebody we know by these ratings alone."""

    model_config = ConfigDict(extra="forbid")

    ratings: list[Rating] = Field(max_length=1_000)
    n: int = Field(default=10, ge=1, le=100)
    genre: str | None = None
    year_from: int | None = None
    year_to: int | None = None
    exclude: list[AnyId] = Field(default=[], max_length=10_000)


class PredictionAnswer(Answer):
    """How a person would rate one title, in stars."""

    user_id: str
    movie_id: int
    title: str
    predicted_rating: float


class Pair(BaseModel):
    """A person and a title."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    user_id: int | str = Field(description="a number, or `p-<name>`")
    movie_id: int = Field(ge=0, le=LARGEST_ID)


class PairsRequest(BaseModel):
    """Many pairs at once."""

    model_config = ConfigDict(extra="forbid")

    pairs: list[Pair] = Field(min_length=1, max_length=10_000)


class PairPrediction(Pair):
    """One pair's stars, and how they were reached."""

    predicted_rating: float
    strategy: str


class PredictionsAnswer(Answer):
    """In the order asked; `strategy` is `mixed` where the pairs' strategies differ."""

    predictions: list[PairPrediction]


class RatingsRequest(BaseModel):
    """Ratings to keep."""

    model_config = ConfigDict(extra="forbid")

    ratings: list[Rating] = Field(min_length=1, max_length=1_000)


class PersonAnswer(Answer):
    """A person of this API and the ratings they have now, by movie id."""

    user_id: str
    accepted: int
    ratings: dict[int, float]


class TitlesAnswer(Answer):
    """Titles that match, the most popular first among equals."""

    titles: list[TitleCard]


class TitleAnswer(Answer):
    """One title."""

    title: TitleCard
    mean_rating: float | None = Field(description="what a person we know nothing of would give")


class SimilarTitle(TitleCard):
    """A title near another, by taste or by content; `similarity` is a cosine or a weight."""

    similarity: float


class SimilarAnswer(Answer):
    """Titles liked by the same people (`similar`), or, of a title too few rated, alike in what
    they are (`content`)."""

    movie_id: int
    similar: list[SimilarTitle]


class ModelState(BaseModel):
    """Which bundle of a model serves here, since when, and what is wrong if anything is."""

    model: str
    serving: bool
    bundle: str | None = None
    as_of: str | None = None
    strategy: str | None = Field(default=None, description="the recipe's name")
    number: int | None = Field(default=None, description="the ledger entry that serves")
    digest: str | None = None
    promoted_at: str | None = None
    loaded_at: str | None = None
    head: int | None = Field(default=None, description="the last ledger entry known here")
    trouble: str = ""


class ModelsAnswer(BaseModel):
    """All models."""

    models: list[ModelState]


class LedgerAnswer(BaseModel):
    """A model's history, oldest first, and what serves of it here."""

    serving: ModelState
    entries: list[dict[str, Any]]


class ChampionAnswer(BaseModel):
    """The ledger entry that named the champion at a moment."""

    at: str
    entry: dict[str, Any]


class BudgetRequest(BaseModel):
    """A film, as far as it is known."""

    model_config = ConfigDict(extra="forbid")

    directors: list[str] = Field(default=[], max_length=20, description="IMDb name ids, or names")
    genres: list[str] = Field(default=[], max_length=20)
    year: int = Field(ge=1874, le=2100)
    rating: float | None = Field(
        default=None, ge=1, le=10, description="IMDb's; leave out before release"
    )


class Contribution(BaseModel):
    """What one feature adds: log10 dollars add up, factors multiply."""

    feature: str
    log10: float
    factor: float


class KnownFilm(BaseModel):
    """A film the model has seen; its budget in dollars of the answer's `price_year`."""

    title_id: str
    title: str
    year: int
    directors: tuple[str, ...]
    budget: float


class BudgetAnswer(Answer):
    """Dollars of `price_year`; `strategy` is the question answered.

    The interval held the truth for four films in five that the recipe had not seen. The first
    contribution is a typical film's cost; the factors multiply up to the median.
    """

    median: float
    low: float
    high: float
    price_year: int
    contributions: list[Contribution]
    evidence: list[KnownFilm] = Field(description="the nearest films the model has seen")
    notes: list[str]
