"""What is looked up equals what its definition says, computed plainly."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scoring.budget.features import (
    ALL_KNOWN,
    DIRECTOR,
    LONGEST_GAP,
    NO_TRACK_RECORD,
    RECORD_FEATURES,
    BudgetQuery,
    FeatureEncoder,
    KnownTitle,
    TrackRecord,
    person_key,
)
from scoring.budget.lookup import NearestTitles, PeopleIndex, VectorLayout
from tests.scoring_budget.handmade_bundle import known_title

GENRES = ("Drama", "Comedy", "Action", "Horror")


@pytest.fixture
def titles() -> list[KnownTitle]:
    """Many titles that are alike, so that ties occur."""
    rng = np.random.default_rng(3)
    return [
        known_title(
            f"tt{number:07d}",
            int(rng.integers(1990, 2000)),
            7.0,
            None if number % 9 == 0 else float(rng.normal()),
            directors=tuple(f"nm{n}" for n in rng.integers(0, 12, rng.integers(0, 3))),
            genres=tuple(rng.choice(GENRES, rng.integers(0, 3), replace=False)),
            rating=None if number % 7 == 0 else float(rng.integers(4, 9)),
        )
        for number in range(300)
    ]


def plain_distance(title: KnownTitle, query: BudgetQuery, directors: list[str]) -> float:
    either = set(query.genres) | set(title.genres)
    overlap = len(set(query.genres) & set(title.genres)) / len(either) if either else 0.0
    points = 0.0
    if query.rating is not None and title.rating is not None:
        points = abs(title.rating - query.rating) / 5
    shares = bool(set(directors) & set(title.keys(DIRECTOR)))
    return abs(title.year - query.year) / 30 + points - overlap - shares


@pytest.mark.parametrize("rating", [None, 6.0])
@pytest.mark.parametrize("genres", [(), ("Drama",), ("Drama", "Horror"), ("Opera",)])
def test_the_nearest_titles_are_those_of_the_definition(
    titles: list[KnownTitle], rating: float | None, genres: tuple[str, ...]
) -> None:
    nearest = NearestTitles(titles)
    for directors in ([], ["nm3"], ["nm3", "nm5"], ["nobody"]):
        query = BudgetQuery(tuple(directors), genres, 1994, rating)
        plain = sorted(
            titles,
            key=lambda t: (round(plain_distance(t, query, directors), 9), -t.year, t.title_id),
        )
        found = nearest.of(query, directors)
        assert len(found) == 3
        assert [plain_distance(t, query, directors) for t in found] == pytest.approx(
            [plain_distance(t, query, directors) for t in plain[:3]]
        )


def test_of_equally_near_titles_the_newer_comes_first() -> None:
    years = (1990, 1994, 1992, 1994)
    nearest = NearestTitles([known_title(f"tt{i}", y, 7.0, 0.1) for i, y in enumerate(years)])
    found = nearest.of(BudgetQuery((), ("Drama",), 1993), [])
    assert [t.title_id for t in found] == ["tt1", "tt3", "tt2"]


def test_a_model_of_two_titles_shows_two() -> None:
    nearest = NearestTitles([known_title(f"tt{i}", 1990, 7.0, 0.1) for i in range(2)])
    assert len(nearest.of(BudgetQuery((), (), 1993), [])) == 2


def test_track_records_are_those_of_the_definition(titles: list[KnownTitle]) -> None:
    index, seen = PeopleIndex.of(titles, DIRECTOR), 0
    ordered = sorted(titles, key=lambda t: (t.year, t.title_id))
    for key in index.made:
        for year in range(1989, 2002):
            made = [
                (t.year, t.above_time)
                for t in ordered
                if key in t.keys(DIRECTOR) and t.year < year and t.above_time is not None
            ]
            found = index.record(key, year, 2.0)
            if not made:
                assert found == NO_TRACK_RECORD
                continue
            above, seen = [value for _, value in made], seen + 1
            mean = math.fsum(above) / (len(above) + 2.0)
            gap = min(float(year - made[-1][0]), LONGEST_GAP)
            plain = TrackRecord(mean, above[-1], max(above), len(made), gap)
            assert found == pytest.approx(plain, abs=1e-12)
    assert seen > 100
    assert index.record("nobody", 2000, 2.0) == NO_TRACK_RECORD


@pytest.mark.parametrize("name", ["Ada  Lane", "\tADA lane ", "Áda\u00a0Lane", "Ada\x1fLane"])
def test_a_key_is_the_folded_name(name: str) -> None:
    assert person_key(name) == "ada lane"


LABELS = {"certificate": ("PG", "R"), "country": ("US",)}
ENCODER = FeatureEncoder(
    GENRES, 1990, 2010, 1.0, 0.0, RECORD_FEATURES, ("cast",), ("runtime",), LABELS
)


def test_a_vector_has_every_value_at_its_name() -> None:
    layout = VectorLayout(ENCODER, ALL_KNOWN)
    query = BudgetQuery(
        (), ("Action", "Opera"), 2030, 6.5, {}, {"runtime": 90.0}, {"certificate": "R"}
    )
    found = dict(zip(layout.names, layout.vector(query, {}), strict=True))
    assert len(found) == len(ENCODER.names(ALL_KNOWN)) == len(layout.names)
    assert found["year"] == 2010 and found["runtime"] == 90.0 and found["rating"] == 6.5
    assert (found["certificate PG"], found["certificate R"]) == (0.0, 1.0)
    assert (found["genre Action"], found["genre Drama"], found["genre_count"]) == (1.0, 0.0, 2.0)
    assert math.isnan(found["country US"]) and math.isnan(found["cast_mean"])
    assert found["director_mean"] == 0.0 and found["director_gap"] == LONGEST_GAP
    assert layout.missing(layout.vector(query, {})) == ["cast", "country"]


def test_shares_are_grouped_and_keep_their_sum() -> None:
    layout = VectorLayout(ENCODER, ALL_KNOWN)
    shares = np.arange(1.0, len(layout.names) + 1)
    found = layout.grouped(shares, ("Action", "Action", "Opera"))
    by_name = dict(zip(layout.names, shares, strict=True))
    assert found["genre Action"] == by_name["genre Action"]
    assert found["certificate"] == by_name["certificate PG"] + by_name["certificate R"]
    assert found["director"] == sum(by_name[f"director_{name}"] for name in RECORD_FEATURES)
    assert sum(found.values()) == pytest.approx(shares.sum())
