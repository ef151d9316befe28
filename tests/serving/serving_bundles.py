"""Small bundles that these tests write, promoted into a lake as the weekly run would."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from marquee.artefacts.ledger_entry import Draft, Entry
from marquee.clock import compact
from marquee.identifiers import text_id
from marquee.lake import Lake, Manifest
from release.ledger import Ledger
from release.promotion import bundle_folder
from scoring.budget.bundle import BudgetBundle
from scoring.budget.bundle import write_bundle as write_budget_bundle
from scoring.budget.features import BEFORE_RELEASE, WITH_RATING, FeatureEncoder, KnownTitle
from scoring.budget.predictor import Predictor
from scoring.recommender.bundle import RecommenderBundle, Title, read_bundle, write_bundle
from scoring.recommender.ratings_arrays import RatingsMatrix

FIRST = datetime(2026, 1, 4, 3, tzinfo=UTC)
PEOPLE, TITLES, RANK = 12, 30, 4
GENRES = ("Drama", "Comedy", "Action")
MEAN = 3.5


def write_recommender(
    folder: Path, seed: int = 1, mean: float = MEAN, cold: Sequence[int] = ()
) -> Path:
    """A sound bundle: 12 people, 30 titles, golden answers by plain NumPy. With `cold` titles,
    which nobody rated, it has content: by genre, and generous to them."""
    rng = np.random.default_rng(seed)
    user_ids = np.arange(1, PEOPLE + 1) * 10
    movie_ids = np.arange(1, TITLES + 1)
    user_bias, item_bias = rng.normal(0, 0.2, PEOPLE), rng.normal(0, 0.2, TITLES)
    users, items = (rng.normal(0, 0.4, (n, RANK)).astype(np.float32) for n in (PEOPLE, TITLES))
    # The last two columns belong to the blend (see the fold-in); zero says: no blend.
    blank = np.zeros((TITLES, 2), dtype=np.float32)
    items, users = np.hstack([items, blank]), np.hstack([users, blank[:PEOPLE]])
    rated = rng.random((PEOPLE, TITLES)) < 0.3
    is_cold = np.isin(movie_ids, cold)
    rated[:, is_cold], items[is_cold] = False, 0.0
    rows, titles = np.nonzero(rated)
    stars = rng.integers(1, 11, len(rows)) / 2
    exact = mean + user_bias[:, None] + item_bias + users.astype(float) @ items.T.astype(float)
    pairs = [(u, i) for u in range(4) for i in range(5)]
    golden = {
        "tolerance": 1e-5,
        "predictions": [
            {
                "user_id": int(user_ids[u]),
                "movie_id": int(movie_ids[i]),
                "value": float(np.clip(exact[u, i], 0.5, 5)),
            }
            for u, i in pairs
        ],
        "rankings": [],
    }
    bundle = RecommenderBundle(
        user_ids=user_ids,
        movie_ids=movie_ids,
        user_bias=user_bias,
        item_bias=item_bias,
        user_factors=users,
        item_factors=items,
        rank_user_factors=users[:, :RANK],
        rank_item_factors=items[:, :RANK],
        ratings=RatingsMatrix.build(rows, titles, stars, PEOPLE),
        popularity=np.bincount(titles, minlength=TITLES).astype(float),
        titles={int(m): _title(int(m)) for m in movie_ids},
        facts={
            "mean": mean,
            "clip": [0.5, 5.0],
            "recipe": {"name": f"made-up-{seed}"},
            "as_of": "2026-01-04T03:00:00Z",
            "fold_in": {
                "predictor": {
                    "family": "als_bias",
                    "rank": RANK,
                    "reg": 0.1,
                    "weight": 0.5,
                    "bias_reg_user": 5.0,
                },
                "ranker": {"family": "implicit_als", "alpha": 4.0, "reg": 0.1},
            },
        },
        golden=golden,
    )
    if len(cold):
        facts = {**bundle.facts, "content": {"ridge": 1.0, "optimism": 50.0}}
        bundle = replace(bundle, facts=facts, content_vectors=_by_genre(bundle))
    return write_bundle(folder, bundle)


def write_named(folder: Path, source: Path, *, says_so: bool = True) -> Path:
    """The bundle in `source` as of a release that names its people and titles by text: `person 1`
    (whom it numbers 10), `film/1` and so on. An old bundle neither states so nor keeps names."""
    bundle = read_bundle(source)
    people = {int(u): text_id(f"person {int(u) // 10}") for u in bundle.user_ids}
    numbers = {int(m): text_id(f"film/{int(m)}") for m in bundle.movie_ids}
    users, movies = (sorted(old, key=old.get) for old in (people, numbers))
    by_user, by_movie = (
        np.searchsorted(bundle.user_ids, users),
        np.searchsorted(bundle.movie_ids, movies),
    )
    place = np.argsort(by_movie)
    rated = [(row, place[item], stars) for row, old in enumerate(by_user) for item, stars in
             zip(bundle.ratings.items(old), bundle.ratings.stars(old), strict=True)]  # fmt: skip
    rows, items, stars = (np.array(column) for column in zip(*rated, strict=True))
    golden = [
        {**q, "user_id": people[q["user_id"]], "movie_id": numbers[q["movie_id"]]}
        for q in bundle.golden["predictions"]
    ]
    titles = {
        numbers[m]: replace(t, movie_id=numbers[m], name=f"film/{m}" if says_so else None)
        for m, t in bundle.titles.items()
    }
    text_ids = {"text_ids": ["users", "titles"]} if says_so else {}
    named = replace(
        bundle,
        user_ids=np.array([people[u] for u in users]),
        movie_ids=np.array([numbers[m] for m in movies]),
        user_bias=bundle.user_bias[by_user],
        item_bias=bundle.item_bias[by_movie],
        user_factors=bundle.user_factors[by_user],
        item_factors=bundle.item_factors[by_movie],
        rank_user_factors=bundle.rank_user_factors[by_user],
        rank_item_factors=bundle.rank_item_factors[by_movie],
        ratings=RatingsMatrix.build(rows, items, stars, PEOPLE),
        popularity=bundle.popularity[by_movie],
        titles=titles,
        facts={**bundle.facts, **text_ids},
        golden={**bundle.golden, "predictions": golden},
    )
    return write_bundle(folder, named)


def _by_genre(bundle: RecommenderBundle) -> np.ndarray:
    titles = [bundle.titles[int(m)] for m in bundle.movie_ids]
    return np.array([[g in t.genres for g in GENRES] for t in titles], dtype=np.float32)


def _title(movie_id: int) -> Title:
    names = {1: "The Amélie Affair", 2: "Amelie Returns", 3: "Snow on the Affair", 4: "<b>Bold</b>"}
    return Title(
        movie_id,
        f"tt{movie_id:07d}",
        names.get(movie_id, f"Film Number {movie_id}"),
        1990 + movie_id,
        (GENRES[movie_id % 3], GENRES[(movie_id + 1) % 3]),
    )


def promote_folder(
    lake: Lake, model: str, folder: Path, digest: str | None = None, run: str = "made-up"
) -> Entry:
    """Publish a bundle with made-up evidence and append its entry; a week after the last one."""
    ledger = Ledger(lake, model)
    head = ledger.head()
    as_of = head.as_of + timedelta(days=7) if head else FIRST
    found = Manifest.of_folder(folder).digest
    bundle = f"{compact(as_of)}-{found[:12]}"
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch)
        (whole / "bundle").mkdir()
        for file in folder.iterdir():
            (whole / "bundle" / file.name).write_bytes(file.read_bytes())
        (whole / "card.json").write_text("{}")
        lake.publish(whole, bundle_folder(model, bundle))
    draft = Draft(
        kind="promote",
        bundle=bundle,
        bundle_digest=digest or found,
        run=run,
        as_of=as_of,
        recipe={"name": "made-up"},
        code="0" * 12,
        at=as_of + timedelta(hours=1),
        verdict="0" * 64,
    )
    return ledger.append(draft, head)


def promote_recommender(lake: Lake, folder: Path, seed: int = 1, mean: float = MEAN) -> Entry:
    return promote_folder(lake, "recommender", write_recommender(folder, seed, mean))


def write_budget(folder: Path, intercept: float = 7.0) -> Path:
    """A sound bundle of linear fits: a rating adds 0.1 a point, comedies are half as dear."""
    encoder = FeatureEncoder(
        ("Drama", "Comedy", "Action"), 1990, 2025, director_smoothing=3.0, rating_step=0.0
    )
    fits, queries = {}, []
    for question in (BEFORE_RELEASE, WITH_RATING):
        names = encoder.names(question)
        effects = {"rating": 0.1, "genre Comedy": -0.30103}
        rated = question == WITH_RATING
        fits[question] = Predictor(
            linear_share=1.0,
            intercept=intercept,
            coefficients=np.array([effects.get(name, 0.0) for name in names]),
            trees=None,
            means=np.zeros(len(names)),
            residuals=(-0.4, 0.5),
        )
        queries.append(
            {
                "directors": ["nobody"],
                "genres": ["Comedy"],
                "year": 2020,
                "rating": 5.0 if rated else None,
                "question": question,
                "log10": intercept - 0.30103 + (0.5 if rated else 0.0),
            }
        )
    film = KnownTitle(
        "tt1", "A Known Film", 2001, ("nm1",), ("Ada Vogel",), ("Drama",), 7.0, 7.2, 0.1
    )
    bundle = BudgetBundle(
        encoder=encoder,
        predictors=fits,
        titles=(film,),
        facts={"price_year": 2025, "as_of": "2026-01-04T03:00:00Z", "recipe": {"name": "made-up"}},
        golden={"tolerance": 1e-9, "queries": queries},
    )
    return write_budget_bundle(folder, bundle)


def promote_budget(lake: Lake, folder: Path, intercept: float = 7.0) -> Entry:
    return promote_folder(lake, "budget", write_budget(folder, intercept))
