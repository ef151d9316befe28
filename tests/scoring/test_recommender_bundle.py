"""A bundle reads back as it was written, and a broken one is refused with a sentence."""

from __future__ import annotations

import json

import numpy as np
import pytest

from marquee.errors import BundleError
from scoring.recommender.bundle import ARRAYS, RATINGS, read_bundle, write_bundle
from scoring.recommender.model import Recommender
from tests.scoring.made_up import make_bundle, save_bundle

FILES = [f"{n}.npy" for n in ARRAYS] + [f"ratings_{n}.npy" for n in RATINGS]
TEXTS = ["bundle.json", "golden.json", "titles.jsonl"]


def test_written_and_read_are_equal(tmp_path):
    bundle = make_bundle()
    again = read_bundle(write_bundle(tmp_path, bundle))
    for name in ARRAYS:
        assert np.array_equal(getattr(again, name), getattr(bundle, name)), name
    for name in RATINGS:
        assert np.array_equal(getattr(again.ratings, name), getattr(bundle.ratings, name)), name
    assert again.titles == bundle.titles
    assert len(again.titles) == 12


@pytest.mark.parametrize("name", FILES + TEXTS)
def test_a_missing_file_is_refused(tmp_path, name):
    folder = save_bundle(tmp_path)
    (folder / name).unlink()
    with pytest.raises(BundleError, match=name.replace(".", r"\.")):
        Recommender.load(folder)


@pytest.mark.parametrize("name", FILES + TEXTS)
def test_a_torn_file_is_refused(tmp_path, name):
    folder = save_bundle(tmp_path)
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) - 7])
    with pytest.raises(BundleError):
        Recommender.load(folder)


@pytest.mark.parametrize("name", [n for n, kind in ARRAYS.items() if kind is not np.int64])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_never_written_nor_read(tmp_path, name, value):
    bundle = make_bundle()
    array = getattr(bundle, name).copy()
    array.flat[1] = value
    with pytest.raises(BundleError, match=f"{name} holds a value that is not finite"):
        write_bundle(tmp_path / "a", make_bundle(**{name: array}))
    folder = write_bundle(tmp_path / "b", bundle)
    np.save(folder / f"{name}.npy", array)
    with pytest.raises(BundleError, match=f"{name} holds a value that is not finite"):
        Recommender.load(folder)


@pytest.mark.parametrize("name", list(ARRAYS))
def test_another_shape_or_type_is_refused(tmp_path, name):
    folder = save_bundle(tmp_path)
    array = np.load(folder / f"{name}.npy")
    np.save(folder / f"{name}.npy", array[:-1])
    with pytest.raises(BundleError):
        Recommender.load(folder)
    np.save(folder / f"{name}.npy", array.astype(np.float16))
    with pytest.raises(BundleError, match="float16"):
        Recommender.load(folder)


@pytest.mark.parametrize("name", ["user_ids", "movie_ids"])
def test_ids_out_of_order_are_refused(tmp_path, name):
    folder = save_bundle(tmp_path)
    np.save(folder / f"{name}.npy", np.load(folder / f"{name}.npy")[::-1].copy())
    with pytest.raises(BundleError, match=f"{name} does not ascend"):
        Recommender.load(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2},
        {"model": "budget"},
        {"mean": None},
        {"mean": "3.5"},
        {"clip": [5.0, 0.5]},
        {"clip": None},
        {"fold_in": {}},
        {"fold_in": {"predictor": {"family": "other"}, "ranker": {"family": "other"}}},
    ],
)
def test_facts_that_cannot_be_used_are_refused(tmp_path, changes):
    folder = save_bundle(tmp_path)
    facts = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps(facts | changes))
    with pytest.raises(BundleError):
        Recommender.load(folder)


def test_an_index_outside_the_titles_is_refused(tmp_path):
    folder = save_bundle(tmp_path)
    indices = np.load(folder / "ratings_indices.npy")
    indices[0] = 99
    np.save(folder / "ratings_indices.npy", indices)
    with pytest.raises(BundleError, match="outside the titles"):
        Recommender.load(folder)
