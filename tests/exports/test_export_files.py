"""Exports as files: what they say of themselves, what is refused, and how damage is named."""

from __future__ import annotations

import errno
import json
import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from cli.stack_commands import bring_up
from exports import formats
from exports.export_files import exported, write_export
from exports.formats import FORMATS, check_exports, check_formats, refusal
from exports.golden_replay import read_export, replay
from local_stack.stack import Stack
from marquee.errors import BundleError, MarqueeError, RecipeError, SettingsError, SourceError
from marquee.settings import load_settings
from scoring.budget.bundle import write_bundle
from scoring.budget.spark_stages import Linked
from tests.exports.exported_bundle import made_up, written
from tests.serving.serving_bundles import write_recommender

NO_JARS = Path("nowhere")
RECIPES = {str(table["name"]): table for table in load_settings().recipes.budget}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("made") / "bundle", made_up(trees=6))


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_an_export_explains_itself(bundle: Path, name: str) -> None:
    files = exported(bundle, name)
    facts, golden = json.loads(files["export.json"]), json.loads(files["golden.json"])
    assert facts["format"] == name and facts["price_year"] == 2025 and facts["tolerance"] == 1e-9
    assert "US dollars of 2025" in facts["unit"]
    assert any("track records" in one for one in facts["outside"])
    for table in facts["questions"]:
        own = [row for row in golden["rows"] if row["question"] == table["question"]]
        assert {row["source"] for row in own} == {"training", "export"}
        names = [one["name"] for one in table["inputs"]]
        assert all(list(row["inputs"]) == names for row in own)
        assert len({one["field"] for one in table["inputs"]}) == len(names)
        assert all(one["encoding"] for one in table["inputs"])
        assert table["interval"]["residuals"] == [-0.4, 0.5]
        assert files[table["file"]]
        missing = [row for row in own if None in row["inputs"].values()]
        assert len(missing) >= len(names)


def test_a_folder_and_a_zip_hold_the_same(bundle: Path, tmp_path: Path) -> None:
    files = exported(bundle, "onnx")
    one, other = write_export(files, tmp_path / "a.zip"), write_export(files, tmp_path / "a")
    assert read_export(one) == read_export(other) == files
    with pytest.raises(SourceError, match="is there already"):
        write_export(files, one)


def test_a_check_passes_and_finds_a_changed_answer(bundle: Path, tmp_path: Path) -> None:
    files = dict(exported(bundle, "onnx"))
    found = replay(write_export(files, tmp_path / "a"), NO_JARS)
    assert found.passed and len(found.files) == 4
    assert all(one.rows > 30 and one.worst < 1e-12 for one in found.files)
    golden = json.loads(files["golden.json"])
    golden["rows"][0]["log10_dollars"] += 1e-8
    files["golden.json"] = json.dumps(golden).encode()
    found = replay(write_export(files, tmp_path / "b"), NO_JARS)
    assert [one.passed for one in found.files].count(False) == 1 and not found.passed


