"""An export as files: a model file for each question, facts, golden rows.

    export.json    format, model, bundle, units, price year, tolerance, what stays outside; for each
                   question its file, inputs (name, encoding, typical value), outputs and interval
    golden.json    {"rows": [{question, source, inputs, log10_dollars, interval}...]}
    <question>.*   the model files

Of the recommender: `stars.onnx`, and `ids.json` with the ids of people and of titles, ascending. An
id's place there is its row, and row -1 stands for an id that is not there. An export is a zip or a
folder.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from exports.exported_questions import (
    EXPORTER,
    TOLERANCE,
    TRAINING,
    ExportedQuestion,
    ExportedRow,
    exported_questions,
    exported_rows,
    require_golden_answers,
)
from exports.formats import FORMATS, SUBSTITUTES, Format, format_named
from exports.mleap_archives import zip_of
from exports.onnx_graphs import write_stars
from marquee.errors import RecipeError, SourceError
from scoring.any_bundle import bundle_kind
from scoring.arrays import rows_of
from scoring.budget.bundle import BudgetBundle
from scoring.budget.features import DIRECTOR, PLAIN_NUMBERS, FeatureEncoder, column_suffix
from scoring.budget.model import BudgetModel
from scoring.budget.predictor import LEAST_SPREAD, MOST_SPREAD
from scoring.recommender.model import Recommender

VERSION = 1
Files = Mapping[str, bytes]
BUDGET_OUTSIDE = (
    "track records: the features of directors and of others come from their earlier titles",
    "the encoding of a title's fields as inputs, as `encoding` says, rounded to nine decimals",
    "the interval: it needs the missing fields and whether a director has earlier titles",
    "contributions, evidence, notes",
)
ELSEWHERE = "give a name in a folder that can be written"
STARS_TOLERANCE = 1e-6
"""The largest accepted difference of an exported model's answer, in stars."""
STARS_OUTSIDE = (
    "fold-in: people who are known by a few ratings alone",
    "content: scores of titles without ratings",
    "lists (the ranker, popularity), similar titles, intervals of ratings",
)


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
        return _stars_files(model, facts | _bundle_facts(model.bundle.facts))
    return _budget_files(BudgetModel.load(folder), name, facts)


def refuse_taken(out: Path) -> None:
    """Raise SourceError where `out` is there already, or cannot be made."""
    if os.path.lexists(out):
        raise SourceError(f"{out} is there already", "give a new name")
    above = next(folder for folder in out.absolute().parents if os.path.lexists(folder))
    if not above.is_dir():
        raise SourceError(f"{out} cannot be written: {above} is no folder", ELSEWHERE)
    if not os.access(above, os.W_OK):
        raise SourceError(f"{out} cannot be written: nobody lets us write in {above}", ELSEWHERE)


def write_export(files: Files, out: Path) -> Path:
    """Write a zip where the name of `out` ends in .zip, else a folder; SourceError where `out` is
    there already, or cannot be written."""
    refuse_taken(out)
    begun = out.with_name(f".{out.name}.part")  # what is torn must not look like an export
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.suffix.lower() == ".zip":
            begun.write_bytes(zip_of(files))
        else:
            begun.mkdir(exist_ok=True)
            for name, data in files.items():
                (begun / name).write_bytes(data)
        begun.rename(out)
    except OSError as error:
        with suppress(OSError):
            shutil.rmtree(begun) if begun.is_dir() else begun.unlink()
        raise SourceError(f"{out} cannot be written: {error.strerror}", ELSEWHERE) from None
    return out


