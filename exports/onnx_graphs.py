"""ONNX: a question of the budget model, or the recommender's stars, in doubles.

A question's graph reads `features` [rows, F] and gives `log10_dollars` and `dollars`, [rows] each.
The stars' graph reads `user_row` and `title_row` [pairs], places in the bundle's ascending ids; -1
is unknown. It gives `stars` [pairs].

Specification: onnx.ai, operators of ai.onnx.ml 5 (TreeEnsemble) and of ai.onnx 18.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exports.exported_questions import ExportedQuestion, nodes_of
from marquee.errors import SettingsError
from scoring.arrays import Floats, Rows
from scoring.budget.flat_trees import LEAF, FlatTrees
from scoring.recommender.bundle import RecommenderBundle

REMEDY = "make setup-exports"
OPSETS = {"": 18, "ai.onnx.ml": 5}
IR_VERSION = 9
BRANCH_LEQ, SUM, NO_TRANSFORM = 0, 1, 0
"""Enumerations of TreeEnsemble: go left where the value is at most the threshold; add up."""
Scorer = Callable[[Floats], Floats]


class _Graph:
    """Nodes and constants of a graph in the making."""

    def __init__(self, onnx: ModuleType) -> None:
        self.onnx = onnx
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: Any, kind: type[np.generic] = np.float64) -> str:
        """The name of a constant tensor."""
        name = f"c{len(self.constants)}"
        array = np.asarray(value, dtype=kind)
        self.constants.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def add(self, op: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node; returns the name of its output."""
        output = output or f"t{len(self.nodes)}"
        node = self.onnx.helper.make_node(op, list(inputs), [output], **attributes)
        self.nodes.append(node)
        return output

    def within(self, values: str, low: float, high: float) -> str:
        """Values clipped to `low` and `high`."""
        return self.add("Clip", values, self.constant(low), self.constant(high))

    def model(self, name: str, inputs: Any, outputs: Any, facts: Mapping[str, Any]) -> bytes:
        """The checked model, with `facts` as metadata."""
        helper = self.onnx.helper
        graph = helper.make_graph(self.nodes, name, inputs, outputs, self.constants)
        opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        model.producer_name = "marquee"
        helper.set_model_props(model, {k: json.dumps(v) for k, v in facts.items()})
        self.onnx.checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))


def field_names(inputs: Sequence[str]) -> list[str]:
    """The columns of `features`."""
    return list(inputs)


def write_question(one: ExportedQuestion, facts: Mapping[str, Any]) -> bytes:
    """The model file of one question; SettingsError where `onnx` is not installed."""
    graph = _Graph(_library("onnx"))
    helper, double = graph.onnx.helper, graph.onnx.TensorProto.DOUBLE
    whole = graph.add(
        "Where", graph.add("IsNaN", "features"), graph.constant(one.means), "features"
    )
    year = graph.add("Gather", whole, graph.constant([0], np.int64), axis=1)
    rest = graph.add(
        "Gather", whole, graph.constant(np.arange(1, len(one.inputs)), np.int64), axis=1
    )
    rows = graph.add("Concat", graph.within(year, one.first_year, one.last_year), rest, axis=1)
    answer = graph.add("MatMul", rows, graph.constant(one.coefficients[:, None]))
    answer = graph.add("Add", answer, graph.constant(one.intercept))
    if one.trees is not None:
        answer = graph.add("Add", answer, _trees(graph, one.trees, rows))
    answer = graph.add("Add", answer, _trend(graph, one, year))
    flat = graph.constant([-1], np.int64)
    log10 = graph.add("Reshape", answer, flat, output="log10_dollars")
    graph.add("Pow", graph.constant(10.0), log10, output="dollars")
    inputs = [helper.make_tensor_value_info("features", double, ["rows", len(one.inputs)])]
    outputs = [
        helper.make_tensor_value_info(name, double, ["rows"])
        for name in ("log10_dollars", "dollars")
    ]
    return graph.model("budget", inputs, outputs, facts)


def _trend(graph: _Graph, one: ExportedQuestion, year: str) -> str:
    followed = graph.within(year, one.trend.first, one.trend.last)
    from_centre = graph.add("Sub", followed, graph.constant(one.trend.centre))
    return graph.add("Mul", graph.constant(one.trend.per_year), from_centre)


def _trees(graph: _Graph, trees: FlatTrees, rows: str) -> str:
    tensor = partial(graph.onnx.numpy_helper.from_array, name="")
    arrays: dict[str, Any] = dict(_tree_arrays(trees))
    splits, weights = arrays.pop("nodes_splits"), arrays.pop("leaf_weights")
    return graph.add(
        "TreeEnsemble",
        rows,
        domain="ai.onnx.ml",
        n_targets=1,
        aggregate_function=SUM,
        post_transform=NO_TRANSFORM,
        nodes_splits=tensor(np.array(splits)),
        nodes_modes=tensor(np.full(len(splits), BRANCH_LEQ, dtype=np.uint8)),
        leaf_weights=tensor(np.array(weights)),
        leaf_targetids=[0] * len(weights),
        **arrays,
    )