@pytest.mark.parametrize(
    "damage",
    [
        "no export.json",
        "no model file",
        "torn model",
        "no rows",
        "no inputs",
        "version",
        "not json",
    ],
)
def test_damage_is_named(bundle: Path, tmp_path: Path, damage: str) -> None:
    files = dict(exported(bundle, "onnx"))
    facts, golden = json.loads(files["export.json"]), json.loads(files["golden.json"])
    model = facts["questions"][0]["file"]
    if damage == "no export.json":
        del files["export.json"]
    elif damage == "no model file":
        del files[model]
    elif damage == "torn model":
        files[model] = files[model][: len(files[model]) // 2]
    elif damage == "no rows":
        files["golden.json"] = b"{}"
    elif damage == "no inputs":
        del golden["rows"][0]["inputs"]["year"]
        files["golden.json"] = json.dumps(golden).encode()
    elif damage == "version":
        files["export.json"] = json.dumps(facts | {"export": 99}).encode()
    else:
        files["export.json"] = b"\xff{"
    with pytest.raises(SourceError, match=re.escape(str(tmp_path / "a"))):
        replay(write_export(files, tmp_path / "a"), NO_JARS)


@pytest.mark.parametrize("change", ["dollars", "tolerance"])
def test_a_check_holds_every_form_of_an_answer_against_our_own_tolerance(
    bundle: Path, tmp_path: Path, change: str
) -> None:
    files = dict(exported(bundle, "onnx"))
    facts, golden = json.loads(files["export.json"]), json.loads(files["golden.json"])
    if change == "dollars":
        golden["rows"][0]["dollars"] *= 2
    else:
        golden["rows"][0]["log10_dollars"] = 99.0
        facts["tolerance"] = 9e9
    files |= {"golden.json": json.dumps(golden).encode(), "export.json": json.dumps(facts).encode()}
    found = replay(write_export(files, tmp_path / "a"), NO_JARS)
    assert not found.passed and found.tolerance == 1e-9


def test_a_row_that_no_model_answers_is_named(bundle: Path, tmp_path: Path) -> None:
    files = dict(exported(bundle, "onnx"))
    golden = json.loads(files["golden.json"])
    golden["rows"][0]["question"] = "of the stars"
    files["golden.json"] = json.dumps(golden).encode()
    with pytest.raises(SourceError, match="'of the stars'"):
        replay(write_export(files, tmp_path / "a"), NO_JARS)


def test_a_changed_or_cut_zip_is_named_wherever_it_is_hurt(bundle: Path, tmp_path: Path) -> None:
    whole = write_export(exported(bundle, "onnx"), tmp_path / "a.zip").read_bytes()
    hurt = tmp_path / "hurt.zip"
    for place in range(0, len(whole), max(1, len(whole) // 60)):
        hurt.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        with suppress(MarqueeError):  # a byte of a date, for example, hurts nothing
            replay(hurt, NO_JARS)
        hurt.write_bytes(whole[:place])
        with pytest.raises(SourceError):
            replay(hurt, NO_JARS)


@pytest.mark.parametrize("kind", ["nothing", "text", "empty"])
def test_what_is_no_export(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    if kind == "text":
        path.write_text("hello")
    elif kind == "empty":
        path.mkdir()
    with pytest.raises(SourceError):
        replay(path, NO_JARS)


def test_without_rows_nothing_passes(bundle: Path, tmp_path: Path) -> None:
    files = dict(exported(bundle, "onnx")) | {"golden.json": b'{"rows": []}'}
    with pytest.raises(SourceError):
        replay(write_export(files, tmp_path / "a"), NO_JARS)


def test_mleap_without_its_jars_says_how_to_get_them(bundle: Path, tmp_path: Path) -> None:
    path = write_export(exported(bundle, "mleap"), tmp_path / "a")
    with pytest.raises(SettingsError, match="make setup-exports"):
        replay(path, tmp_path)


def test_stars_name_their_ids(tmp_path: Path) -> None:
    folder = write_recommender(tmp_path / "bundle")
    files = exported(folder, "onnx")
    ids, golden = json.loads(files["ids.json"]), json.loads(files["golden.json"])["rows"]
    assert {row["source"] for row in golden} == {"training", "export"}
    for row in golden:
        for place, listed, name in (
            ("user_row", "user_ids", "user_id"),
            ("title_row", "movie_ids", "movie_id"),
        ):
            assert row[place] == -1 or ids[listed][row[place]] == row[name]
    assert {(-1, -1)} < {(row["user_row"], row["title_row"]) for row in golden}
    found = replay(write_export(files, tmp_path / "a.zip"), NO_JARS)
    assert found.passed and found.tolerance == 1e-6 and found.files[0].rows > 15
    with pytest.raises(RecipeError, match="give one of: onnx"):
        exported(folder, "pmml")


def test_a_bundle_that_does_not_repeat_its_training_is_not_exported(tmp_path: Path) -> None:
    folder = written(tmp_path / "bundle", made_up(trees=2))
    golden = json.loads((folder / "golden.json").read_text())
    golden["queries"][0]["log10"] += 0.1
    (folder / "golden.json").write_text(json.dumps(golden))
    with pytest.raises(BundleError, match="does not repeat"):
        exported(folder, "pmml")


# What no format carries


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_recipes_of_the_settings(name: str) -> None:
    carried = name in ("forest-trend", "gbt-trend", "linear")
    why = refusal(RECIPES[name], ["onnx", "pmml"])
    assert (why is None) == carried
    assert refusal(RECIPES[name], []) is None
    if why is not None:
        assert why.message.startswith(f"recipe {name} has ")
        assert why.message.endswith("onnx and pmml cannot carry") and "forest-trend" in why.remedy


def test_a_curve_is_refused_with_a_substitute(tmp_path: Path) -> None:
    bundle = made_up(trees=0)
    predictors = dict(bundle.predictors)
    for question, one in predictors.items():
        predictors[question] = replace(one, curves=((1.0, Linked(0 * one.means, 1.0, "log")),))
    folder = write_bundle(tmp_path / "bundle", replace(bundle, predictors=predictors))
    with pytest.raises(RecipeError, match="gbt-trend"):
        exported(folder, "onnx")


def test_formats_are_known_and_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    check_formats(list(FORMATS))
    with pytest.raises(SettingsError, match="there is no format 'pfa'"):
        check_formats(["pfa"])
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    check_formats(["pmml", "mleap"])
    with pytest.raises(MarqueeError, match="make setup-exports"):
        check_formats(["onnx"])


def test_up_refuses_an_unknown_format_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MARQUEE_EXPORTS__FORMATS", '["pfa"]')
    monkeypatch.setattr(Stack, "up", lambda _: pytest.fail("it starts"))
    with pytest.raises(SettingsError, match="there is no format 'pfa'"):
        bring_up(Stack(load_settings("local")))


def test_the_doctor_asks_for_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(check_exports(load_settings("local"))) == []
    for named, passed, said in (
        ('["foo"]', False, "there is no format 'foo'"),
        ('["pmml", "mleap"]', True, "pmml, mleap"),
    ):
        monkeypatch.setenv("MARQUEE_EXPORTS__FORMATS", named)
        (found,) = check_exports(load_settings("local"))
        assert found.passed is passed and said in str(found)


def test_names_of_pmml_fields_are_distinct() -> None:
    from exports.pmml_documents import field_names

    given = ["genre Sci-Fi", "genre Sci_Fi", "genre_Sci_Fi", "dollars", "é", "année 2"]
    found = field_names(given)
    assert len(set(found)) == len(given) and "dollars" not in found
    assert all(re.fullmatch(r"[A-Za-z0-9_]+", name) for name in found)


@pytest.mark.parametrize("name", ["a.zip", "a"])
def test_an_export_that_cannot_be_written_whole_leaves_nothing(
    name: str, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, folder = exported(bundle, "onnx"), tmp_path / "out"

    def full(self: Path, _target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(Path, "rename", full)
        with pytest.raises(SourceError, match="cannot be written: No space left"):
            write_export(files, folder / name)
    assert not list(folder.iterdir())
    assert read_export(write_export(files, folder / name)) == files
