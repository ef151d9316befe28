"""The budget model's bundle as files: training writes the folder, `BudgetModel` reads it.

    bundle.json      recipe, as_of, price_year, the encoder (`stages`, with a recipe's own chain of
                     Spark stages), the trend, and for each question its linear model, curves, the
                     trees' share, the features' means, the residuals and spread of its interval,
                     and the costs of missing fields
    films.jsonl      the titles in training: track records and evidence come from them
    trees_*.npy      the flat arrays of each question that has trees
    golden.json      {"tolerance", "queries": [{directors, genres, year, rating, question, log10}]}

Reading raises BundleError where a file is missing or damaged, or a number is not finite.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from marquee.errors import BundleError, SourceError
from scoring.arrays import Floats
from scoring.budget.features import (
    BEFORE_RELEASE,
    DEFAULT_RECORD_FEATURES,
    NO_COSTS,
    QUESTIONS,
    RECORD_FEATURES,
    BudgetQuery,
    FeatureEncoder,
    FieldCosts,
    KnownTitle,
)
from scoring.budget.flat_trees import REMEDY, load_trees, save_trees
from scoring.budget.predictor import (
    CONSTANT_SPREAD,
    NO_TREND,
    Predictor,
    Trend,
    read_spread,
    read_trend,
)
from scoring.budget.spark_stages import curve_json, read_curve
from scoring.budget.stage_chain import chain_json, read_chain
from scoring.evaluation_blocks import GoldenReport, golden_differences

FORMAT, STAGED_FORMAT = 2, 3
READABLE = (1, 2, 3)
"""Format 1 has no trend; format 3, for recipes that need it, has chains of stages or curves."""


@dataclass(frozen=True)
class BudgetBundle:
    """The contents of a bundle's folder."""

    encoder: FeatureEncoder
    predictors: Mapping[str, Predictor]  # by question
    titles: tuple[KnownTitle, ...]  # the titles in training
    facts: Mapping[str, Any]
    golden: Mapping[str, Any]
    trend: Trend = NO_TREND
    """Added to the answer of every question."""


def write_bundle(folder: Path, bundle: BudgetBundle) -> Path:
    """Write the files into `folder`, which is created if missing."""
    folder.mkdir(parents=True, exist_ok=True)
    questions = {}
    for question, predictor in bundle.predictors.items():
        if predictor.trees:
            save_trees(predictor.trees, folder, _prefix(question))
        questions[question] = _predictor_json(predictor)
    facts = {
        "format": STAGED_FORMAT if _is_staged(bundle) else FORMAT,
        "model": "budget",
        **bundle.facts,
        "stages": _encoder_json(bundle.encoder),
        "trend": None if bundle.trend == NO_TREND else asdict(bundle.trend),
        "questions": questions,
    }
    _write_json(folder / "bundle.json", facts)
    _write_json(folder / "golden.json", bundle.golden)
    lines = (json.dumps(asdict(t), ensure_ascii=False, allow_nan=False) for t in bundle.titles)
    (folder / "films.jsonl").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return folder


def _is_staged(bundle: BudgetBundle) -> bool:
    """Whether an earlier release could not answer from this bundle."""
    return bool(bundle.encoder.chains) or any(p.curves for p in bundle.predictors.values())


def _encoder_json(encoder: FeatureEncoder) -> dict[str, Any]:
    chains = {question: chain_json(chain) for question, chain in encoder.chains.items()}
    return asdict(replace(encoder, chains={})) | ({"chains": chains} if chains else {})


def _predictor_json(predictor: Predictor) -> dict[str, Any]:
    is_constant = predictor.spread == CONSTANT_SPREAD
    return {
        "linear_share": predictor.linear_share,
        "intercept": predictor.intercept,
        "coefficients": predictor.coefficients.tolist(),
        "has_trees": predictor.trees is not None,
        "means": predictor.means.tolist(),
        "residuals": list(predictor.residuals),
        "spread": None if is_constant else asdict(predictor.spread),
        "tree_share": predictor.share_of_trees,
        "costs": asdict(predictor.costs),
        "curves": [[weight, curve_json(curve)] for weight, curve in predictor.curves],
    }


