"""A bundle on a user's own file has the weekly evaluation's figures, or a reason; bundle kinds."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marquee.errors import BundleError, SourceError
from marquee.identifiers import text_id
from scoring.any_bundle import bundle_kind, compare_on_file, evaluate_on_file, load_model
from scoring.recommender.holdout import training_ratings
from scoring.recommender.holdout_evaluation import evaluate_recommender
from scoring.recommender.live_record import is_among, live_record
from scoring.recommender.model import Recommender
from scoring.recommender.ratings_arrays import Ratings
from scoring.recommender.ratings_files import read_ratings_file
from tests.scoring.made_up import joined, save_ratings
from tests.scoring.test_holdout_evaluation import HOLDOUT, ROWS, TRAIN, bundle_of


def save_csv(path: Path, ratings: Ratings, times: bool = True) -> Path:
    head = "userId,movieId,rating" + (",timestamp" if times else "")
    columns = [ratings.user_ids, ratings.movie_ids, ratings.values, ratings.times]
    rows = zip(*(c.tolist() for c in columns[: 4 if times else 3]))
    lines = [head, *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Recommender:
    return Recommender.load(bundle_of(tmp_path_factory.mktemp("b") / "one", TRAIN, noise=0.3))


@pytest.fixture(scope="module")
def worse(tmp_path_factory) -> Recommender:
    return Recommender.load(
        bundle_of(tmp_path_factory.mktemp("b") / "two", TRAIN, noise=2.0, seed=2)
    )


def test_the_figures_are_the_weekly_ones(model: Recommender, tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path / "bundle", TRAIN, noise=0.3)
    train, holdout = (
        save_ratings(tmp_path / name, r) for name, r in (("t", TRAIN), ("h", HOLDOUT))
    )
    weekly = evaluate_recommender(bundle, bundle, None, train, holdout, seed=5)
    for path in (save_csv(tmp_path / "h.csv", HOLDOUT), holdout, holdout / "part-0.parquet"):
        found = evaluate_on_file(model, path, seed=5)
        assert found["file"]["used"] == len(HOLDOUT) > 0
        for block in ("metrics", "versus", "baselines", "intervals"):
            assert flat(found[block]) == pytest.approx(flat(weekly[block]), abs=1e-9)


def flat(value, name: str = "") -> dict[str, float]:
    if isinstance(value, dict):
        return {
            k: v for key, inner in value.items() for k, v in flat(inner, f"{name}/{key}").items()
        }
    if isinstance(value, list):
        return flat(dict(enumerate(value)), name)
    return {name: value} if isinstance(value, float | int) else {}


def test_rows_learnt_from_are_left_out_and_counted(model: Recommender, tmp_path: Path) -> None:
    every = evaluate_on_file(model, save_csv(tmp_path / "all.csv", ROWS), seed=5)
    new = evaluate_on_file(model, save_csv(tmp_path / "new.csv", HOLDOUT), seed=5)
    assert every["file"]["learnt"] == len(TRAIN)
    assert every["metrics"]["rmse"] == new["metrics"]["rmse"]
    with pytest.raises(SourceError, match="every one of them was learnt from"):
        evaluate_on_file(model, save_csv(tmp_path / "old.csv", TRAIN), seed=5)


def test_unknown_people_and_titles_are_answered_and_counted(
    model: Recommender, tmp_path: Path
) -> None:
    more = [(999, 1, 4.0, 5), (1, 999, 4.0, 5), (999, 999, 4.0, 5)]
    columns = zip(vars(HOLDOUT).values(), zip(*more))
    strange = Ratings(*(np.concatenate([column, np.array(new)]) for column, new in columns))
    found = evaluate_on_file(model, save_csv(tmp_path / "s.csv", strange), seed=5)
    assert found["metrics"]["answered"] == 1.0
    assert found["file"]["of_unknown_people"] == found["file"]["of_unknown_titles"] == 2


def test_the_better_bundle_wins_and_a_bundle_ties_with_itself(
    model: Recommender, worse: Recommender, tmp_path: Path
) -> None:
    path = save_csv(tmp_path / "h.csv", HOLDOUT, times=False)
    versus = compare_on_file(model, worse, path, seed=5)["versus"]
    assert versus["rmse"]["upper95"] < 0 < versus["ndcg@10"]["lower95"]
    same = compare_on_file(model, model, path, seed=5)["versus"]
    assert same["rmse"]["interval"] == same["ndcg@10"]["interval"] == [0.0, 0.0]


def test_of_repeats_the_latest_stays(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("userId,movieId,rating,timestamp\n1,2,3.0,9\n1,2,5.0,10\n1,2,1.0,8\n")
    ratings, repeats = read_ratings_file(path)
    assert (ratings.values.tolist(), repeats) == ([5.0], 2)


def test_ids_and_columns_of_a_file_are_read_as_a_releases(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_bytes(gzip.compress(b'rating;movie_id;user_id\n3.0;7.0;"ann ""a"""\n4;007;bo\n'))
    ratings, repeats = read_ratings_file(path)
    assert ratings.user_ids.tolist() == [text_id('ann "a"'), text_id("bo")]
    assert (ratings.movie_ids.tolist(), ratings.values.tolist()) == ([7, 7], [3.0, 4.0])
    assert repeats == 0


