"""The synthetic world: the same bytes from the same seed, and something in it to learn."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marquee.errors import SourceError
from marquee.lake import DRILL_FAULTS
from replica.__main__ import main as replica
from replica.make_world import make_world
from replica.world_faults import FAULTS

FILES = ("ratings.csv", "movies.csv", "links.csv", "titles.jsonl", "world.json")
TITLE_KEYS = {
    "title_id", "title", "original_title", "type", "year", "release_date", "runtime", "directors",
    "writers", "cast", "genres", "rating", "vote_count", "budget", "gross", "countries",
    "languages", "certificate", "companies", "plot", "keywords",
}  # fmt: skip


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def titles_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "titles.jsonl").read_text("utf-8").splitlines()]


def stars_by_pair(folder: Path) -> dict[tuple[str, str], float]:
    found = rows(folder / "ratings.csv")
    return {(r["userId"], r["movieId"]): float(r["rating"]) for r in found}


def arrays(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Person rows, title rows, stars and times, in the file's order."""
    table = np.array([[float(v) for v in r.values()] for r in rows(folder / "ratings.csv")])
    person = np.unique(table[:, 0], return_inverse=True)[1]
    title = np.unique(table[:, 1], return_inverse=True)[1]
    return person, title, table[:, 2], table[:, 3]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    make_world(folder)
    return folder


