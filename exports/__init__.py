"""Exports of a bundle for other engines, and their check in stock engines.

- `formats`: the table of formats; an export as files, and what a format cannot carry.
- `exported_questions`: what every format writes: arithmetic, inputs, golden rows.
- `onnx_graphs`, `pmml_documents`, `mleap_archives`: one format each, written and loaded.
- `stars_export`: the recommender's stars.
- `golden_replay`: golden rows, answered by the stock engine of an export.

The writers need no engine; ONNX needs `onnx`. `make setup-exports` brings it and the engines.
"""

__all__ = ["formats", "golden_replay"]
