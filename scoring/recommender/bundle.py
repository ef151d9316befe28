"""The recommender's bundle as files: training writes the folder, `Recommender` reads it.

Reading and writing check the whole bundle. They raise BundleError for a file that is missing or
damaged, an array of another shape or type, ids that do not ascend, and a value that is not finite.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marquee.errors import BundleError
from scoring.arrays import Floats, Ints, Singles, forget_pages
from scoring.recommender.rankers import keeps_order, rank_array_types, rank_arrays_fault
from scoring.recommender.ratings_arrays import History, RatingsMatrix, Scale
from scoring.recommender.timed_titles import TimedTitles

FORMAT = 1
REMEDY = "train it again, or copy the bundle again from the lake"


@dataclass(frozen=True)
class Title:
    """One line of `titles.jsonl`."""

    movie_id: int
    title_id: str | None
    title: str
    year: int | None
    genres: tuple[str, ...]
    name: str | None = None
    """The id in a release that identifies titles by text; else None, also in older bundles."""


@dataclass(frozen=True)
class RecommenderBundle:
    """U people, I titles, K factors of the predictor and L of the ranker.

    Predicted stars = clip(mean + user_bias + item_bias + user_factors . item_factors).
    `fold_in.ranker` in `facts` names the ranker's family, and `fold_in.lately` says how much counts
    what is rated lately. The family decides what `rank_arrays` holds, and L is 0 for a family
    without factors: see `rankers.py`.
    """

    user_ids: Ints
    movie_ids: Ints
    user_bias: Floats
    item_bias: Floats
    user_factors: Singles
    item_factors: Singles
    rank_user_factors: Singles
    rank_item_factors: Singles
    ratings: RatingsMatrix
    popularity: Floats
    titles: Mapping[int, Title]
    facts: Mapping[str, Any]  # bundle.json: mean, clip, fold_in, recipe, as_of, text_ids
    golden: Mapping[str, Any]  # golden.json: the training job's answers
    rank_arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)  # rank_<name>.npy
    content_vectors: Singles | None = None  # [I, C]; None in older bundles
    title_stars: Singles | None = None  # [I, levels], see `rating_intervals.py`; None likewise
    timed: TimedTitles | None = None  # None in bundles without `fold_in.lately`

    @property
    def scale(self) -> Scale:
        """The lowest and the highest stars."""
        low, high = self.facts["clip"]
        return float(low), float(high)

    def forget_pages(self) -> None:
        """Give back the memory of the mapped arrays; answers read what they need again."""
        owners = [vars(one) for one in (self, self.ratings, self.timed) if one is not None]
        for array in (a for owner in (*owners, self.rank_arrays) for a in owner.values()):
            if isinstance(array, np.ndarray):
                forget_pages(array)

    def history(self, user_row: int, at: int | None = None) -> History:
        """What a person rated; row -1 is unknown. `at` is by default the newest rating's moment."""
        if self.timed is None:
            return self.ratings.history(user_row, self.scale)
        last = int(self.timed.last[user_row]) if user_row >= 0 else None
        moment = self.timed.newest if at is None else at
        return self.ratings.history(user_row, self.scale, moment, last)


ARRAYS: dict[str, type[np.generic]] = {
    "user_ids": np.int64,
    "movie_ids": np.int64,
    "user_bias": np.float64,
    "item_bias": np.float64,
    "user_factors": np.float32,
    "item_factors": np.float32,
    "rank_user_factors": np.float32,
    "rank_item_factors": np.float32,
    "popularity": np.float64,
}
RATINGS: dict[str, type[np.generic]] = {
    "indptr": np.int64,
    "indices": np.int32,
    "values": np.float32,
}
PLACES: dict[str, type[np.generic]] = {"places": np.int32}  # where the ranker needs an order
TIMED: dict[str, type[np.generic]] = {  # where bundle.json has `fold_in.lately`
    "titles": np.int32,
    "hours": np.int64,
    "ends": np.int64,
    "last": np.int64,
}
BY_TITLE = {"content_vectors": "content", "title_stars": "intervals"}
"""Arrays of a row for each title, and the facts of `bundle.json` with which a bundle has them."""


