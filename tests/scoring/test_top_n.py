"""Everybody's top N equals each person's own recommendations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest

from marquee.errors import SourceError
from scoring.recommender.list_blocks import BlockRanker
from scoring.recommender.model import Recommender
from scoring.recommender.rankers import Ranker
from scoring.recommender.top_n import top_lists, write_top_n
from tests.scoring.made_up import make_bundle


def one_by_one(model: Recommender, n: int) -> list[tuple[int, int, int, str]]:
    return [
        (int(user), rank, found.movie_id, found.strategy)
        for user in model.user_ids
        for rank, found in enumerate(model.recommend(int(user), n), 1)
    ]


class OtherRanker:
    """The same scores from a family that scores one person at a time."""

    def __init__(self, ranker: Ranker) -> None:
        self._ranker = ranker

    def __getattr__(self, name: str) -> Any:
        if name == "of_people":
            raise AttributeError(name)
        return getattr(self._ranker, name)


@pytest.fixture(params=["factors", "other"])
def model(request) -> Recommender:
    model = Recommender(make_bundle(people=40, titles=60))
    if request.param == "other":
        model.ranker = OtherRanker(model.ranker)
        model.fallback = replace(model.fallback, ranker=model.ranker)
    assert isinstance(model.ranker, BlockRanker) is (request.param == "factors")
    return model


@pytest.mark.parametrize("n", [1, 10, 35, 60, 100])
def test_the_lists_are_those_of_recommend(model: Recommender, n: int, tmp_path: Path) -> None:
    rows = write_top_n(model, n, tmp_path / "all.parquet", lambda done: None)
    table = pq.read_table(tmp_path / "all.parquet").to_pylist()
    found = [(r["user_id"], r["rank"], r["movie_id"], r["strategy"]) for r in table]
    assert found == one_by_one(model, n)
    assert rows == len(found) > 0


def test_no_list_holds_a_rated_title(model: Recommender) -> None:
    for lists in top_lists(model, 20):
        for user, movies in zip(lists.user_ids, lists.movie_ids):
            assert not set(movies[movies >= 0].tolist()) & set(model.ratings_of(int(user)))


def test_blocks_do_not_matter(model: Recommender) -> None:
    whole = np.concatenate([lists.movie_ids for lists in top_lists(model, 10, block=7)])
    assert np.array_equal(whole, next(top_lists(model, 10, block=1000)).movie_ids)


def test_an_unknown_person_gets_popular_titles(model: Recommender) -> None:
    lists = next(top_lists(model, 5, np.array([10, 999_999])))
    assert lists.movie_ids[1].tolist() == [r.movie_id for r in model.recommend(999_999, 5)]
    assert set(lists.strategies[1]) == {"popular"} and "personal" in lists.strategies[0]


def test_progress_counts_everybody_once(model: Recommender, tmp_path: Path) -> None:
    done: list[int] = []
    write_top_n(model, 3, tmp_path / "all.csv", done.append)
    assert sum(done) == len(model.user_ids)
    table = pc.read_csv(tmp_path / "all.csv").to_pylist()
    assert table[0]["title"] == f"Film {table[0]['movie_id']}"
    assert [p.name for p in tmp_path.iterdir()] == ["all.csv"]


def test_another_ending_is_refused_and_the_old_file_stays(model, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="neither"):
        write_top_n(model, 3, tmp_path / "all.xlsx", lambda done: None)
    old = tmp_path / "all.csv"
    old.write_text("old")

    def stop(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_top_n(model, 3, old, stop)
    assert old.read_text() == "old" and len(list(tmp_path.iterdir())) == 1
