"""The number of a document's format: what every reader of a JSON file asks first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class NewerFormatError(ValueError):
    """A later release wrote the document."""


def check_format(value: Mapping[str, Any], newest: int) -> None:
    """ValueError where the document's `format` is none, NewerFormatError past `newest`.

    A document without a `format` is one of format 1.
    """
    found = value.get("format", 1)
    if type(found) is not int or found < 1:
        raise ValueError("its format is not a whole number from 1 on")
    if found > newest:
        raise NewerFormatError(f"its format is {found}, and this release knows {newest}")


def unread(value: Mapping[str, Any], newest: int) -> str:
    """Why a document cannot be read, for its format, and what to do; empty where it can."""
    try:
        check_format(value, newest)
    except NewerFormatError as error:
        return f"{error}; update this release"
    except ValueError as error:
        return str(error)
    return ""
