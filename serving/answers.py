"""What the API takes and gives, as typed values; `/docs` and clients are made from these."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

LARGEST_EXACT = 2**53
"""A browser's numbers are exact up to here."""


def _sound(asked: int | str) -> int | str:
    """What could be an id of some release; `serving.asker` judges by the one that serves."""
    try:
        str(asked).encode()
    except UnicodeEncodeError:
        raise ValueError("is no id: it holds half of a surrogate pair") from None
    return asked


def _no_truth(given: Any) -> Any:
    """True and false are no numbers, though Python counts with them."""
    if isinstance(given, bool):
        raise ValueError("is true or false, where a number or a text is wanted")
    return given


def _exact(number: int | str) -> int | str:
    """As text where a browser would round the number."""
    return str(number) if isinstance(number, int) and abs(number) > LARGEST_EXACT else number


AnyId = Annotated[int | str, BeforeValidator(_no_truth), AfterValidator(_sound)]
"""An id as its release writes it: a number, or text."""
MovieNumber = Annotated[int, PlainSerializer(_exact, return_type=int | str)]
"""A title's number in an answer; one a browser would round is text."""
# `serving.asgi` keeps the slashes of a name apart from those between a path's steps.
Step = AfterValidator(unquote)
MovieId = Annotated[
    str, Path(description="a title as the ratings release names it: a number, or text"), Step
]
UserId = Annotated[
    str,
    Path(
        description="a person as the ratings release names them (a number, or text), or one of "
        "this API (`p-<name>`)",
    ),
    Step,
]
Person = Annotated[str, Path(description="a person of this API: `p-<name>`"), Step]
Count = Annotated[int, Query(ge=1, le=100, description="how many titles at most")]


class Answer(BaseModel):
    """Every answer says from which bundle, of which moment, and by which strategy."""

    model_config = ConfigDict(frozen=True)

    bundle: str
    as_of: str
    strategy: str


class TitleCard(BaseModel):
    """A title as lists show it."""

    movie_id: MovieNumber
    name: str | None = Field(
        default=None, description="what the release calls it, where it names titles by text"
    )
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

    movie_id: AnyId
    rating: Annotated[float, BeforeValidator(_no_truth)] = Field(allow_inf_nan=False)


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
    movie_id: MovieNumber
    name: str | None = Field(default=None, description="what the release calls the title, by text")
    title: str
    predicted_rating: float


class Pair(BaseModel):
    """A person and a title."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    user_id: AnyId = Field(description="as the release names them, or `p-<name>`")
    movie_id: AnyId = Field(description="as the release names it")


class PairsRequest(BaseModel):
    """Many pairs at once."""

    model_config = ConfigDict(extra="forbid")

    pairs: list[Pair] = Field(min_length=1, max_length=10_000)


class PairPrediction(Pair):
    """One pair's stars, and how they were reached."""

    user_id: Annotated[AnyId, PlainSerializer(_exact, return_type=int | str)]
    movie_id: Annotated[AnyId, PlainSerializer(_exact, return_type=int | str)]
    predicted_rating: float
    strategy: str


class PredictionsAnswer(Answer):
    """In the order asked; `strategy` is `mixed` where the pairs' strategies differ."""

    predictions: list[PairPrediction]


class RatingsRequest(BaseModel):
    """Ratings to keep."""

    model_config = ConfigDict(extra="forbid")

    ratings: list[Rating] = Field(min_length=1, max_length=1_000)


class PersonAnswer(BaseModel):
    """A person of this API and the ratings they have now, as far as this server and its champion
    know them, by movie id (or by the name the release gives the title).

    Ratings can be taken back before there is a champion: then `bundle` and `as_of` are null.
    """

    model_config = ConfigDict(frozen=True)

    bundle: str | None = None
    as_of: str | None = None
    strategy: str = "none"
    user_id: str
    accepted: int = Field(description="how many ratings were kept, or taken back, by this request")
    ratings: dict[str, float]


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

    movie_id: MovieNumber
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
    looked_at: str | None = Field(default=None, description="when the ledger was last read")
    trouble: str = Field(default="", description="what is wrong, in sentences")


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
