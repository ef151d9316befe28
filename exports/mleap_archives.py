"""MLeap 0.20: a question of the budget model as the zip that MLeap's runtime loads.

A pipeline of JSON files: an `imputer` for each input, the year clipped by `math_binary`, a
`vector_assembler`, `linear_regression`, `gbt_regression`, and sums. It writes `log10_dollars` and
`dollars`. MLeap's `random_forest_regression` ignores the weights of trees; `gbt_regression` adds
weighted trees, so it holds forests, too. The runtime reads a tree from `tree.json`, one node a
line, in pre-order, although its own writer names that file otherwise.
"""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from exports.exported_questions import ExportedQuestion, nodes_of
from marquee.errors import SettingsError
from scoring.arrays import Floats
from scoring.budget.flat_trees import LEAF, FlatTrees

REMEDY = "make setup-exports"
VERSION = "0.20.0"
UID = "00000000-0000-4000-8000-000000000000"
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The moment of every file in a zip, so that equal models have equal bytes."""
LOG10, DOLLARS = "log10_dollars", "dollars"
Scorer = Callable[[Floats], Floats]


class _Pipeline:
    """Files of a pipeline in the making."""

    def __init__(self) -> None:
        self.files: dict[str, Any] = {}
        self.nodes: list[str] = []

    def add(
        self, op: str, attributes: Mapping[str, Any], inputs: Mapping[str, str], output: str
    ) -> str:
        """Add a node; `inputs` are columns by port. Returns the column that it writes."""
        name = f"{op}_{len(self.nodes)}"
        self.nodes.append(name)
        port = "prediction" if op.endswith("regression") else "output"
        read = [{"name": column, "port": at} for at, column in inputs.items()]
        shape = {"inputs": read, "outputs": [{"name": output, "port": port}]}
        self.files[f"root/{name}.node/node.json"] = {"name": name, "shape": shape}
        self.files[f"root/{name}.node/model.json"] = _model(op, attributes)
        return output

    def math(self, operation: str, output: str, a: str | float, b: str | float) -> str:
        """Add a `math_binary` of columns (str) or constants (float)."""
        attributes = {"operation": {"string": operation}}
        attributes |= {
            name: _double(value)
            for name, value in (("da", a), ("db", b))
            if not isinstance(value, str)
        }
        inputs = {at: v for at, v in (("input_a", a), ("input_b", b)) if isinstance(v, str)}
        return self.add("math_binary", attributes, inputs, output)

    def clipped(self, column: str, low: float, high: float, output: str) -> str:
        """Add a clip of a column to `low` and `high`."""
        return self.math("max", output, self.math("min", f"{output}_most", column, high), low)


def field_names(inputs: Sequence[str]) -> list[str]:
    """The columns of a frame."""
    return list(inputs)


def write_question(one: ExportedQuestion, facts: Mapping[str, Any]) -> bytes:
    """The zip of one question; `facts` are a file of their own, which the runtime ignores."""
    made = _Pipeline()
    columns = [_imputed(made, k, name, mean) for k, (name, mean) in enumerate(_means(one))]
    used = [made.clipped(columns[0], one.first_year, one.last_year, "year of features")]
    vector = made.add(
        "vector_assembler",
        {"input_shapes": {"type": "list", "data_shape": [_SCALAR] * len(one.inputs)}},
        {f"input{k}": column for k, column in enumerate([*used, *columns[1:]])},
        "features",
    )
    answer = made.add("linear_regression", _line(one), {"features": vector}, "linear model")
    if one.trees is not None:
        trees = made.add("gbt_regression", _ensemble(one), {"features": vector}, "trees")
        _add_trees(made.files, f"root/{made.nodes[-1]}.node", one.trees, len(one.inputs))
        answer = made.math("add", "without trend", answer, trees)
    followed = made.clipped(columns[0], one.trend.first, one.trend.last, "year of trend")
    slope = made.math("mul", "slope of trend", followed, one.trend.per_year)
    trend = made.math("add", "trend", slope, -one.trend.per_year * one.trend.centre)
    made.math("pow", DOLLARS, 10.0, made.math("add", LOG10, answer, trend))
    return _zipped(made, one.question, facts)


def _means(one: ExportedQuestion) -> list[tuple[str, float]]:
    return list(zip(one.inputs, one.means.tolist(), strict=True))


def _imputed(made: _Pipeline, place: int, name: str, mean: float) -> str:
    attributes = {
        "surrogate_value": _double(mean),
        "strategy": {"string": "mean"},
        "nullable_input": {"boolean": False},
    }
    return made.add("imputer", attributes, {"input": name}, f"{name} or its mean ({place})")


def _line(one: ExportedQuestion) -> dict[str, Any]:
    shape = {"dimensions": [{"size": len(one.inputs), "name": ""}]}
    values = {"type": "tensor", "double": one.coefficients.tolist(), "shape": shape}
    return {"coefficients": values, "intercept": _double(one.intercept)}


def _ensemble(one: ExportedQuestion) -> dict[str, Any]:
    assert one.trees is not None
    weights = one.trees.weight.tolist()
    return {
        "num_features": {"long": len(one.inputs)},
        "tree_weights": {"type": "list", "double": weights},
        "trees": {"type": "list", "string": [f"tree{k}" for k in range(len(weights))]},
    }


def _add_trees(files: dict[str, Any], folder: str, trees: FlatTrees, features: int) -> None:
    attributes = {"num_features": {"long": features}}
    for number, root in enumerate(trees.root.tolist()):
        model = _model("decision_tree_regression", attributes)
        files[f"{folder}/tree{number}/model.json"] = model
        lines = (json.dumps(_node(trees, node)) for node in nodes_of(trees, root))
        files[f"{folder}/tree{number}/tree.json"] = "".join(f"{line}\n" for line in lines)


def _node(trees: FlatTrees, node: int) -> dict[str, Any]:
    if trees.feature[node] == LEAF:
        return {"type": "leaf", "values": [float(trees.value[node])]}
    feature, threshold = int(trees.feature[node]), float(trees.threshold[node])
    split = {"type": "continuous", "featureIndex": feature, "threshold": threshold}
    return {"type": "internal", "split": split}


def _zipped(made: _Pipeline, name: str, facts: Mapping[str, Any]) -> bytes:
    nodes = {"nodes": {"type": "list", "string": made.nodes}}
    header = {"uid": UID, "name": name, "format": "json", "version": VERSION}
    files = {
        "bundle.json": header | {"timestamp": "1980-01-01T00:00:00Z"},
        "marquee.json": dict(facts),
        "root/node.json": {"name": "budget", "shape": {"inputs": [], "outputs": []}},
        "root/model.json": _model("pipeline", nodes),
    }
    texts = {
        path: content if isinstance(content, str) else json.dumps(content)
        for path, content in (files | made.files).items()
    }
    return zip_of({path: text.encode() for path, text in texts.items()})


def zip_of(files: Mapping[str, bytes]) -> bytes:
    """A zip whose bytes depend on names and contents alone."""
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(zipfile.ZipInfo(path, EPOCH), data, zipfile.ZIP_DEFLATED)
    return found.getvalue()


_SCALAR = {"base": "scalar", "isNullable": False}


def _model(op: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {"op": op, "attributes": attributes}


def _double(value: float) -> dict[str, Any]:
    return {"double": float(value)}


# Reading


def load_question(data: bytes, jars: Path) -> Scorer:
    """The answers [R] of MLeap's runtime, log10 dollars, for rows [R, F].

    `jars` is the folder of the runtime's jars. The virtual machine of this process starts at the
    first call. Raises SettingsError where JPype, a Java or the jars are missing.
    """
    jpype = _virtual_machine(jars)
    java, dsl = jpype.JPackage("java"), jpype.JPackage("ml").combust.mleap.runtime.javadsl
    with tempfile.TemporaryDirectory(prefix="marquee-mleap-") as folder:
        path = Path(folder) / "question.zip"
        path.write_bytes(data)
        context = dsl.ContextBuilder().createMleapContext()
        model = dsl.BundleBuilder().load(java.io.File(str(path)), context).root()
    frames, support = dsl.LeapFrameBuilder(), dsl.LeapFrameSupport()
    kind = frames.createDouble(False)
    fields = [frames.createField(name, kind) for name in _input_names(data)]
    schema, chosen = frames.createSchema(java.util.ArrayList(fields)), java.util.ArrayList([LOG10])

    def score(rows: Floats) -> Floats:
        boxed = ([jpype.JDouble(value) for value in row] for row in rows.tolist())
        lines = [frames.createRowFromIterable(java.util.ArrayList(row)) for row in boxed]
        frame = frames.createFrame(schema, java.util.ArrayList(lines))
        answers = support.select(model.transform(frame).get(), chosen)
        return np.array([row.getDouble(0) for row in support.collect(answers)], dtype=np.float64)

    return score


def _input_names(data: bytes) -> list[str]:
    """The columns that the pipeline's imputers read, in the order of a row."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        nodes = json.loads(archive.read("root/model.json"))["attributes"]["nodes"]["string"]
        read = [archive.read(f"root/{n}.node/node.json") for n in nodes if n.startswith("imputer_")]
    return [str(json.loads(text)["shape"]["inputs"][0]["name"]) for text in read]


def _virtual_machine(jars: Path) -> ModuleType:
    """JPype, with a running virtual machine that knows the runtime's classes."""
    try:
        import jpype
    except ImportError:
        raise SettingsError("JPype is not installed here", REMEDY) from None
    if jpype.isJVMStarted():
        return jpype  # type: ignore[no-any-return]
    found = sorted(map(str, jars.glob("*.jar")))
    if not any("mleap-runtime" in path for path in found):
        raise SettingsError(f"{jars} has no jars of MLeap's runtime", REMEDY)
    try:
        jpype.startJVM("-Xmx1g", classpath=found, convertStrings=True)
    except (jpype.JVMNotFoundException, OSError) as error:
        remedy = "install Java 17 or 21, or set JAVA_HOME"
        raise SettingsError(f"no Java starts for MLeap's runtime: {error}", remedy) from None
    # Its matrices tell the terminal that they have no native code here, which changes no answer.
    jpype.JPackage("java").util.logging.LogManager.getLogManager().reset()
    return jpype  # type: ignore[no-any-return]
