"""The holdout record: what is written, what is read back, who is compared with whom."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from scoring.evaluation_blocks import read_record, write_record
from scoring.recommender.holdout import HoldoutSplit
from scoring.recommender.holdout_evaluation import evaluate_recommender
from scoring.recommender.holdout_people import (
    PersonLine,
    compare_with_record,
    holdout_digests,
    holdout_record,
)
from scoring.recommender.model import Recommender
from scoring.recommender.ratings_arrays import Ratings
from tests.scoring.made_up import save_ratings
from tests.scoring.test_holdout_evaluation import HOLDOUT, TRAIN, bundle_of

SPLIT = HoldoutSplit.of(TRAIN, HOLDOUT)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory) -> dict[str, Path]:
    at = tmp_path_factory.mktemp("record")
    return {
        name: bundle_of(at / name, TRAIN, noise, seed)
        for name, noise, seed in (("good", 0.3, 1), ("bad", 1.0, 2))
    }


@pytest.fixture(scope="module")
def lines(bundles) -> dict[str, list[PersonLine]]:
    return {n: holdout_record(SPLIT, SPLIT.score(Recommender.load(f))) for n, f in bundles.items()}


def evaluated(bundle: Path, at: Path, **records: Path | None) -> dict:
    if not (at / "train").exists():
        save_ratings(at / "train", TRAIN)
        save_ratings(at / "holdout", HOLDOUT)
    folders = bundle, bundle, None, at / "train", at / "holdout"
    return evaluate_recommender(*folders, seed=5, **records)


def test_a_line_is_what_the_model_did_on_that_person(bundles, lines):
    model = Recommender.load(bundles["good"])
    assert [line.unit for line in lines["good"]] == sorted(set(HOLDOUT.user_ids.tolist()))
    seen_null = False
    for line in lines["good"]:
        own = HOLDOUT.take(HOLDOUT.user_ids == line.unit)
        stars = model.predict(own.user_ids, own.movie_ids).values
        assert line.rows == len(own)
        assert line.squared_error == pytest.approx(sum((stars - own.values) ** 2))
        liked = set(own.movie_ids[own.values >= 4.0].tolist())
        seen_null |= line.ndcg is None
        assert (line.ndcg is None) == (not liked)
        if liked:
            listed = [r.movie_id for r in model.recommend(line.unit, 10, at=int(own.times.min()))]
            gains = [1 / math.log2(i + 2) for i, m in enumerate(listed) if m in liked]
            ideal = sum(1 / math.log2(i + 2) for i in range(min(10, len(liked))))
            assert line.ndcg == pytest.approx(sum(gains) / ideal)
    assert seen_null and any(line.ndcg for line in lines["good"])


def test_a_digest_is_of_that_persons_rows_alone():
    before = dict(zip(np.unique(HOLDOUT.user_ids).tolist(), holdout_digests(HOLDOUT)))
    assert len(set(before.values())) == len(before) == 50
    shuffled = HOLDOUT.take(np.random.default_rng(1).permutation(len(HOLDOUT)))
    assert holdout_digests(shuffled) == list(before.values())
    person = int(HOLDOUT.user_ids[3])
    for column in ("movie_ids", "values", "times"):
        changed = Ratings(**{n: c.copy() for n, c in vars(HOLDOUT).items()})
        getattr(changed, column)[3] += 1
        after = dict(zip(np.unique(changed.user_ids).tolist(), holdout_digests(changed)))
        assert {u for u in before if before[u] != after[u]} == {person}, column
    fewer = HOLDOUT.take(np.arange(len(HOLDOUT)) != 3)
    assert holdout_digests(fewer) != list(before.values())


def test_what_was_written_is_read_back(lines, tmp_path):
    path = write_record(tmp_path / "record.jsonl", lines["good"])
    assert read_record(path, PersonLine) == (lines["good"], "")
    first = json.loads(path.read_text().splitlines()[0])
    assert list(first) == ["unit", "holdout", "rows", "squared_error", "ndcg@10"]
    path.write_text(json.dumps(first | {"later": 1}) + "\n")
    assert read_record(path, PersonLine)[0] == lines["good"][:1]


def test_equal_people_are_compared_as_the_two_models_would_be(bundles, lines):
    good, bad = (SPLIT.score(Recommender.load(bundles[n])) for n in ("good", "bad"))
    found = compare_with_record(lines["good"], lines["bad"], seed=5)
    assert (found["matched"], found["units"]) == (50, 50)
    rows = (good.values - HOLDOUT.values) ** 2, (bad.values - HOLDOUT.values) ** 2
    ours, theirs = (math.sqrt(float(r.mean())) for r in rows)
    assert found["rmse"]["challenger"] == pytest.approx(ours)
    assert found["rmse"]["other"] == pytest.approx(theirs)
    assert found["rmse"]["upper95"] < 0.0
    liked = [line.ndcg for line in lines["good"] if line.ndcg is not None]
    assert found["ndcg@10"]["challenger"] == pytest.approx(sum(liked) / len(liked))
    assert found["ndcg@10"]["lower95"] > 0.0


def test_people_whose_holdout_changed_are_left_out(lines):
    changed = [
        line.model_copy(update={"holdout": "0" * 12}) if n < 30 else line
        for n, line in enumerate(lines["bad"])
    ]
    gone = changed[:-5]
    found = compare_with_record(lines["good"], gone, seed=5)
    assert (found["matched"], found["units"]) == (15, 50)
    kept = lines["good"][30:-5]
    error = sum(line.squared_error for line in kept) / sum(line.rows for line in kept)
    assert found["rmse"]["challenger"] == pytest.approx(math.sqrt(error))
    nobody = compare_with_record(lines["good"], changed[:30], seed=5)
    assert nobody == {"matched": 0, "units": 50}
    unliked = [line for line in lines["good"] if line.ndcg is None]
    assert "ndcg@10" not in compare_with_record(unliked, unliked, seed=5)


def test_a_model_that_got_worse_under_the_same_recipe_is_seen(bundles, tmp_path):
    """What the gate reads: the champion's record beside the factors spoilt, and mended."""
    own = {name: tmp_path / f"{name}.jsonl" for name in bundles}
    for name, bundle in bundles.items():
        evaluated(bundle, tmp_path, own_record=own[name])
    worse = evaluated(bundles["bad"], tmp_path, record=own["good"])
    better = evaluated(bundles["good"], tmp_path, record=own["bad"])
    same = evaluated(bundles["good"], tmp_path, record=own["good"])
    assert worse["versus"]["record"]["rmse"]["lower95"] > 0.0
    assert worse["versus"]["record"]["ndcg@10"]["upper95"] < 0.0
    assert better["versus"]["record"]["rmse"]["upper95"] < 0.0
    assert same["versus"]["record"]["rmse"]["interval"] == pytest.approx([0.0, 0.0], abs=1e-12)
    assert worse["record_why"] == ""
    assert json.loads(json.dumps(worse, allow_nan=False)) == worse


