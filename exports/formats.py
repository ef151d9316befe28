"""The formats, and an export as files: a model file for each question, facts, golden rows.

    export.json    format, model, bundle, units, price year, tolerance, what stays outside; for each
                   question its file, inputs (name, encoding, typical value), outputs and interval
    golden.json    {"rows": [{question, source, inputs, log10_dollars, interval}...]}
    <question>.*   the model files; of the recommender `stars.onnx` and `ids.json`

An export is a zip or a folder. A new format is a module and a line in FORMATS.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from exports import mleap_archives, onnx_graphs, pmml_documents
from exports.exported_questions import (
    TOLERANCE,
    ExportedQuestion,
    ExportedRow,
    exported_questions,
    exported_rows,
)
from exports.mleap_archives import zip_of
from exports.stars_export import stars_files
from marquee.errors import RecipeError, SettingsError, SourceError
from marquee.policy import Model
from scoring.any_bundle import bundle_kind
from scoring.arrays import Floats
from scoring.budget.bundle import BudgetBundle
from scoring.budget.features import DIRECTOR, PLAIN_NUMBERS, FeatureEncoder
from scoring.budget.model import BudgetModel
from scoring.recommender.model import Recommender

VERSION = 1
Files = Mapping[str, bytes]
Scorer = Callable[[Floats], Floats]
CURVES = ("generalized_linear", "aft_survival", "isotonic")
"""Families whose answer is a curve, not a sum of a line and trees."""
BUDGET_OUTSIDE = (
    "track records: the features of directors and of others come from their earlier titles",
    "the encoding of a title's fields as inputs, as each input's `encoding` says",
    "the interval: it needs the missing fields and whether a director has earlier titles",
    "contributions, evidence, notes",
)


@dataclass(frozen=True)
class Format:
    """A format of model files."""

    suffix: str
    engine: str
    """The stock engine that a check asks."""
    write: Callable[[ExportedQuestion, Mapping[str, Any]], bytes]
    load: Callable[[bytes, Path], Scorer]
    """Answers of the engine; the path is the folder of MLeap's jars."""
    fields: Callable[[Sequence[str]], Sequence[str]] = list
    """The names of inputs in the model file."""
    models: tuple[Model, ...] = ("budget",)


FORMATS: dict[str, Format] = {
    "pmml": Format(
        ".pmml",
        "pypmml",
        pmml_documents.write_question,
        lambda data, _: pmml_documents.load_question(data),
        pmml_documents.field_names,
    ),
    "onnx": Format(
        ".onnx",
        "onnxruntime",
        onnx_graphs.write_question,
        lambda data, _: onnx_graphs.load_question(data),
        models=("budget", "recommender"),
    ),
    "mleap": Format(
        ".mleap.zip", "MLeap 0.20", mleap_archives.write_question, mleap_archives.load_question
    ),
}


def format_named(name: str) -> Format:
    """The format; SettingsError where there is none of that name."""
    if name not in FORMATS:
        raise SettingsError(f"there is no format '{name}'", f"known are {', '.join(FORMATS)}")
    return FORMATS[name]


def exported(folder: Path, name: str) -> Files:
    """The files of an export of the bundle in `folder`.

    Raises BundleError for a damaged bundle, RecipeError for one that the format cannot carry.
    """
    chosen, kind = format_named(name), bundle_kind(folder)
    if kind not in chosen.models:
        known = ", ".join(n for n, one in FORMATS.items() if kind in one.models)
        raise RecipeError(f"{name} carries no {kind}", f"give one of: {known}")
    facts = {"export": VERSION, "format": name, "engine": chosen.engine, "model": kind}
    if kind == "recommender":
        model = Recommender.load(folder)
        return stars_files(model, facts | _bundle_facts(model.bundle.facts))
    return _budget_files(BudgetModel.load(folder), name, facts)


def write_export(files: Files, out: Path) -> Path:
    """Write a zip where the name of `out` ends in .zip, else a folder; SourceError where `out` is
    there already, or cannot be written."""
    if out.exists():
        raise SourceError(f"{out} is there already", "give a new name")
    try:
        if out.suffix == ".zip":
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_bytes(zip_of(files))
            return out
        out.mkdir(parents=True)
        for name, data in files.items():
            (out / name).write_bytes(data)
    except OSError as error:
        raise SourceError(f"{out} cannot be written: {error.strerror}", "give another") from None
    return out


