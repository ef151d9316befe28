"""The task export: what it leaves in the lake, and which recipes it takes out before training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exports.golden_replay import replay
from marquee.errors import SettingsError
from marquee.policy import Model
from release.promotion import EXPORT_FILE, bundle_folder, export_folder
from steps.export_champion import export_champion, refuse_recipes
from steps.form import check_form
from steps.run import Run
from tests.exports.exported_bundle import made_up, written
from tests.serving.serving_bundles import write_recommender

BUNDLE = "20260104T030000Z-abcdefabcdef"


def with_formats(run: Run, *names: str) -> Run:
    """The run where the settings name these formats."""
    exports = run.settings.exports.model_copy(update={"formats": names})
    return replace(run, settings=run.settings.model_copy(update={"exports": exports}))


@pytest.fixture
def run(make_run: Callable[..., Run], tmp_path: Path) -> Run:
    """A run whose lake holds a promoted bundle of each model."""
    found = make_run("run-1")
    written(tmp_path / "budget" / "bundle", made_up(trees=3))
    write_recommender(tmp_path / "recommender" / "bundle")
    for model in ("budget", "recommender"):
        found.lake.publish(tmp_path / model, bundle_folder(model, BUNDLE))
    return found


def test_each_model_in_the_formats_that_carry_it(run: Run, tmp_path: Path) -> None:
    run = with_formats(run, "onnx", "pmml", "mleap")
    assert list(export_champion(run, "budget", BUNDLE)) == ["onnx", "pmml", "mleap"]
    assert list(export_champion(run, "recommender", BUNDLE)) == ["onnx"]
    for model in ("budget", "recommender"):
        path = export_folder(model, BUNDLE, "onnx")
        run.lake.fetch(path, tmp_path / f"{model}-export")
        assert replay(tmp_path / f"{model}-export" / EXPORT_FILE, tmp_path).passed


def test_a_retry_finds_the_first_attempts_export(run: Run) -> None:
    run = with_formats(run, "onnx")
    (path,) = export_champion(run, "budget", BUNDLE).values()
    first = run.lake.manifest(path).digest
    export_champion(run, "budget", BUNDLE)
    assert run.lake.manifest(path).digest == first


@pytest.mark.parametrize("model", ["budget", "recommender"])
def test_without_a_format_that_carries_it_nothing_is_written(run: Run, model: Model) -> None:
    names = () if model == "budget" else ("pmml", "mleap")
    assert export_champion(with_formats(run, *names), model, BUNDLE) == {}
    assert run.lake.names(f"serving/{model}") == ["bundles"]


def names_of(recipes: tuple[dict[str, Any], ...]) -> list[str]:
    return [str(one["name"]) for one in recipes]


def test_recipes_that_a_format_cannot_carry_are_no_candidates(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    every = run.settings.recipes.budget
    plain, asked = run.settings, with_formats(run, "onnx").settings
    assert refuse_recipes(plain, "budget", every, None) == every
    kept = refuse_recipes(asked, "budget", every, None)
    # `talk` stands beside the model and is never promoted.
    assert names_of(kept) == ["forest-trend", "gbt-trend", "linear", "talk"]
    said = capsys.readouterr().out
    for name in ("generalized-linear", "survival", "isotonic"):
        assert f"left out: recipe {name} has the family " in said
    assert "train forest-trend, gbt-trend or linear" in said


def test_nothing_is_trained_where_no_recipe_is_left(run: Run) -> None:
    settings = with_formats(run, "pmml").settings
    curves = [one for one in settings.recipes.budget if one["name"] in ("survival", "talk")]
    with pytest.raises(SettingsError, match=r"recipe survival .* pmml cannot carry"):
        refuse_recipes(settings, "budget", curves, None)
    with pytest.raises(SettingsError, match="recipe talk has stages of Spark"):
        refuse_recipes(settings, "budget", curves, "talk")


def test_the_form_refuses_a_recipe_at_the_door(run: Run) -> None:
    settings = with_formats(run, "onnx").settings
    check_form(settings, {"budget_recipe": "gbt-trend"})
    check_form(run.settings, {"budget_recipe": "isotonic"})
    with pytest.raises(SettingsError, match=r"isotonic has the family isotonic.*forest-trend"):
        check_form(settings, {"budget_recipe": "isotonic"})


def test_an_unknown_format_stops_before_training(run: Run) -> None:
    with pytest.raises(SettingsError, match="there is no format 'pfa' — known are pmml"):
        refuse_recipes(with_formats(run, "pfa").settings, "recommender", [], None)