GOOD = '{"unit": 1, "holdout": "0123456789ab", "rows": 2, "squared_error": 1.5, "ndcg@10": null}'
DAMAGED = {
    "empty": "",
    "torn": GOOD[:40],
    "not an object": "[1, 2]",
    "without a digest": GOOD.replace('"holdout": "0123456789ab", ', ""),
    "not finite": GOOD.replace("1.5", "NaN"),
    "overflows": GOOD.replace("1.5", "1e999"),
    "too large": GOOD.replace("1.5", "1e300"),
    "negative": GOOD.replace("1.5", "-1.5"),
    "no rows": GOOD.replace('"rows": 2', '"rows": 0'),
    "a text for a number": GOOD.replace("1.5", '"1.5"'),
    "no ranking": GOOD.replace(', "ndcg@10": null', ""),
    "a person twice": f"{GOOD}\n{GOOD}",
    "a blank line": f"{GOOD}\n\n",
}


@pytest.mark.parametrize("case", list(DAMAGED))
def test_a_damaged_record_is_none_with_a_reason(bundles, tmp_path, case):
    path = tmp_path / "record.jsonl"
    path.write_text(DAMAGED[case])
    found, why = read_record(path, PersonLine)
    assert found is None
    assert "record.jsonl" in why and "\n" not in why
    evaluation = evaluated(bundles["good"], tmp_path, record=path)
    assert evaluation["versus"]["record"] is None
    assert evaluation["record_why"] == why


def test_bytes_that_are_no_text_and_no_file_at_all(tmp_path):
    (tmp_path / "record.jsonl").write_bytes(b"\xff\xfe\x00")
    assert read_record(tmp_path / "record.jsonl", PersonLine)[0] is None
    (tmp_path / "folder").mkdir()
    assert "cannot be read" in read_record(tmp_path / "folder", PersonLine)[1]
    for path in (None, tmp_path / "nowhere"):
        assert read_record(path, PersonLine) == (None, "the champion left no record of its holdout")
