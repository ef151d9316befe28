"""Bad ratings end in a whole model: raw file to bundle, on a folder lake.

What is refused in one clear line is in test_prepare_ratings and the tests of sources; people and
titles of one, and ratings all equal, are in test_train_recommender.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from marquee.identifiers import text_id
from scoring.recommender.model import Recommender
from serving.engines import LoadedRecommender
from sources.ratings_release import load_release
from spark_apps import prepare_ratings, prepare_titles, train_recommender
from tests.plugins.spark_session import spark  # noqa: F401
from tests.spark_recommender.made_up import HEADER, RECIPE, flags, make_lake, ratings_lines

pytestmark = pytest.mark.usefixtures("spark")
SMALL = RECIPE | {
    "rank": 2,
    "iterations": 2,
    "blend": [0.5],
    "ranker": RECIPE["ranker"] | {"rank": 2, "iterations": 2},
}
GOOD = ratings_lines(8, 10)


def named(line: str) -> str:
    """The row with words for ids, as a quoting writer writes them."""
    user, movie, rest = line.split(",", 2)
    return f'"person ""{user}"", a\\b",{title_name(int(movie))},{rest}'


def title_name(movie: int) -> str:
    """IMDb's own id, but for one that needs every quote there is."""
    return '"""Say ""no"", 4\\"""' if movie == 4 else f"tt{movie:07d}"


def moved(line: str, user: int, movie: int) -> str:
    """The row with ids moved beyond 32 bits."""
    one, other, rest = line.split(",", 2)
    return f"{int(one) + user},{int(other) + movie},{rest}"


STRANGE = [
    *GOOD,
    "1,999,4,5",  # a title rated once
    *(f"99,{m},{m % 5 + 1},{m}" for m in range(1, 10_001)),  # a person with 10,000 ratings
    *GOOD,  # every row twice
    *(moved(f"{line}000", 2**40, 2**53) for line in GOOD),  # wide ids; milliseconds
    "1,2,4,4000000000",  # after as-of
    *("1,2,NaN,5", "1,2,inf,5", "1,2,six,5", "1,2,11,5", "x,2,4,5", "1,2,4,9000000000"),
]
TEXT = [named(line) for line in GOOD]
# name -> rows, how many are refused, how many are kept
MODELS: dict[str, tuple[Sequence[str], int, int]] = {
    "one rating": (["1,1,4,1000"], 0, 1),
    "everything strange at once": (STRANGE, 6, 2 * len(GOOD) + 10_001),
}


@pytest.mark.parametrize("case", list(MODELS))
def test_a_model_comes_out_whole(tmp_path: Path, case: str) -> None:
    lines, refused, rows = MODELS[case]
    models = {"recommender": {"recipes": [SMALL], "champion": None}}
    lake = make_lake(tmp_path, lines, models=models)
    assert prepare_ratings.main(flags(lake)) == 0
    kept = lake.manifest("runs/r-1/prepared/ratings")
    assert sum(kept.facts["quarantined"].values()) == refused
    assert train_recommender.main(flags(lake)) == 0
    model = Recommender.load(
        lake.fetch("runs/r-1/models/recommender", tmp_path / "model") / "shipped/bundle"
    )
    assert model.check_golden().failures == ()
    assert len(model.bundle.ratings.values) == kept.rows == rows
    answers = model.predict(model.user_ids, np.resize(model.movie_ids, len(model.user_ids)))
    assert np.isfinite(answers.values).all()
    found = model.recommend(int(model.user_ids[0]), 3)
    assert all(np.isfinite(one.score) for one in found)


def write_old(release: Path) -> None:
    """MovieLens 100K's form, in Latin-1."""
    (release / "u.data").write_text("".join(line.replace(",", "\t") + "\n" for line in GOOD))
    items = (f"{m}|Amélie {m} (1995)|01-Jan-1995||" + "|0" * 19 + "\n" for m in range(1, 11))
    (release / "u.item").write_text("".join(items), "latin-1")


def write_text(release: Path) -> None:
    """Everybody and everything named by words; titles by IMDb's own."""
    rows = "".join(f"{line}\n" for line in TEXT)
    (release / "ratings.csv").write_text(f"{HEADER}\n{rows}")
    items = (f"Drama,{title_name(m)},Amélie {m} (1995)\n" for m in range(1, 11))
    (release / "movies.csv").write_text("genres,movieId,title\n" + "".join(items), "utf-16")


@pytest.mark.parametrize(
    ("write", "third", "title_id"),
    [(write_old, 3, None), (write_text, text_id("tt0000003"), "tt0000003")],
)
def test_a_release_goes_through_the_same_doors_as_in_a_run(
    tmp_path: Path, write: Callable[[Path], None], third: int, title_id: str | None
) -> None:
    (tmp_path / "release").mkdir()
    write(tmp_path / "release")
    lake = make_lake(tmp_path, [], run="r-0")
    path, manifest = load_release(lake, tmp_path / "release", "some")
    kinds = manifest.facts.get("text_ids", [])
    frozen = lake.read_json("runs/r-0/inputs.json") | {"run": "r-1"}
    frozen["models"]["recommender"]["recipes"] = [SMALL]
    frozen["ratings"] |= {"path": path, "text_ids": kinds}
    lake.create_json("runs/r-1/inputs.json", frozen)
    for job in (prepare_titles, prepare_ratings, train_recommender):
        assert job.main(flags(lake)) == 0
    assert lake.manifest("runs/r-1/prepared/ratings").rows == manifest.rows == len(GOOD)
    folder = lake.fetch("runs/r-1/models/recommender", tmp_path / "model")
    model = Recommender.load(folder / "shipped" / "bundle")
    title = model.titles[third]
    assert (title.title, title.year, title.title_id) == ("Amélie 3", 1995, title_id)
    # The bundle says how the release writes its ids, so that the API is asked by them.
    assert (title.name, model.bundle.facts["text_ids"]) == (title_id, list(kinds))
    loaded = LoadedRecommender.of(model)
    assert loaded.title_ids.number(title_id or "3") == third
    assert (loaded.user_ids.number("nobody heard of") is None) == (write is write_old)
    assert len(model.movie_ids) == 10
    assert {model.titles[movie].year for movie in model.movie_ids.tolist()} == {1995}
