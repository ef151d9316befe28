"""Exports of a bundle for other engines: PMML, ONNX and MLeap, and their check in stock engines."""

__all__: list[str] = []