def _tree_arrays(trees: FlatTrees) -> dict[str, list[Any]]:
    """Splits of all trees in pre-order, then leaves; a split names its children by place."""
    found: dict[str, list[Any]] = {
        name: []
        for name in (
            *("tree_roots", "nodes_featureids", "nodes_splits", "leaf_weights"),
            *("nodes_truenodeids", "nodes_trueleafs", "nodes_falsenodeids", "nodes_falseleafs"),
        )
    }
    for root, weight in zip(trees.root.tolist(), trees.weight.tolist(), strict=True):
        found["tree_roots"].append(len(found["nodes_splits"]))
        _add_tree(found, trees, list(nodes_of(trees, root)), weight)
    return found


def _add_tree(
    found: dict[str, list[Any]], trees: FlatTrees, nodes: list[int], weight: float
) -> None:
    inner = [node for node in nodes if trees.feature[node] != LEAF]
    leaves = [node for node in nodes if trees.feature[node] == LEAF]
    first, first_leaf = len(found["nodes_splits"]), len(found["leaf_weights"])
    place = {node: first + k for k, node in enumerate(inner)}
    place |= {node: first_leaf + k for k, node in enumerate(leaves)}
    found["leaf_weights"] += [weight * float(trees.value[node]) for node in leaves]
    found["nodes_featureids"] += trees.feature[inner].tolist()
    found["nodes_splits"] += trees.threshold[inner].tolist()
    for side, children in (("true", trees.left), ("false", trees.right)):
        below = children[inner].tolist()
        found[f"nodes_{side}nodeids"] += [place[node] for node in below]
        found[f"nodes_{side}leafs"] += [int(trees.feature[node] == LEAF) for node in below]


def write_stars(bundle: RecommenderBundle, facts: Mapping[str, Any]) -> bytes:
    """The model file of predicted stars; SettingsError where `onnx` is not installed.

    Each table ends in a row of zeros. Gather reads row -1 as the last, so an unknown person or
    title adds nothing, as in the native scorer.
    """
    graph = _Graph(_library("onnx"))
    helper, proto = graph.onnx.helper, graph.onnx.TensorProto

    def gathered(table: NDArray[Any], rows: str) -> str:
        ended = np.concatenate([table, np.zeros_like(table[:1])])
        found = graph.add("Gather", graph.constant(ended, table.dtype.type), rows)
        return graph.add("Cast", found, to=proto.DOUBLE)

    user = gathered(bundle.user_factors, "user_row")
    title = gathered(bundle.item_factors, "title_row")
    axis = graph.constant([1], np.int64)
    stars = graph.add("ReduceSum", graph.add("Mul", user, title), axis, keepdims=0)
    for bias, rows in ((bundle.user_bias, "user_row"), (bundle.item_bias, "title_row")):
        stars = graph.add("Add", stars, gathered(bias, rows))
    stars = graph.add("Add", stars, graph.constant(float(bundle.facts["mean"])))
    low, high = bundle.scale
    graph.add("Clip", stars, graph.constant(low), graph.constant(high), output="stars")
    inputs = [
        helper.make_tensor_value_info(name, proto.INT64, ["pairs"])
        for name in ("user_row", "title_row")
    ]
    outputs = [helper.make_tensor_value_info("stars", proto.DOUBLE, ["pairs"])]
    return graph.model("stars", inputs, outputs, facts)


# Reading


def load_question(data: bytes, _: Path) -> Scorer:
    """onnxruntime's answers [R], log10 dollars, for rows [R, F]."""
    session = _session(data)

    def score(rows: Floats) -> Floats:
        (answers,) = session.run(["log10_dollars"], {"features": np.ascontiguousarray(rows)})
        return np.asarray(answers)

    return score


def load_stars(data: bytes) -> Callable[[Rows, Rows], Floats]:
    """onnxruntime's stars [R] for rows of people and of titles [R]."""
    session = _session(data)

    def score(users: Rows, titles: Rows) -> Floats:
        pairs = {"user_row": users.astype(np.int64), "title_row": titles.astype(np.int64)}
        (stars,) = session.run(["stars"], pairs)
        return np.asarray(stars)

    return score


def _session(data: bytes) -> Any:
    runtime = _library("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = 3  # errors
    options.intra_op_num_threads = 1
    return runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def _library(name: str) -> ModuleType:
    """`onnx` or `onnxruntime`; SettingsError where it is not installed."""
    try:
        if name == "onnx":
            import onnx
            import onnx.checker
            import onnx.helper
            import onnx.numpy_helper

            return onnx  # type: ignore[no-any-return]
        import onnxruntime

        return onnxruntime  # type: ignore[no-any-return]
    except ImportError:
        raise SettingsError(f"{name} is not installed here", REMEDY) from None
