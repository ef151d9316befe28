"""Exported models in their stock engines: onnxruntime, pypmml, MLeap's runtime."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from exports.export_files import exported
from exports.exported_questions import (
    TOLERANCE,
    ExportedQuestion,
    exported_questions,
    exported_rows,
    threshold_rows,
)
from exports.formats import FORMATS
from exports.onnx_graphs import load_stars, write_stars
from local_stack.java_setup import cache_folder
from marquee.settings import load_settings
from scoring.arrays import Floats, rows_of
from scoring.budget.bundle import BudgetBundle
from scoring.budget.features import QUESTIONS
from scoring.budget.model import BudgetModel
from scoring.recommender.model import Recommender
from tests.exports.exported_bundle import TREND, made_up, random_rows, written
from tests.exports.stock_engines import JARS, engine_answers
from tests.scoring.made_up import make_bundle

Answering = Callable[[ExportedQuestion], Callable[[Floats], Floats]]


@pytest.fixture(params=sorted(FORMATS))
def engine(request: pytest.FixtureRequest) -> Answering:
    """Writes a question in a format, and asks the stock engine."""
    if request.param == "mleap" and not JARS.is_dir():
        pytest.skip(f"{JARS} is not there: make setup-exports")
    name, code = request.param, FORMATS[request.param].code

    def written_by(one: ExportedQuestion) -> Callable[[Floats], Floats]:
        return partial(engine_answers, name, code.write_question(one, {"question": "x"}))

    return written_by


def worst(found: Floats, wanted: Floats) -> float:
    """The largest difference; infinite where there is no row or no number."""
    difference = np.abs(found - wanted)
    return float(difference.max()) if len(wanted) and np.isfinite(found).all() else np.inf


@pytest.mark.parametrize("question", QUESTIONS)
def test_any_row_missing_values_and_thresholds(engine: Answering, question: str) -> None:
    """Random rows with gaps, every threshold exactly and the next number after it."""
    one = next(q for q in exported_questions(made_up()) if q.question == question)
    rng, score = np.random.default_rng(4), engine(one)
    rows = random_rows(rng, one.means, 500)
    on_thresholds = threshold_rows(one, rows[0], most=400)
    assert np.isnan(rows[:, 1:]).any() and len(on_thresholds) > 100
    given = np.vstack([rows, on_thresholds])
    assert worst(score(given), one.answers(given)) <= TOLERANCE


def test_a_threshold_is_felt() -> None:
    """The rows on thresholds lie on other sides of their splits, so that the parity means much."""
    one = exported_questions(made_up())[0]
    rows = threshold_rows(one, one.means, most=400)
    answers = one.answers(rows)
    assert (answers[::2] != answers[1::2]).sum() > 10


@pytest.mark.parametrize(
    "bundle",
    [made_up(trees=0), made_up(trees=9, depth=1), made_up(trend=TREND.__class__(0.0, 0.0, 0, 0))],
    ids=["a line alone", "stumps and a lone leaf", "no trend"],
)
def test_plain_models(engine: Answering, bundle: BudgetBundle) -> None:
    one = exported_questions(bundle)[0]
    rows = random_rows(np.random.default_rng(2), one.means, 50)
    assert worst(engine(one)(rows), one.answers(rows)) <= TOLERANCE


def test_the_year_is_clipped_by_the_model(engine: Answering) -> None:
    """Once for the features, once for the trend, which follows ten years further."""
    one = exported_questions(made_up())[1]
    rows = np.repeat(one.means[None, :], 6, axis=0)
    rows[:, 0] = [1874, 1992, 2010, 2015, 2020, 2100]
    answers = engine(one)(rows)
    assert worst(answers, one.answers(rows)) <= TOLERANCE
    assert answers[2] < answers[3] < answers[4] == pytest.approx(answers[5], abs=1e-12)


def test_native_answers_are_the_models_own(tmp_path: Path) -> None:
    """The reference of every parity here, held to what the API answers."""
    model = BudgetModel.load(written(tmp_path / "bundle", made_up()))
    questions = exported_questions(model.bundle)
    rows = exported_rows(model, questions)
    assert {row.question for row in rows if row.source == "training"} == set(QUESTIONS)
    for one in questions:
        own = [row for row in rows if row.question == one.question]
        values = np.array([row.values for row in own])
        assert worst(one.answers(values), np.array([row.log10 for row in own])) <= 1e-12
    golden = [row for row in rows if row.source == "training"]
    assert all(row.interval and row.interval[0] < row.log10 < row.interval[1] for row in golden)


def test_equal_bundles_give_equal_files(tmp_path: Path) -> None:
    folder = written(tmp_path / "bundle", made_up(trees=4))
    for name in FORMATS:
        assert exported(folder, name) == exported(folder, name)


def test_stars_of_every_pair() -> None:
    """Known and unknown people and titles: Gather's last row stands for the unknown."""
    model = Recommender(make_bundle(people=30, titles=40))
    users = np.repeat([*model.user_ids, 7], len(model.movie_ids) + 1)
    movies = np.tile([*model.movie_ids, 4], len(model.user_ids) + 1)
    score = load_stars(write_stars(model.bundle, {}))
    found = score(rows_of(model.user_ids, users), rows_of(model.movie_ids, movies))
    wanted = model.predict(users, movies).values
    assert worst(found, wanted) <= 1e-6
    assert {0.5, 5.0} & set(wanted.tolist())  # the clip counts


def test_mleaps_jars_are_where_the_setup_puts_them() -> None:
    assert cache_folder(load_settings()) / "jars" / "mleap" == JARS
