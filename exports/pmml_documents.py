"""PMML 4.4: a question of the budget model as one MiningModel, whose segments add up.

The segments are a RegressionModel (the linear model and the trend) and one TreeModel for each tree,
its scores multiplied by its weight. `missingValueReplacement` holds the means. The outputs are
`log10_dollars` and `dollars`. PMML's names of fields are ours with `_` for every other character.

Specification: dmg.org/pmml/v4-4.
"""

from __future__ import annotations

import json
import math
import re
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from exports.exported_questions import ExportedQuestion
from marquee.errors import SettingsError
from scoring.arrays import Floats
from scoring.budget.flat_trees import LEAF, FlatTrees

REMEDY = "make setup-exports"
NAMESPACE = "http://www.dmg.org/PMML-4_4"
TARGET, LOG10, DOLLARS = "log10_budget", "log10_dollars", "dollars"
IN_FEATURES, IN_TREND = "year_of_features", "year_of_trend"
"""Derived fields: the year of release, clipped for the features and for the trend."""
Scorer = Callable[[Floats], Floats]


def field_names(inputs: Sequence[str]) -> list[str]:
    """A distinct identifier for each input: letters, digits and `_`."""
    taken = {TARGET, LOG10, DOLLARS, IN_FEATURES, IN_TREND}
    found = []
    for name in inputs:
        stem = re.sub(r"\W", "_", name, flags=re.ASCII).strip("_") or "input"
        field, number = stem, 2
        while field in taken:
            field, number = f"{stem}_{number}", number + 1
        taken.add(field)
        found.append(field)
    return found