def write_bundle(folder: Path, bundle: RecommenderBundle) -> Path:
    """Write the files; raises BundleError, and writes none, where `read_bundle` would."""
    _check(folder, bundle)
    folder.mkdir(parents=True, exist_ok=True)
    for name, kind in ARRAYS.items():
        np.save(folder / f"{name}.npy", np.asarray(getattr(bundle, name), dtype=kind))
    _save(folder, "ratings", bundle.ratings, _ratings_files(bundle.facts))
    if lately_facts(bundle.facts):
        _save(folder, "timed", bundle.timed, TIMED)
    for name, kind in rank_array_types(bundle.facts).items():
        np.save(folder / f"rank_{name}.npy", np.asarray(bundle.rank_arrays[name], dtype=kind))
    for name in _arrays_by_title(bundle.facts):
        np.save(folder / f"{name}.npy", np.asarray(getattr(bundle, name), dtype=np.float32))
    facts = {"format": FORMAT, "model": "recommender", **bundle.facts}
    (folder / "bundle.json").write_text(json.dumps(facts, indent=1, allow_nan=False), "utf-8")
    (folder / "golden.json").write_text(json.dumps(bundle.golden, allow_nan=False), "utf-8")
    (folder / "titles.jsonl").write_text(_title_lines(bundle.titles.values()), "utf-8")
    return folder


def read_bundle(folder: Path) -> RecommenderBundle:
    """Memory-map the arrays and check them; raises BundleError with file and fault."""
    facts = _json(folder / "bundle.json")
    if facts.get("format") != FORMAT or facts.get("model") != "recommender":
        raise BundleError(f"{folder} is not a recommender bundle of format {FORMAT}", REMEDY)
    wanted = ARRAYS | dict.fromkeys(_arrays_by_title(facts), np.float32)
    arrays = {name: _array(folder / f"{name}.npy", kind) for name, kind in wanted.items()}
    ratings = _load(folder, "ratings", _ratings_files(facts))
    kinds = rank_array_types(facts)
    timed = _load(folder, "timed", TIMED) if lately_facts(facts) else None
    bundle = RecommenderBundle(
        **arrays,
        ratings=RatingsMatrix(**ratings),
        titles=_titles(folder / "titles.jsonl"),
        facts=facts,
        golden=_json(folder / "golden.json"),
        rank_arrays={n: _array(folder / f"rank_{n}.npy", kind) for n, kind in kinds.items()},
        timed=TimedTitles(**timed) if timed else None,
    )
    _check(folder, bundle)
    bundle.forget_pages()
    return bundle


def _check(folder: Path, bundle: RecommenderBundle) -> None:
    """Raise BundleError for the first array or fact that does not fit."""
    people, titles = len(bundle.user_ids), len(bundle.movie_ids)
    wanted = {
        "user_bias": (people,),
        "item_bias": (titles,),
        "popularity": (titles,),
        "user_factors": (people, bundle.item_factors.shape[-1]),
        "item_factors": (titles, bundle.item_factors.shape[-1]),
        "rank_user_factors": (people, bundle.rank_item_factors.shape[-1]),
        "rank_item_factors": (titles, bundle.rank_item_factors.shape[-1]),
    }
    for name, shape in wanted.items():
        array = getattr(bundle, name)
        _require(array.shape == shape, folder, f"{name} is {array.shape}, not {shape}")
        _require(bool(np.isfinite(array).all()), folder, f"{name} holds a value that is not finite")
    for name in ("user_ids", "movie_ids"):
        ids = getattr(bundle, name)
        _require(ids.ndim == 1 and len(ids) > 0, folder, f"{name} is empty")
        _require(bool((np.diff(ids) > 0).all()), folder, f"{name} does not ascend")
    fault = bundle.ratings.fault(people, titles)
    _require(not fault, folder, fault)
    bundle.forget_pages()
    if lately_facts(bundle.facts):
        _require(bundle.timed is not None, folder, "what is rated lately is missing")
        fault = bundle.timed.fault(people, titles) if bundle.timed else ""
        _require(not fault, folder, fault)
    _check_facts(folder, bundle.facts)
    _check_ranker(folder, bundle, titles)
    _check_by_title(folder, bundle, titles)