BAD = {
    "header": "a,b\n1,2\n",
    "letters": "userId,movieId,rating\n1,2,3\nx,2,3\n3,2,3\n",
    "an open quote": 'userId,movieId,rating\n1,2,3\n2,"2,3\n3,2,3\n',
    "nan": "userId,movieId,rating\n1,2,3\n1,3,nan\n",
    "empty cell": "userId,movieId,rating\n1,,3\n",
    "empty": "",
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_clear_error(name: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(BAD[name])
    with pytest.raises(SourceError, match=r"bad\.csv"):
        read_ratings_file(path)
    pq.write_table(
        pa.table({"user_id": ["x"], "movie_id": [1], "rating": [3.0]}), tmp_path / "b.parquet"
    )
    with pytest.raises(SourceError, match="user_id is not a number"):
        read_ratings_file(tmp_path / "b.parquet")


def test_pairs_are_matched_whatever_their_order() -> None:
    shuffled = np.random.default_rng(0).permutation(len(ROWS))
    assert is_among(TRAIN.take(shuffled[shuffled < len(TRAIN)]), ROWS).all()
    assert not is_among(HOLDOUT, TRAIN).any() and not is_among(TRAIN, HOLDOUT).any()


def test_the_rows_a_bundle_has_learnt_from(model: Recommender) -> None:
    learnt = training_ratings(model)
    order = np.lexsort((TRAIN.movie_ids, TRAIN.user_ids))
    assert np.array_equal(learnt.user_ids, TRAIN.user_ids[order])
    assert np.array_equal(learnt.movie_ids, TRAIN.movie_ids[order])
    assert np.array_equal(learnt.values, TRAIN.values[order])


# The live record. The made-up holdout has too few rows for an alarm; a test lowers that bound.


def live(folder: Path, noise: float, newer: Ratings, since: int = 10**10) -> dict:
    moved = Ratings(newer.user_ids, newer.movie_ids, newer.values, newer.times + 10**10)
    every = save_ratings(folder / "ratings", joined(TRAIN, moved))
    return live_record(bundle_of(folder / "bundle", TRAIN, noise), every, since, seed=1)


def test_too_few_newer_ratings_raise_no_alarm(tmp_path: Path) -> None:
    found = live(tmp_path, 3.0, HOLDOUT)
    assert found["rmse"] > found["bias_rmse"]
    assert (found["rows"], found["enough"], found["alarm"]) == (len(HOLDOUT), False, False)


@pytest.mark.parametrize(("noise", "alarm"), [(3.0, True), (0.1, False)])
def test_worse_than_bias_over_enough_rows_is_an_alarm(
    tmp_path: Path, noise: float, alarm: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scoring.recommender.live_record.FEWEST_ROWS", 100)
    found = live(tmp_path, noise, HOLDOUT)
    assert found["enough"] is True and found["alarm"] is alarm
    assert found["versus_bias"]["units"] == "people"


def test_nothing_newer_has_a_reason(tmp_path: Path) -> None:
    found = live(tmp_path, 0.3, HOLDOUT, since=10**12)
    assert (found["rows"], found["alarm"]) == (0, False) and "nothing newer" in found["why"]
    known = live(tmp_path / "again", 0.3, TRAIN)
    assert known["rows"] == 0, "rows it has learnt from are not new"


# Kinds of bundles.


def test_a_bundle_loads_by_the_kind_it_names(tmp_path: Path) -> None:
    folder = bundle_of(tmp_path / "bundle", TRAIN, noise=0.3)
    assert bundle_kind(folder) == "recommender"
    assert isinstance(load_model(folder), Recommender)


def test_another_kind_or_none_is_refused_with_a_sentence(tmp_path: Path) -> None:
    for text in ('{"model": "weather"}', '{"model": ["budget"]}'):
        (tmp_path / "bundle.json").write_text(text)
        with pytest.raises(BundleError, match="is a bundle of"):
            load_model(tmp_path)
    with pytest.raises(BundleError, match="no bundle is of 'weather'"):
        load_model(tmp_path, "weather")
    for text in ("{}", "[1]", "no json"):
        (tmp_path / "bundle.json").write_text(text)
        with pytest.raises(BundleError, match="is not a bundle"):
            bundle_kind(tmp_path)
    with pytest.raises(BundleError, match="is not a bundle"):
        bundle_kind(tmp_path / "nowhere")