def _budget_files(model: BudgetModel, name: str, facts: Mapping[str, Any]) -> Files:
    bundle, chosen = model.bundle, FORMATS[name]
    if bundle.encoder.chains or any(p.curves for p in bundle.predictors.values()):
        recipe = bundle.facts.get("recipe", {}).get("name", "")
        raise RecipeError(
            f"the bundle's recipe {recipe} has stages of Spark or a curve, which {name} cannot "
            "carry",
            f"export a bundle of the recipe {SUBSTITUTES}",
        )
    questions = exported_questions(bundle)
    described = [_question_facts(bundle, one, chosen) for one in questions]
    whole = {**facts, **_bundle_facts(bundle.facts), **_units(model.price_year)}
    found = {
        table["file"]: chosen.code.write_question(one, whole | table)
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
    encodings = [_encoding(bundle.encoder, name) for name in one.inputs]
    columns = zip(
        one.inputs, chosen.code.field_names(one.inputs), encodings, one.means.tolist(), strict=True
    )
    keys = ("name", "field", "encoding", "typical")
    predictor = one.predictor
    low, high = predictor.residuals
    return {
        "question": one.question,
        "file": f"{column_suffix(one.question)}{chosen.suffix}",
        "inputs": [dict(zip(keys, column, strict=True)) for column in columns],
        "outputs": ["log10_dollars", "dollars"],
        "interval": {
            "share": 0.8,
            "residuals": [low, high],
            "spread": asdict(predictor.spread),
            "costs": asdict(predictor.costs),
            "formula": "log10_dollars + widening * spread * residuals; spread = level * "
            "clip(exp(by_estimate * (log10_dollars - centre) + by_beginner * is_beginner), "
            f"{LEAST_SPREAD}, {MOST_SPREAD}); widening = sqrt(1 + joint * sum of "
            "max(ratio^2 - 1, 0) over missing fields)",
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


# The recommender's stars


def _stars_files(model: Recommender, facts: Mapping[str, Any]) -> dict[str, bytes]:
    """The files of the export; BundleError where the bundle does not repeat its golden answers."""
    require_golden_answers(model.check_golden())
    whole = {
        **facts,
        "unit": "stars",
        "scale": list(model.bundle.scale),
        "tolerance": STARS_TOLERANCE,
        "outside": STARS_OUTSIDE,
        "file": "stars.onnx",
        "inputs": {
            "user_row": "place of the person's id in `user_ids` of ids.json; -1: not there",
            "title_row": "place of the movie's id in `movie_ids` of ids.json; -1: not there",
        },
        "outputs": ["stars"],
    }
    ids = {"user_ids": model.user_ids.tolist(), "movie_ids": model.movie_ids.tolist()}
    return {
        "export.json": _json(whole),
        "golden.json": _json({"rows": list(_stars_rows(model))}),
        "ids.json": json.dumps(ids).encode(),  # a line: there are many
        "stars.onnx": write_stars(model.bundle, whole),
    }


def _stars_rows(model: Recommender) -> Iterator[dict[str, Any]]:
    """The golden predictions, then pairs with an unknown person, an unknown title, and neither.

    `stars` is the native answer. `recorded` is the training job's, which Spark's ALS gives in
    single precision; the golden check has held it to the bundle's own tolerance.
    """
    golden = model.bundle.golden["predictions"]
    pairs = [(int(q["user_id"]), int(q["movie_id"])) for q in golden]
    user, movie = pairs[0] if pairs else (int(model.user_ids[0]), int(model.movie_ids[0]))
    nobody, nothing = int(model.user_ids[-1]) + 1, int(model.movie_ids[-1]) + 1
    pairs += [(nobody, movie), (user, nothing), (nobody, nothing)]
    users, movies = np.array(pairs, dtype=np.int64).T
    stars = model.predict(users, movies).values.tolist()
    places = rows_of(model.user_ids, users).tolist(), rows_of(model.movie_ids, movies).tolist()
    for number, (pair, answer, *rows) in enumerate(zip(pairs, stars, *places, strict=True)):
        is_golden = number < len(golden)
        recorded = {"recorded": float(golden[number]["value"])} if is_golden else {}
        yield recorded | {
            "source": TRAINING if is_golden else EXPORTER,
            "user_id": pair[0],
            "movie_id": pair[1],
            "user_row": rows[0],
            "title_row": rows[1],
            "stars": answer,
        }