def refusal(recipe: Mapping[str, Any], formats: Sequence[str]) -> str:
    """Why one of the formats cannot carry a budget recipe (a table of the settings); empty where
    all can."""
    stages, family = bool(recipe.get("stages")), str(recipe.get("family"))
    if not formats or not (stages or family in CURVES or recipe.get("features")):
        return ""
    what = "stages of Spark" if stages else f"the family {family}"
    if not stages and family not in CURVES:
        what = "features of its own"
    names = " and ".join(formats)
    return f"recipe {recipe.get('name')} has {what}, which an export to {names} cannot carry"


def _budget_files(model: BudgetModel, name: str, facts: Mapping[str, Any]) -> Files:
    bundle, chosen = model.bundle, FORMATS[name]
    if bundle.encoder.chains or any(p.curves for p in bundle.predictors.values()):
        recipe = bundle.facts.get("recipe", {}).get("name", "")
        raise RecipeError(
            f"the bundle's recipe {recipe} has stages of Spark or a curve, which {name} cannot "
            "carry",
            "export a bundle of the recipe forest-trend, gbt-trend or linear",
        )
    questions = exported_questions(bundle)
    described = [_question_facts(bundle, one, chosen) for one in questions]
    whole = {**facts, **_bundle_facts(bundle.facts), **_units(model.price_year)}
    found = {
        table["file"]: chosen.write(one, whole | table)
        for one, table in zip(questions, described, strict=True)
    }
    whole |= {"tolerance": TOLERANCE, "outside": BUDGET_OUTSIDE, "questions": described}
    rows = exported_rows(model, questions)
    by_question = {one.question: one for one in questions}
    golden = [_row_json(row, by_question[row.question].inputs) for row in rows]
    return {"export.json": _json(whole), "golden.json": _json({"rows": golden}), **found}


def _bundle_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    recipe = facts.get("recipe", {})
    return {"as_of": str(facts.get("as_of", "")), "recipe": str(recipe.get("name", ""))}


def _units(price_year: int) -> dict[str, Any]:
    return {
        "price_year": price_year,
        "unit": f"log10_dollars: log10 of US dollars of {price_year}; dollars: these dollars",
    }


def _question_facts(bundle: BudgetBundle, one: ExportedQuestion, chosen: Format) -> dict[str, Any]:
    stem = one.question.replace(",", "").replace(" ", "_")
    encodings = [_encoding(bundle.encoder, name) for name in one.inputs]
    columns = zip(one.inputs, chosen.fields(one.inputs), encodings, one.means.tolist(), strict=True)
    keys = ("name", "field", "encoding", "typical")
    predictor = one.predictor
    low, high = predictor.residuals
    return {
        "question": one.question,
        "file": f"{stem}{chosen.suffix}",
        "inputs": [dict(zip(keys, column, strict=True)) for column in columns],
        "outputs": ["log10_dollars", "dollars"],
        "interval": {
            "share": 0.8,
            "residuals": [low, high],
            "spread": asdict(predictor.spread),
            "costs": asdict(predictor.costs),
            "formula": "log10_dollars + widening * spread * residuals; spread = level * "
            "clip(exp(by_estimate * (log10_dollars - centre) + by_beginner * is_beginner), 0.4, "
            "2.5); widening = sqrt(1 + joint * sum of max(ratio^2 - 1, 0) over missing fields)",
        },
    }


def _encoding(encoder: FeatureEncoder, name: str) -> str:
    """How an input is made from a title's fields."""
    within = encoder.ranges.get(name)
    clipped = f", within {within[0]} and {within[1]}" if within else ""
    role, _, feature = name.rpartition("_")
    if name == "year":
        return "year of release as stated, required; the model itself clips it"
    if name == "genre_count":
        return "number of distinct genres"
    if name == "rating":
        return f"IMDb's rating in steps of {encoder.rating_step}, halves upwards"
    if name in encoder.numbers:
        return f"{'the number' if name in PLAIN_NUMBERS else 'log(1 + number)'}{clipped}"
    if role in (DIRECTOR, *encoder.people) and feature in encoder.record:
        return f"track record '{feature}' of the people of role {role}{clipped}"
    return f"1 where the title has this {name.partition(' ')[0]}, else 0"


def _row_json(row: ExportedRow, inputs: Sequence[str]) -> dict[str, Any]:
    values = [None if np.isnan(value) else value for value in row.values]
    found = {
        "question": row.question,
        "source": row.source,
        "inputs": dict(zip(inputs, values, strict=True)),
        "log10_dollars": row.log10,
        "dollars": 10**row.log10,
    }
    return found | ({"interval_log10": list(row.interval)} if row.interval else {})


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"