def write_question(one: ExportedQuestion, facts: Mapping[str, Any]) -> bytes:
    """The document of one question."""
    fields = field_names(one.inputs)
    document = ET.Element("PMML", version="4.4", xmlns=NAMESPACE)
    header = ET.SubElement(document, "Header", description=_description(facts))
    ET.SubElement(header, "Application", name="Marquee")
    dictionary = ET.SubElement(document, "DataDictionary")
    for field in (*fields, TARGET):
        ET.SubElement(dictionary, "DataField", _continuous(field))
    model = ET.SubElement(
        document, "MiningModel", modelName=one.question, functionName="regression"
    )
    _add_schema(model, fields, one.means)
    _add_outputs(model)
    _add_years(model, one, fields[0])
    segments = ET.SubElement(model, "Segmentation", multipleModelMethod="sum")
    used = [IN_FEATURES, *fields[1:]]
    _add_line(_segment(segments), one, used)
    if one.trees is not None:
        for root, weight in zip(one.trees.root.tolist(), one.trees.weight.tolist(), strict=True):
            _add_tree(_segment(segments), one.trees, root, weight, used)
    text = ET.tostring(document, "unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()


def _description(facts: Mapping[str, Any]) -> str:
    return "; ".join(f"{key}: {value}" for key, value in facts.items() if isinstance(value, str))


def _continuous(name: str) -> dict[str, str]:
    return {"name": name, "optype": "continuous", "dataType": "double"}


def _add_schema(model: ET.Element, fields: Sequence[str], typical: Floats) -> None:
    schema = ET.SubElement(model, "MiningSchema")
    for field, mean in zip(fields, typical.tolist(), strict=True):
        means = {"missingValueReplacement": repr(mean), "missingValueTreatment": "asMean"}
        ET.SubElement(schema, "MiningField", {"name": field} | means)
    ET.SubElement(schema, "MiningField", name=TARGET, usageType="target")


def _add_outputs(model: ET.Element) -> None:
    outputs = ET.SubElement(model, "Output")
    ET.SubElement(outputs, "OutputField", _continuous(LOG10) | {"feature": "predictedValue"})
    dollars = _continuous(DOLLARS) | {"feature": "transformedValue"}
    power = ET.SubElement(ET.SubElement(outputs, "OutputField", dollars), "Apply", function="pow")
    ET.SubElement(power, "Constant", dataType="double").text = "10"
    ET.SubElement(power, "FieldRef", field=LOG10)


def _add_years(model: ET.Element, one: ExportedQuestion, year: str) -> None:
    local = ET.SubElement(model, "LocalTransformations")
    for name, first, last in (
        (IN_FEATURES, one.first_year, one.last_year),
        (IN_TREND, one.trend.first, one.trend.last),
    ):
        least = ET.SubElement(
            ET.SubElement(local, "DerivedField", _continuous(name)), "Apply", function="max"
        )
        most = ET.SubElement(least, "Apply", function="min")
        ET.SubElement(most, "FieldRef", field=year)
        ET.SubElement(most, "Constant", dataType="double").text = str(last)
        ET.SubElement(least, "Constant", dataType="double").text = str(first)


def _segment(segments: ET.Element) -> ET.Element:
    segment = ET.SubElement(segments, "Segment", id=str(len(segments) + 1))
    ET.SubElement(segment, "True")
    return segment


def _add_line(segment: ET.Element, one: ExportedQuestion, used: Sequence[str]) -> None:
    """The linear model, and the trend per_year * (year - centre)."""
    model = ET.SubElement(segment, "RegressionModel", functionName="regression")
    _add_active(model, [*used, IN_TREND])
    trend = one.trend
    intercept = one.intercept - trend.per_year * trend.centre
    table = ET.SubElement(model, "RegressionTable", intercept=repr(float(intercept)))
    pairs = zip([*used, IN_TREND], [*one.coefficients.tolist(), trend.per_year], strict=True)
    for field, coefficient in pairs:
        if coefficient:
            ET.SubElement(
                table, "NumericPredictor", name=field, coefficient=repr(float(coefficient))
            )


def _add_tree(
    segment: ET.Element, trees: FlatTrees, root: int, weight: float, used: Sequence[str]
) -> None:
    model = ET.SubElement(
        segment, "TreeModel", functionName="regression", splitCharacteristic="binarySplit"
    )
    schema = ET.SubElement(model, "MiningSchema")
    reads: dict[str, None] = {}
    waiting = [(model, root, ("", 0.0))]
    while waiting:
        parent, node, (operator, threshold) = waiting.pop()
        element = ET.SubElement(parent, "Node", id=str(node))
        _add_predicate(element, operator, threshold)
        if trees.feature[node] == LEAF:
            element.set("score", repr(float(weight * trees.value[node])))
            continue
        field, split = used[trees.feature[node]], float(trees.threshold[node])
        reads[field] = None
        waiting += [
            (element, int(trees.right[node]), (f"{field} greaterThan", split)),
            (element, int(trees.left[node]), (f"{field} lessOrEqual", split)),
        ]
    for field in reads:
        ET.SubElement(schema, "MiningField", name=field)


def _add_predicate(node: ET.Element, asked: str, threshold: float) -> None:
    if not asked:
        ET.SubElement(node, "True")
        return
    field, operator = asked.split(" ")
    facts = {"field": field, "operator": operator, "value": repr(threshold)}
    ET.SubElement(node, "SimplePredicate", facts)


def _add_active(model: ET.Element, fields: Sequence[str]) -> None:
    schema = ET.SubElement(model, "MiningSchema")
    for field in fields:
        ET.SubElement(schema, "MiningField", name=field)


def load_question(data: bytes, _: Path) -> Scorer:
    """pypmml's answers [R], log10 dollars, for rows [R, F]; SettingsError without pypmml."""
    try:
        from pypmml import Model
    except ImportError:
        raise SettingsError("pypmml is not installed here", REMEDY) from None
    with tempfile.TemporaryDirectory(prefix="marquee-pmml-") as folder:
        path = Path(folder) / "question.pmml"
        path.write_bytes(data)
        model = Model.load(str(path))
    names = list(model.inputNames)

    def score(rows: Floats) -> Floats:
        lines = [[None if math.isnan(v) else v for v in row] for row in rows.tolist()]
        found = json.loads(model.predict(json.dumps({"columns": names, "data": lines})))
        place = found["columns"].index(LOG10)
        return np.array([row[place] for row in found["data"]], dtype=np.float64)

    return score
