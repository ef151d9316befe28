"""The record a promoted model leaves, and what a later one is compared with."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from marquee.prices import PriceIndex
from scoring.budget.bundle import write_bundle
from scoring.budget.holdout import TitleLine, holdout_record
from scoring.budget.holdout_evaluation import evaluate_budget
from scoring.budget.model import BudgetModel, BudgetQuery
from scoring.evaluation_blocks import read_record, write_record
from tests.scoring_budget.handmade_bundle import bundle, known_title
from tests.scoring_budget.titles_folder import row, write

DIRECTORS = 9
"""Of the twenty films held out: six, and three films without one."""


def rows() -> list[dict[str, object]]:
    rng = np.random.default_rng(4)
    people = [[f"nm{i % 6:07d}"] if i % 7 else [] for i in range(60)]
    return [
        row(i, 1985 + i // 3, float(d), directors=people[i], director_names=people[i])
        for i, d in enumerate(10 ** rng.normal(7.2, 0.4, 60))
    ]


@pytest.fixture
def split(tmp_path: Path) -> tuple[Path, Path]:
    return write(tmp_path / "train", rows()[:40]), write(tmp_path / "holdout", rows()[40:])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundle", bundle())


def evaluation(folder: Path, split: tuple[Path, Path], record: Path | None) -> dict[str, object]:
    return evaluate_budget(folder, folder, None, *split, seed=1, record=record)["versus"]["record"]


def read(path: Path) -> list[TitleLine]:
    found, why = read_record(path, TitleLine)
    assert found, why
    return found


def written_record(folder: Path, train: Path, holdout: Path) -> list[TitleLine]:
    """The lines that evaluating the bundle leaves."""
    path = holdout.parent / "own.jsonl"
    evaluate_budget(folder, folder, None, train, holdout, seed=1, own_record=path)
    return read(path)


def test_a_line_a_film_with_its_error(folder: Path, split: tuple[Path, Path]) -> None:
    model, prices = BudgetModel.load(folder), PriceIndex.load(2011)
    found = {line.unit: line for line in written_record(folder, *split)}
    assert len(found) == 20
    for line in rows()[40:]:
        query = BudgetQuery(
            tuple(line["directors"]), tuple(line["genres"]), line["year"], line["rating"]
        )
        actual = line["budget_usd"] * prices.factor(line["year"], 2010)
        ours = found[line["title_id"]]
        assert ours.error == pytest.approx(
            math.log10(actual) - math.log10(model.estimate(query).median)
        )
        before = model.estimate(BudgetQuery(query.directors, query.genres, query.year)).median
        assert ours.error_before_release == pytest.approx(math.log10(actual) - math.log10(before))
        assert ours.cluster == (line["directors"] or [line["title_id"]])[0]
        assert len(ours.holdout) == 12


def test_the_same_model_differs_in_nothing(
    tmp_path: Path, folder: Path, split: tuple[Path, Path]
) -> None:
    path = write_record(tmp_path / "record.jsonl", written_record(folder, *split))
    assert read(path) == written_record(folder, *split)
    found = evaluation(folder, split, path)
    assert len(read(path)) == 20
    assert (found["matched"], found["units"]) == (DIRECTORS, DIRECTORS)
    assert found["log_rmse"]["difference"] == found["log_rmse"]["upper95"] == 0.0
    assert found["log_rmse"]["units"] == "directors"
    json.dumps(found, allow_nan=False)


def test_a_spoilt_model_is_worse_and_a_better_one_better(
    tmp_path: Path, folder: Path, split: tuple[Path, Path]
) -> None:
    ours = written_record(folder, *split)
    for factor, sign in ((0.5, 1), (2.0, -1)):
        theirs = [o.model_copy(update={"error": o.error * factor}) for o in ours]
        found = evaluation(folder, split, write_record(tmp_path / "record.jsonl", theirs))
        assert sign * found["log_rmse"]["difference"] > 0
        assert found["log_rmse"]["lower95"] <= found["log_rmse"]["upper95"]
        assert sign * found["log_rmse"]["lower95"] > 0


BEFORE = "log_rmse_before_release"


def test_the_question_before_release_is_compared_by_itself(
    tmp_path: Path, folder: Path, split: tuple[Path, Path]
) -> None:
    ours = written_record(folder, *split)
    theirs = [
        o.model_copy(update={"error_before_release": (o.error_before_release or 0.0) / 2})
        for o in ours
    ]
    found = evaluation(folder, split, write_record(tmp_path / "record.jsonl", theirs))
    assert found["log_rmse"]["difference"] == 0.0
    assert found[BEFORE]["difference"] == pytest.approx(found[BEFORE]["other"]) != 0.0
    assert found[BEFORE]["lower95"] > 0


def test_an_early_record_without_the_second_error_compares_the_first(
    tmp_path: Path, folder: Path, split: tuple[Path, Path]
) -> None:
    path = tmp_path / "record.jsonl"
    early = (o.model_dump(exclude={"error_before_release"}) for o in written_record(folder, *split))
    path.write_text("".join(f"{json.dumps(line)}\n" for line in early))
    found = evaluation(folder, split, path)
    assert (found["log_rmse"]["difference"], found[BEFORE]) == (0.0, None)


CHANGES = [
    {"budget_usd": 1.23e7},
    {"rating": 9.1},
    {"rating": None},
    {"year": 2005},
    {"genres": ["Comedy"]},
    {"directors": ["nm9999999"]},
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_corrected_film_is_another_film(
    tmp_path: Path, folder: Path, split: tuple[Path, Path], change: dict[str, object]
) -> None:
    path = write_record(tmp_path / "record.jsonl", written_record(folder, *split))
    later = rows()[40:]
    later[2] |= change  # the only film of its director
    corrected = write(tmp_path / "corrected", later)
    found = evaluation(folder, (split[0], corrected), path)
    assert (found["matched"], found["units"]) == (DIRECTORS - 1, DIRECTORS)


def test_a_director_matches_by_any_film_and_counts_once(
    tmp_path: Path, folder: Path, split: tuple[Path, Path]
) -> None:
    """Directors are resampled, so directors are what the gate counts: four films, two of them."""
    ours = written_record(folder, *split)
    theirs = [line for line in ours if line.cluster in ("nm0000001", "nm0000002")]
    assert len(theirs) == 4
    found = evaluation(folder, split, write_record(tmp_path / "record.jsonl", theirs))
    assert (found["matched"], found["units"]) == (2, DIRECTORS)


def test_another_price_year_is_the_same_film() -> None:
    """Dollars of the release year are digested: next year's price table changes none of them."""
    one, other = (known_title("tt1", 2000, value, None) for value in (7.0, 7.1))
    lines = [
        holdout_record([f], {"tt1": 1e7}, np.array([0.1]), np.array([0.2]))[0] for f in (one, other)
    ]
    assert lines[0].holdout == lines[1].holdout