def read_bundle(folder: Path) -> BudgetBundle:
    """Read and check the files; raises BundleError with the file and the fault."""
    facts = _read_json(folder / "bundle.json")
    if facts.get("format") not in READABLE or facts.get("model") != "budget":
        formats = " or ".join(map(str, READABLE))
        raise BundleError(f"{folder} is not a budget bundle of format {formats}", REMEDY)
    try:
        encoder, questions = _encoder(facts["stages"]), facts["questions"]
        bundle = BudgetBundle(
            encoder=encoder,
            predictors={q: _predictor(folder, q, encoder, questions[q]) for q in questions},
            titles=tuple(_titles(folder / "films.jsonl")),
            facts={"price_year": int(facts["price_year"]), **facts},
            golden=_read_json(folder / "golden.json"),
            trend=read_trend(facts.get("trend")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{folder}/bundle.json is not complete: {error!r}", REMEDY) from None
    if BEFORE_RELEASE not in bundle.predictors or not set(bundle.predictors) <= set(QUESTIONS):
        raise BundleError(f"{folder} must answer '{BEFORE_RELEASE}' and nothing unknown", REMEDY)
    if not bundle.titles:
        raise BundleError(f"{folder} knows no film", REMEDY)
    return bundle


def _encoder(table: Mapping[str, Any]) -> FeatureEncoder:
    smoothing = float(table["director_smoothing"])
    if not smoothing > 0:
        raise ValueError("director_smoothing is not positive")
    record = tuple(table.get("record", DEFAULT_RECORD_FEATURES))
    if not set(record) <= set(RECORD_FEATURES):
        raise ValueError(f"unknown features of a record: {', '.join(record)}")
    ranges = table.get("ranges", {})
    return FeatureEncoder(
        genres=tuple(table["genres"]),
        first_year=int(table["first_year"]),
        last_year=int(table["last_year"]),
        director_smoothing=smoothing,
        rating_step=float(table["rating_step"]),
        record=record,
        people=tuple(table.get("people", ())),
        numbers=tuple(table.get("numbers", ())),
        labels={column: tuple(words) for column, words in table.get("labels", {}).items()},
        ranges={name: (float(low), float(high)) for name, (low, high) in ranges.items()},
        chains={q: read_chain(chain) for q, chain in table.get("chains", {}).items()},
    )


def _predictor(
    folder: Path, question: str, encoder: FeatureEncoder, table: Mapping[str, Any]
) -> Predictor:
    width = len(encoder.names(question))
    trees = load_trees(folder, _prefix(question), width) if table["has_trees"] else None
    low, high = (float(x) for x in table["residuals"])
    predictor = Predictor(
        linear_share=float(table["linear_share"]),
        intercept=float(table["intercept"]),
        coefficients=np.asarray(table["coefficients"], dtype=np.float64),
        trees=trees,
        means=np.asarray(table["means"], dtype=np.float64),
        residuals=(low, high),
        spread=read_spread(table.get("spread")),
        tree_share=float(table.get("tree_share", 1.0 - float(table["linear_share"]))),
        costs=_costs(table.get("costs")),
        curves=tuple((float(w), read_curve(curve, width)) for w, curve in table.get("curves", ())),
    )
    _check_predictor(question, predictor, width)
    return predictor


def _costs(table: Mapping[str, Any] | None) -> FieldCosts:
    """The costs of missing fields; none in a bundle of an earlier release."""
    if table is None:
        return NO_COSTS
    costs = FieldCosts({k: float(v) for k, v in table["ratios"].items()}, float(table["joint"]))
    numbers = np.array([*costs.ratios.values(), costs.joint])
    if not np.isfinite(numbers).all() or numbers.min() <= 0:
        raise ValueError("the cost of a missing field is not a positive number")
    return costs


def _check_predictor(question: str, predictor: Predictor, width: int) -> None:
    """Raise ValueError where the numbers of a question do not fit or are not finite."""
    shares = [predictor.intercept, predictor.linear_share, predictor.share_of_trees]
    numbers = np.concatenate([predictor.coefficients, predictor.means, shares])
    low, high = predictor.residuals
    if len(predictor.coefficients) != width or len(predictor.means) != width:
        raise ValueError(f"'{question}' has not {width} coefficients and means")
    if not np.isfinite(numbers).all() or not low <= 0 <= high or not np.isfinite(high - low):
        raise ValueError(f"'{question}' holds a number that cannot be")
    is_linear = predictor.linear_share == 1.0 and predictor.share_of_trees == 0.0
    if predictor.trees is None and not (is_linear or predictor.curves):
        raise ValueError(f"'{question}' has no trees for their share of {predictor.share_of_trees}")


def _titles(path: Path) -> Iterable[KnownTitle]:
    for line in _read_text(path).splitlines():
        record = json.loads(line)
        lists = {k: tuple(record[k]) for k in ("directors", "director_names", "genres")}
        people = {role: tuple(names) for role, names in record.get("people", {}).items()}
        title = KnownTitle(**(record | lists | {"people": people}))
        if not np.isfinite(title.log_budget) or not np.isfinite(title.above_time or 0.0):
            raise ValueError(f"{title.title_id} has a budget that is not finite")
        yield title


def check_golden(
    golden: Mapping[str, Any],
    answer: Callable[[Sequence[BudgetQuery]], Floats],
    question: Callable[[BudgetQuery], str],
) -> GoldenReport:
    """Compare answers with the recorded ones; raises BundleError where `golden` is not complete."""
    try:
        queries = [(q, golden_query(q)) for q in golden["queries"]]
        tolerance = float(golden["tolerance"])
        recorded = np.array([float(q["log10"]) for q, _ in queries])
    except (KeyError, TypeError, ValueError, AttributeError, SourceError) as error:
        raise BundleError(f"golden.json is not complete: {error!r}", REMEDY) from None
    differences = golden_differences(answer([query for _, query in queries]), recorded)
    wrong = [
        f"query {i}: {query}"
        for i, (table, query) in enumerate(queries)
        if not differences[i] <= tolerance or table.get("question") != question(query)
    ]
    return GoldenReport(len(queries), tuple(wrong), float(max(differences, default=0.0)))


def golden_query(table: Mapping[str, Any]) -> BudgetQuery:
    """The query of one line of `golden.json`."""
    return BudgetQuery(
        tuple(table["directors"]),
        tuple(table["genres"]),
        int(table["year"]),
        table["rating"],
        {role: tuple(names) for role, names in table.get("people", {}).items()},
        dict(table.get("numbers", {})),
        dict(table.get("labels", {})),
    )


def _prefix(question: str) -> str:
    return f"trees_{question.replace(' ', '_')}"


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False), "utf-8")


def _read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(f"cannot read {path}: {error}", REMEDY) from None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(_read_text(path))
    except ValueError as error:
        raise BundleError(f"{path} is not JSON: {error}", REMEDY) from None
    if not isinstance(value, dict):
        raise BundleError(f"{path} holds no object", REMEDY)
    return value
