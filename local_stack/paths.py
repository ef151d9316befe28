"""Where pyspark's files are, found without importing it: the kernel knows no engine."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from marquee.errors import StackError


def spark_home() -> Path:
    """The folder of the installed pyspark package."""
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise StackError("pyspark is not installed here", "run `make setup`")
    return Path(spec.origin).parent


def spark_jars(pattern: str) -> list[Path]:
    """Jars that pyspark ships, by name pattern."""
    found = sorted((spark_home() / "jars").glob(pattern))
    if not found:
        raise StackError(f"pyspark's folder of jars holds no {pattern}", "run `make setup` again")
    return found
