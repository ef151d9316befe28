"""Read the OpenAPI description: an example of a body, the fields of an answer."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
EXAMPLES: dict[str, Any] = {
    "movie_id": 1,
    "user_id": 1,
    "rating": 4.5,
    "year": 2027,
    "genre": None,
    "year_from": None,
    "year_to": None,
}
"""Values that read better than a type's own; a rating of a film stays within both scales."""


def example_of(api: Schema, schema: Schema, name: str = "") -> Any:
    """A value the schema accepts, as short as it can be."""
    schema = _resolved(api, schema)
    if name in EXAMPLES:
        return EXAMPLES[name]
    if "default" in schema:
        return schema["default"]
    if schema.get("type") == "object":
        found = schema.get("properties", {})
        return {key: example_of(api, below, key) for key, below in found.items()}
    if schema.get("type") == "array":
        return [example_of(api, schema["items"])]
    return {"string": "text", "integer": 1, "number": 1.0, "boolean": True}.get(
        schema.get("type", "")
    )


def fields_of(api: Schema, schema: Schema, prefix: str = "") -> list[tuple[str, str, str]]:
    """(name, type, description) of every field, those of nested objects below their parent's."""
    found: list[tuple[str, str, str]] = []
    for name, below in _resolved(api, schema).get("properties", {}).items():
        found.append((prefix + name, type_of(api, below), below.get("description", "")))
        inner = _resolved(api, below.get("items", below))
        if inner.get("properties") and prefix.count(".") < 1:
            found += fields_of(api, inner, f"{prefix}{name}.")
    return found


def type_of(api: Schema, schema: Schema) -> str:
    """A type in a word or two."""
    if "anyOf" in schema:
        return " or ".join(type_of(api, option) for option in schema["anyOf"])
    schema = _resolved(api, schema)
    if schema.get("type") == "array":
        return f"list of {type_of(api, schema.get('items', {}))}"
    return str(schema.get("type", "any"))


def _resolved(api: Schema, schema: Schema) -> Schema:
    while "$ref" in schema:
        schema = api["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    return schema
