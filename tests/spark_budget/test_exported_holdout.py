"""A model that Spark trained, exported: every holdout row in the stock engines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from exports.export_files import exported, write_export
from exports.exported_questions import TOLERANCE, exported_questions, row_of
from exports.formats import FORMATS
from marquee.lake import Lake
from scoring.budget.holdout import query_of
from scoring.budget.known_titles import read_titles
from scoring.budget.model import BudgetModel
from tests.exports.stock_engines import JARS, engine_answers, replayed
from tests.spark_budget.budget_lake import RUN


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_holdout_row_and_golden_query(
    trained: Lake, model_folder: Path, tmp_path: Path, name: str
) -> None:
    if name == "mleap" and not JARS.is_dir():
        pytest.skip(f"{JARS} is not there: make setup-exports")
    bundle, code = model_folder / "evaluated/bundle", FORMATS[name].code
    model = BudgetModel.load(bundle)
    holdout = Path(trained.root.removeprefix("file://")) / f"runs/{RUN}/split/titles/holdout"
    titles = read_titles(holdout, model.price_year)
    for one in exported_questions(model.bundle):
        with_rating = one.question == "with rating"
        queries = [query_of(title, with_rating) for title in titles]
        queries = [query for query in queries if model.question(query) == one.question]
        rows = np.array([row_of(model, query) for query in queries])
        answers = engine_answers(name, code.write_question(one, {"q": one.question}), rows)
        assert len(queries) > 10
        assert np.abs(answers - model.log_estimates(queries)).max() <= TOLERANCE
    # Spark's own answers, as training recorded them, and the rows that the export adds.
    found = replayed(write_export(exported(bundle, name), tmp_path / "export.zip"))
    golden = len(model.bundle.golden["queries"])
    assert found["passed"] and sum(one["rows"] for one in found["files"]) > golden > 10
