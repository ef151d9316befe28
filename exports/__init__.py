"""Exports of a bundle for other engines, and their check in stock engines.

- `formats`: the table of formats, and what no format carries.
- `export_files`: an export of a bundle as files.
- `exported_questions`: what every format writes: arithmetic, inputs, golden rows.
- `onnx_graphs`, `pmml_documents`, `mleap_archives`: one format each, written and loaded.
- `golden_replay`: golden rows, answered by the stock engine of an export.

The writers need no engine; ONNX needs `onnx`. `make setup-exports` brings it and the engines.
"""

__all__ = ["export_files", "formats", "golden_replay"]