def test_same_seed_same_bytes_other_seed_other_world(tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        make_world(tmp_path / name, seed, 60, 40)
    for file in FILES:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
        assert (tmp_path / "a" / file).read_bytes() != (tmp_path / "c" / file).read_bytes()


def test_files_have_movielens_form(world: Path) -> None:
    heads = [(world / f).read_text("utf-8").splitlines()[0] for f in FILES[:3]]
    assert heads == ["userId,movieId,rating,timestamp", "movieId,title,genres",
                     "movieId,imdbId,tmdbId"]  # fmt: skip
    assert all(len(r["imdbId"]) == 7 for r in rows(world / "links.csv"))
    stars = set(stars_by_pair(world).values())
    assert stars == {k / 2 for k in range(1, 11)}
    assert 20_000 < len(rows(world / "ratings.csv")) < 28_000


def test_ratings_are_unique_and_come_after_the_release(world: Path) -> None:
    found = rows(world / "ratings.csv")
    assert len({(r["userId"], r["movieId"]) for r in found}) == len(found) > 0
    links = {r["movieId"]: "tt" + r["imdbId"] for r in rows(world / "links.csv")}
    released = {t["title_id"]: np.datetime64(t["release_date"]) for t in titles_of(world)}
    for r in found:
        assert np.datetime64(int(r["timestamp"]), "s") > released[links[r["movieId"]]]
    last = max(int(r["timestamp"]) for r in found)
    assert np.datetime64("2026-10-24") < np.datetime64(last, "s") < np.datetime64("2026-11-01")


def test_titles_carry_every_key_and_the_awkward_cases(world: Path) -> None:
    titles = titles_of(world)
    assert len(titles) == len({t["title_id"] for t in titles}) == 300
    assert all(set(t) == TITLE_KEYS for t in titles)
    assert {t["type"] for t in titles} == {"movie", "tvSeries", "tvEpisode"}
    movies = [t for t in titles if t["type"] == "movie"]
    assert 0 < sum(t["budget"] is None for t in movies) < 0.2 * len(movies)
    assert not any(t["budget"] for t in titles if t["type"] != "movie")
    assert len({t["budget"]["currency"] for t in movies if t["budget"]}) >= 5
    assert any(len(t["directors"]) == 2 for t in titles)


def test_oracle_is_the_floor_and_bias_stands_above_it(world: Path) -> None:
    person, title, stars, _ = arrays(world)
    oracle = json.loads((world / "world.json").read_text())["oracle"]["rmse"]
    error = stars - stars.mean()
    for column in (title, person) * 3:
        error -= (np.bincount(column, error) / np.bincount(column))[column]
    assert oracle < np.sqrt(np.mean(error**2)) - 0.05, "taste must be worth learning"


def test_tastes_show_in_what_people_choose(world: Path, tmp_path: Path) -> None:
    """Titles chosen together repeat between halves of the people, unless choice is chance."""
    make_world(tmp_path, fault="ruined_ranking")
    assert _agreement(world) > 0.5 > 0.25 > _agreement(tmp_path)


def _agreement(folder: Path) -> float:
    """Correlation, over title pairs, of "seen together" among odd and among even people."""
    person, title, _, _ = arrays(folder)
    seen = np.zeros((person.max() + 1, title.max() + 1))
    seen[person, title] = 1
    # Early people cannot have seen late titles: compare like with like.
    popular = np.argsort(-seen.sum(axis=0))[:100]
    pairs = np.triu_indices(100, 1)
    halves = [np.corrcoef(seen[k::2][:, popular].T)[pairs] for k in (0, 1)]
    return float(np.corrcoef(*halves)[0, 1])


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one small world a fault, and the sound one."""
    folder = tmp_path_factory.mktemp("wrong")
    for fault in (None, *FAULTS):
        make_world(folder / (fault or "sound"), 3, 120, 80, fault=fault)
    return folder


def test_each_fault_says_who_notices_and_is_named_by_its_world(wrong: Path) -> None:
    assert {fault.condition for fault in FAULTS.values()} == {1, 2, 3, 4, 5, 6}
    for name, fault in FAULTS.items():
        assert fault.description
        assert json.loads((wrong / name / "world.json").read_text())["fault"] == name
    assert {n for n, f in FAULTS.items() if f.acts_in == "training"} == {*DRILL_FAULTS}


def test_help_lists_every_fault(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        replica(["make-world", "--help"])
    assert ended.value.code == 0
    output = " ".join(capsys.readouterr().out.split())
    for name, fault in FAULTS.items():
        assert f"{name} {fault.description} ({fault.model}, condition {fault.condition}" in output


def test_the_command_makes_a_wrong_world(wrong: Path, tmp_path: Path) -> None:
    sizes = ["--seed", "3", "--people", "120", "--titles", "80"]
    assert replica(["make-world", "--out", str(tmp_path), *sizes, "--fault", "lost_rows"]) == 0
    for file in FILES:
        assert (tmp_path / file).read_bytes() == (wrong / "lost_rows" / file).read_bytes()


@pytest.mark.parametrize("fault", DRILL_FAULTS)
def test_what_acts_in_training_leaves_the_data_alone(wrong: Path, fault: str) -> None:
    for file in FILES[:-1]:
        assert (wrong / fault / file).read_bytes() == (wrong / "sound" / file).read_bytes()


def test_inflated_and_lost_ratings(wrong: Path) -> None:
    sound = stars_by_pair(wrong / "sound")
    inflated = stars_by_pair(wrong / "inflated_ratings")
    assert inflated == {k: min(5.0, v + 0.5) for k, v in sound.items()}
    lost = stars_by_pair(wrong / "lost_rows")
    assert lost.items() <= sound.items()
    assert 0.94 < len(lost) / len(sound) < 0.975
    people = {person for person, _ in stars_by_pair(wrong / "lost_people")}
    assert len(people) == 115


def test_noisy_ratings_are_stretched_about_the_median(wrong: Path) -> None:
    sound, noisy = (stars_by_pair(wrong / f) for f in ("sound", "noisy_ratings"))
    assert noisy.keys() == sound.keys()
    pairs = sorted(sound)
    stars, stretched = (np.array([rows[p] for p in pairs]) for rows in (sound, noisy))
    far = np.median(stars) + 2.5 * (stars - np.median(stars))
    assert (np.abs(stretched - far.clip(0.5, 5.0)) <= 0.25).all()
    assert stretched.std() > 1.5 * stars.std()


@pytest.mark.parametrize("fault", ["shuffled_titles", "ruined_ranking"])
def test_exchanged_titles_keep_all_sums_and_no_taste(wrong: Path, fault: str) -> None:
    """Nothing but who rated what differs: same people, counts, times and spread of stars."""
    sound, shuffled = arrays(wrong / "sound"), arrays(wrong / fault)
    for column in range(2):
        assert np.array_equal(np.bincount(sound[column]), np.bincount(shuffled[column]))
    assert np.array_equal(sound[3], shuffled[3])
    assert np.array_equal(np.sort(sound[2]), np.sort(shuffled[2]))
    pairs = [set(zip(s[0].tolist(), s[1].tolist(), strict=True)) for s in (sound, shuffled)]
    assert len(pairs[1]) == len(shuffled[0])
    assert len(pairs[0] & pairs[1]) < 0.65 * len(pairs[0]), "half of all cells are full"


def test_shuffled_budgets_keep_each_films_money_and_the_spread_of_costs(wrong: Path) -> None:
    sound, shuffled = (titles_of(wrong / f) for f in ("sound", "shuffled_budgets"))
    pairs = [
        (a["budget"], b["budget"]) for a, b in zip(sound, shuffled, strict=True) if a["budget"]
    ]
    assert len(pairs) > 60
    assert all(a["currency"] == b["currency"] for a, b in pairs)
    logs = np.log10([[a["amount"], b["amount"]] for a, b in pairs])
    assert np.mean(logs[:, 0] != logs[:, 1]) > 0.9
    assert logs.mean(axis=0)[0] == pytest.approx(logs.mean(axis=0)[1], abs=0.01)
    for a, b in zip(sound, shuffled, strict=True):
        assert a | {"budget": None} == b | {"budget": None}


def test_an_impossible_world_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="too small"):
        make_world(tmp_path, 1, 1, 5)
    with pytest.raises(SourceError, match="choose one of"):
        make_world(tmp_path, 1, 10, 10, fault="plague")
    assert not list(tmp_path.iterdir())