def test_no_film_in_common_compares_nothing(
    tmp_path: Path, folder: Path, split: tuple[Path, Path]
) -> None:
    other = [TitleLine(unit="tt9", holdout="0" * 12, cluster="nm1", error=0.1)]
    path = write_record(tmp_path / "record.jsonl", other)
    assert evaluation(folder, split, path) == {
        "matched": 0,
        "units": DIRECTORS,
        "log_rmse": None,
        "log_rmse_before_release": None,
    }


def test_no_record_is_none(tmp_path: Path, folder: Path, split: tuple[Path, Path]) -> None:
    assert evaluation(folder, split, None) is None
    assert evaluation(folder, split, tmp_path / "nowhere.jsonl") is None


GOOD = {"unit": "tt1", "holdout": "0" * 12, "cluster": "nm1", "error": 0.1}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]\n",
        "1\n",
        "null\n",
        '"text"\n',
        json.dumps(GOOD | {"error": None}),
        json.dumps(GOOD | {"error": float("nan")}),
        json.dumps(GOOD | {"error": "much"}),
        json.dumps(GOOD | {"error": "1"}),
        json.dumps(GOOD | {"error": True}),
        json.dumps(GOOD | {"error_before_release": "1"}),
        json.dumps(GOOD | {"error": 1e200}),
        json.dumps(GOOD).replace("0.1", "1" + 400 * "0"),
        json.dumps(GOOD).replace("0.1", 100_000 * "["),
        json.dumps(GOOD).replace("0.1", 100_000 * '{"a":'),
        json.dumps(GOOD | {"holdout": "0"}),
        json.dumps(GOOD) + "\n\n",
        json.dumps(GOOD | {"unit": 7}),
        json.dumps(GOOD | {"cluster": ""}),
        json.dumps({k: v for k, v in GOOD.items() if k != "holdout"}),
        json.dumps(GOOD) + "\n" + json.dumps(GOOD),
        json.dumps(GOOD) + "\n" + json.dumps(GOOD)[:20],
    ],
)
def test_a_damaged_record_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "record.jsonl"
    path.write_text(text)
    found, why = read_record(path, TitleLine)
    assert found is None
    assert "record.jsonl" in why and len(why) < 200


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    path.write_bytes(b"\xff\xfe\x00")
    found, why = read_record(path, TitleLine)
    assert found is None
    assert "record.jsonl cannot be read" in why


def test_a_line_ends_at_its_end_alone(tmp_path: Path) -> None:
    """Names may hold what Unicode calls a line separator."""
    line = TitleLine(**GOOD | {"cluster": "Jane\u2028Doe\x85"})
    assert read(write_record(tmp_path / "record.jsonl", [line])) == [line]


def test_what_a_later_version_adds_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    path.write_text(json.dumps(GOOD | {"votes": 7}))
    assert read(path) == [TitleLine(**GOOD)]