def _check_ranker(folder: Path, bundle: RecommenderBundle, titles: int) -> None:
    """Raise BundleError where an array of the ranker's family is missing or does not fit."""
    ordered = bundle.ratings.places is not None
    _require(ordered or not keeps_order(bundle.facts), folder, "the order of ratings is missing")
    fault = rank_arrays_fault(bundle.facts, bundle.rank_arrays, titles)
    _require(not fault, folder, fault)


def _check_by_title(folder: Path, bundle: RecommenderBundle, titles: int) -> None:
    """Raise BundleError where an array of BY_TITLE lacks a finite row for each title."""
    for name in _arrays_by_title(bundle.facts):
        array = getattr(bundle, name)
        _require(array is not None, folder, f"no {name}")
        fits = array.ndim == 2 and len(array) == titles
        _require(fits, folder, f"{name} is {array.shape}, not a row for each of {titles}")
        finite = bool(np.isfinite(array).all())
        _require(finite, folder, f"{name} holds a value that is not finite")


def lately_facts(facts: Mapping[str, Any]) -> Mapping[str, float] | None:
    """`fold_in.lately` of `bundle.json`: see `fallback.Popularity`; None in older bundles."""
    fold_in = facts.get("fold_in")
    found = fold_in.get("lately") if isinstance(fold_in, Mapping) else None
    return found if isinstance(found, Mapping) else None


def _arrays_by_title(facts: Mapping[str, Any]) -> list[str]:
    return [name for name, fact in BY_TITLE.items() if facts.get(fact) is not None]


def _check_facts(folder: Path, facts: Mapping[str, Any]) -> None:
    clip = facts.get("clip")
    numbers = [facts.get("mean"), *(clip if isinstance(clip, list | tuple) else [None])]
    good = len(numbers) == 3 and all(_is_finite(n) for n in numbers) and numbers[1] < numbers[2]
    _require(good, folder, "bundle.json lacks a finite mean and a clip of [lowest, highest]")


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _require(holds: bool, folder: Path, what: str) -> None:
    if not holds:
        raise BundleError(f"{folder}: {what}", REMEDY)


def _ratings_files(facts: Mapping[str, Any]) -> dict[str, type[np.generic]]:
    return RATINGS | PLACES if keeps_order(facts) else RATINGS


def _save(folder: Path, stem: str, owner: object, kinds: Mapping[str, type[np.generic]]) -> None:
    for name, kind in kinds.items():
        np.save(folder / f"{stem}_{name}.npy", np.asarray(getattr(owner, name), kind))


def _load(folder: Path, stem: str, kinds: Mapping[str, type[np.generic]]) -> dict[str, Any]:
    return {name: _array(folder / f"{stem}_{name}.npy", kind) for name, kind in kinds.items()}


def _array(path: Path, kind: type[np.generic]) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BundleError(f"{path} cannot be read: {error}", REMEDY) from None
    _require(array.dtype == np.dtype(kind), path, f"holds {array.dtype}, not {np.dtype(kind)}")
    return array.view(np.ndarray)  # a slice of a memmap takes five times as long


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(f"{path} cannot be read: {error}", REMEDY) from None
    _require(isinstance(value, dict), path, "is not a JSON object")
    return dict(value)


def _title_lines(titles: Iterable[Title]) -> str:
    rows = sorted(titles, key=lambda t: t.movie_id)
    return "".join(json.dumps(_title_line(t)) + "\n" for t in rows)


def _title_line(title: Title) -> dict[str, Any]:
    line = vars(title) | {"genres": list(title.genres)}
    if title.name is None:  # most releases identify titles by number
        del line["name"]
    return line


def _titles(path: Path) -> dict[int, Title]:
    try:
        rows = [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]
        titles = [
            Title(
                r["movie_id"],
                r["title_id"],
                r["title"],
                r["year"],
                tuple(r["genres"]),
                r.get("name"),
            )
            for r in rows
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{path} cannot be read: {error}", REMEDY) from None
    return {t.movie_id: t for t in titles}
