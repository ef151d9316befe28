"""Shapes that break a training: wide ids, one person with half of all ratings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marquee.host_needs import DataSize, training_bytes
from scoring.recommender import ratings_arrays
from scoring.recommender.model import Recommender
from scoring.recommender.ratings_arrays import Ratings, RatingsMatrix, places_of
from spark_apps.recommender.indexed_ratings import Catalogue, IndexedRatings, read_indexed
from spark_apps.recommender.recipes import read_recipe
from spark_apps.recommender.trainer import Trainer
from spark_apps.train_recommender import refuse_too_large
from tests.plugins.spark_session import spark  # noqa: F401
from tests.scoring.made_up import make_ratings, save_ratings
from tests.spark_recommender.made_up import BAYES

FAR = 2**62
EACH, OTHERS = 30_000, 1_000
EASE = {"family": "ease", "titles": 300, "keep": 50, "reg": 100.0, "stars": {"neutral": 0.4}}
SHORT = BAYES | {"sweeps": 6, "burn_in": 2, "ranker": EASE, "most_teraoperations": 1.0}


def heavy() -> Ratings:
    """Person FAR has 30,000 of 60,000 ratings; title FAR + 1 is rated by everybody."""
    rng = np.random.default_rng(4)
    titles = [np.arange(EACH)] + [
        np.append(0, rng.choice(np.arange(1, EACH), 29, replace=False)) for _ in range(OTHERS)
    ]
    users = np.repeat(np.arange(OTHERS + 1), [len(one) for one in titles])
    stars = rng.integers(1, 11, len(users)) / 2
    times = rng.integers(1_000_000_000, 1_100_000_000, len(users))
    return Ratings(users + FAR, np.concatenate(titles) + FAR + 1, stars, times)


def equal(one: IndexedRatings, other: IndexedRatings) -> bool:
    """Whether all arrays are equal, those of the catalogue too."""
    pairs = [(one.catalogue.user_ids, other.catalogue.user_ids)]
    pairs += [(one.catalogue.movie_ids, other.catalogue.movie_ids)]
    names = ("indptr", "indices", "stars", "levels", "times")
    pairs += [(getattr(one, name), getattr(other, name)) for name in names]
    return all(np.array_equal(a, b) for a, b in pairs)


def wide() -> Ratings:
    rows = make_ratings(50, 40)
    return Ratings(rows.user_ids + FAR, rows.movie_ids + FAR, rows.values, rows.times)


def indexed(rows: Ratings) -> IndexedRatings:
    return IndexedRatings.of(rows, Catalogue.of(rows, {}))


def test_prepared_files_are_read_into_rows_whatever_their_order(tmp_path: Path) -> None:
    rows = wide()
    late = np.random.default_rng(1).random(len(rows)) < 0.3
    for name, chosen in (("train", ~late), ("holdout", late)):
        save_ratings(tmp_path / name, rows.take(chosen))
    folders = tmp_path / "train", tmp_path / "holdout"
    found, place = read_indexed(folders, {})
    turned, other = read_indexed(folders[::-1], {})
    assert len(found) == len(rows) > 500
    assert equal(found, indexed(rows)) and equal(found, turned)
    assert np.array_equal(place, 1 - other) and place.sum() == late.sum() > 100
    assert equal(found.where(place == 0), indexed(rows.take(~late)))
    back = found.by_id()
    order = np.lexsort((rows.movie_ids, rows.user_ids))
    for name, column in vars(rows.take(order)).items():
        assert np.array_equal(getattr(back, name), column), name


def test_narrow_columns_of_files_become_the_same_rows(tmp_path: Path) -> None:
    rows = make_ratings(20, 15)
    save_ratings(tmp_path / "wide", rows)
    kinds = {"user_id": pa.int32(), "movie_id": pa.int32(), "rating": pa.float32()}
    table = pq.read_table(tmp_path / "wide")
    narrow = pa.table({n: table[n].cast(kinds.get(n, pa.int64())) for n in table.column_names})
    (tmp_path / "narrow").mkdir()
    pq.write_table(narrow, tmp_path / "narrow" / "part-0.parquet", row_group_size=7)
    found, _ = read_indexed([tmp_path / "narrow"], {})
    assert equal(found, indexed(rows)) and len(found) > 50
    assert found.catalogue.user_ids.dtype == found.catalogue.movie_ids.dtype == np.int64
    assert (found.levels.dtype, found.stars.dtype) == (np.float64, np.uint8)


def test_a_part_has_its_own_people_titles_and_stars() -> None:
    rows = Ratings(
        *(np.array(c) for c in ([3, 3, 5, 9], [2, 8, 8, 4], [1.0, 2.5, 4.0, 2.5], [7] * 4))
    )
    part = indexed(rows).where(np.array([True, False, False, True]))
    assert part.catalogue.user_ids.tolist() == [3, 9]
    assert part.catalogue.movie_ids.tolist() == [2, 4]
    assert part.levels.tolist() == [1.0, 2.5]
    assert part.values.tolist() == [1.0, 2.5] and part.users.tolist() == [0, 1]
    assert part.moments == (1.75, 0.5625)


@pytest.mark.parametrize("at_once", [1, 100, 10**6])
def test_the_order_of_ratings_does_not_depend_on_the_people_at_once(monkeypatch, at_once) -> None:
    monkeypatch.setattr(ratings_arrays, "RATINGS_AT_ONCE", at_once)
    rows = indexed(wide())
    places = places_of(rows.indptr, rows.times // 3600)
    ages = [(-t, -i) for t, i in zip((rows.times // 3600).tolist(), rows.items.tolist())]
    for person in range(50):
        own = slice(int(rows.indptr[person]), int(rows.indptr[person + 1]))
        assert np.array_equal(
            np.argsort(places[own]), sorted(range(len(ages[own])), key=ages[own].__getitem__)
        )
    matrix = RatingsMatrix(rows.indptr, rows.indices, rows.values.astype(np.float32), places)
    assert matrix.fault(50, 40) == ""
    for wrong in (places + 1, np.zeros_like(places), places[::-1].copy()):
        assert RatingsMatrix(rows.indptr, rows.indices, matrix.values, wrong).fault(50, 40)


def test_one_person_with_half_of_all_ratings_trains(spark, tmp_path: Path) -> None:  # noqa: F811
    rows = heavy()
    assert len(rows) == 60_000
    trainer = Trainer(spark, {}, (0.5, 5.0), "2026-01-04T03:00:00Z", seed=7)
    trainer.fit(rows, read_recipe(SHORT), 1.0, tmp_path)
    model = Recommender.load(tmp_path / "bundle")
    assert model.check_golden().failures == ()
    assert len(model.ratings_of(FAR)) == EACH
    assert model.recommend(FAR + 1, 10)
    answers = model.predict(rows.user_ids[-100:], rows.movie_ids[-100:])
    assert set(answers.strategies) == {"personal"} and np.isfinite(answers.values).all()


def test_a_training_too_large_for_the_machine_is_refused_with_its_bytes() -> None:
    size = DataSize.of(32_000_204, 200_948, 87_585)
    refuse_too_large(size, training_bytes(size))
    with pytest.raises(
        Exception, match=r"training on 32000204 ratings needs about 5\.9 GB"
    ) as error:
        refuse_too_large(size, 2 * 10**9)
    assert "this machine has 2.0" in str(error.value)
