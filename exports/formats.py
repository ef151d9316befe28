"""The formats of exports, and what no format carries.

A format is a module of this package and a line in FORMATS. The module has `write_question` (bytes
of a model file), `load_question` (answers of the stock engine) and `field_names` (of its inputs).
This table loads none of them, because Airflow and serving read it too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from marquee.errors import SettingsError
from marquee.host_checks import Finding
from marquee.policy import Model
from marquee.settings import Settings

CURVES = ("generalized_linear", "aft_survival", "isotonic")
"""Families whose answer is a curve, not a sum of a line and trees."""
SUBSTITUTES = "forest-trend, gbt-trend or linear"
"""Recipes that every format carries."""


@dataclass(frozen=True)
class Format:
    """A format of model files."""

    module: str
    suffix: str
    engine: str
    """The stock engine that a check asks."""
    models: tuple[Model, ...] = ("budget",)
    writes_with: str = ""
    """A package that the writer needs."""

    @property
    def code(self) -> Any:
        """The format's module."""
        return import_module(f"exports.{self.module}")


FORMATS: dict[str, Format] = {
    "pmml": Format("pmml_documents", ".pmml", "pypmml"),
    "onnx": Format("onnx_graphs", ".onnx", "onnxruntime", ("budget", "recommender"), "onnx"),
    "mleap": Format("mleap_archives", ".mleap.zip", "MLeap 0.20"),
}


def format_named(name: str) -> Format:
    """The format; SettingsError where there is none of that name."""
    if name not in FORMATS:
        raise SettingsError(f"there is no format '{name}'", f"known are {', '.join(FORMATS)}")
    return FORMATS[name]


def check_formats(names: Sequence[str]) -> None:
    """Raise SettingsError for an unknown format, or one whose writer is not installed."""
    for name in names:
        package = format_named(name).writes_with
        if package and find_spec(package) is None:
            raise SettingsError(
                f"exports.formats names {name}, and {package} is not installed here",
                "make setup-exports, or take it out of config/",
            )


def check_exports(settings: Settings) -> Iterator[Finding]:
    """Whether the formats of `[exports]` are known, and their writers are installed here."""
    if not (formats := settings.exports.formats):
        return
    try:
        check_formats(formats)
    except SettingsError as error:
        yield Finding("exports", False, error.message, error.remedy)
        return
    yield Finding("exports", True, f"new champions are written as {', '.join(formats)}")


def refusal(recipe: Mapping[str, Any], formats: Sequence[str]) -> SettingsError | None:
    """Why the formats cannot carry a budget recipe, a table of the settings; None if they can."""
    family = str(recipe.get("family"))
    if recipe.get("stages"):
        what = "stages of Spark"
    elif family in CURVES:
        what = f"the family {family}, a curve"
    elif recipe.get("features"):
        what = "features of its own"
    else:
        return None
    names = " and ".join(name for name in formats if "budget" in format_named(name).models)
    if not names:
        return None
    return SettingsError(
        f"recipe {recipe.get('name')} has {what}, which {names} cannot carry",
        f"train {SUBSTITUTES}, or take the format out of exports.formats",
    )
