"""The contract of a dataset: its columns with their types, its key, and the checks of its values.

Types are Spark's simple names (`bigint`, `double`, `array<string>`), so a contract compares with
`dict(frame.dtypes)`. Records from JSON lines are checked value by value. One ContractError lists
*all* differences. `marquee.dataset_contracts` holds the contracts of our datasets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from marquee.errors import ContractError

ValueCheck = Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, int) or math.isfinite(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


KINDS: Mapping[str, ValueCheck] = {
    "string": lambda v: isinstance(v, str),
    "int": _is_whole,
    "bigint": _is_whole,
    "double": _is_number,
    "array<string>": lambda v: isinstance(v, list) and all(isinstance(x, str) for x in v),
    "record": lambda v: isinstance(v, Mapping),
    "array<record>": lambda v: isinstance(v, list) and all(isinstance(x, Mapping) for x in v),
}


@dataclass(frozen=True)
class Column:
    """One column: its name, its type, whether it may be null, and the check of its values."""

    name: str
    type: str
    nullable: bool = True
    check: ValueCheck | None = None
    message: str = ""
    """The words for a value that fails `check`, such as `is empty`."""
    required: bool = True
    """False for a column that records of earlier versions lack."""
    entry_check: ValueCheck | None = None
    """The check of every entry of a list."""


@dataclass(frozen=True)
class Contract:
    """The columns and the key of one dataset, with a version."""

    name: str
    version: int
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    unique: tuple[str, ...] = ()
    """Columns in which no value except null may repeat."""

    @property
    def names(self) -> list[str]:
        """Column names in order, for a `select`."""
        return [c.name for c in self.columns]

    @property
    def ddl(self) -> str:
        """The columns as a Spark DDL string, for a read with an explicit schema."""
        return ", ".join(f"`{c.name}` {c.type}" for c in self.columns)

    def check_types(self, types: Mapping[str, str]) -> None:
        """Raise ContractError with every missing, extra or wrongly typed column of a frame."""
        wrong = [
            f"{c.name} is {types[c.name]}, not {c.type}"
            for c in self.columns
            if c.name in types and types[c.name] != c.type
        ]
        missing = [f"{c.name} is missing" for c in self.columns if c.name not in types]
        extra = [f"{name} is not in the contract" for name in types if name not in self.names]
        self._refuse(missing + wrong + extra)

    def check_unique(self, repeats: Mapping[str, int]) -> None:
        """Raise ContractError where a unique column repeats a value.

        `repeats` holds the number of repeating rows for each unique column.
        """
        self._refuse([f"{repeats[c]} rows repeat a {c}" for c in self.unique if repeats[c]])

    def differences(self, record: Mapping[str, Any]) -> list[str]:
        """Every difference of one record. Extra keys are allowed: later versions add keys."""
        found = (_difference(c, record) for c in self.columns)
        return [text for text in found if text]

    def repaired(
        self, record: Mapping[str, Any], essential: Collection[str]
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """Replacements for the values that break the contract, and the reasons, by column.

        A wrong value becomes null, and a list loses its wrong entries. Values of `essential`
        columns are not replaced; `differences` reports them.
        """
        values, reasons = {}, {}
        for column in self.columns:
            if column.name in record and column.name not in essential:
                value, why = _repaired(column, record[column.name])
                if why or value is not record[column.name]:
                    values[column.name] = value
                if why:
                    reasons[column.name] = why
        return values, reasons

    def check_record(self, record: Mapping[str, Any]) -> None:
        """Raise ContractError with every difference of one record."""
        self._refuse(self.differences(record))

    def _refuse(self, differences: list[str]) -> None:
        if differences:
            raise ContractError(
                f"{self.name} breaks its contract (version {self.version}): "
                + "; ".join(differences),
                "mend the writer, or give the contract a new version",
            )


def _difference(column: Column, record: Mapping[str, Any]) -> str:
    if column.name not in record:
        return f"{column.name} is missing" if column.required else ""
    value = record[column.name]
    if value is None:
        return "" if column.nullable else f"{column.name} is null"
    why = _fault(column, value)
    return f"{column.name} {why}" if why else ""


def _fault(column: Column, value: Any) -> str:
    """The fault of one value that is not null; empty where the value keeps the contract."""
    if not KINDS[column.type](value):
        return f"is {type(value).__name__}, not {column.type}"
    if column.entry_check and not all(map(column.entry_check, value)):
        return "has an entry that is none"
    return column.message if column.check and not column.check(value) else ""


def _repaired(column: Column, value: Any) -> tuple[Any, str]:
    """A value that keeps the contract (null for a wrong one), and the fault."""
    if column.type.startswith("array"):
        return _repaired_list(column, value)
    if value is None:
        return None, ""
    if KINDS[column.type] is _is_whole and isinstance(value, float) and value.is_integer():
        value = int(value)
    why = _fault(column, value)
    return (None if why else value), why


def _repaired_list(column: Column, value: Any) -> tuple[Any, str]:
    if not isinstance(value, list):
        return [], "" if value is None else f"is {type(value).__name__}, not {column.type}"
    is_one = column.entry_check or (lambda _: True)
    kept = [one for one in value if KINDS[column.type]([one]) and is_one(one)]
    if column.check and not column.check(kept):
        return [], column.message
    lost = len(value) - len(kept)
    return (kept, f"has entries that are none: {lost}") if lost else (value, "")
