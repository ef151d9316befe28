"""The reference in `docs/reference/` is made from the code; a page that is out of date fails.

To make it anew: `python -m tests.test_reference`.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
import typer.main

import cli
import marquee.artefacts
from documents.generation import KINDS
from exports.formats import FORMATS
from marquee.artefacts.document import Document
from marquee.dataset_contracts import CONTRACTS
from marquee.settings import REPOSITORY
from serving.app import create_app
from serving.questions import QUESTIONS
from spark_connect import ANSWERS

PAGES = REPOSITORY / "docs" / "reference"
NOTE = "<!-- Made by `python -m tests.test_reference`; change the code, not this page. -->"
PROGRAMS = (
    "scrapy_imdb crawl",
    "scrapy_imdb parse",
    "serving",
    "serving.check",
    "spark_connect",
    "replica serve",
    "documents",
)
JOBS = (
    *("prepare_titles", "prepare_ratings"),
    *("train_recommender", "train_budget", "forecast_recommender"),
)


def datasets() -> str:
    """Columns of every dataset, as `marquee/dataset_contracts.py` states them."""
    lines = [
        "# Datasets",
        "",
        "Checked at each door (`marquee/dataset_contracts.py`). Types are Spark's names.",
    ]
    for contract in CONTRACTS.values():
        lines += ["", f"## `{contract.name}`, version {contract.version}", ""]
        lines += [f"Key: {', '.join(f'`{name}`' for name in contract.key)}."]
        if contract.unique:
            unique = " and ".join(f"`{name}`" for name in contract.unique)
            lines += [f"Where {unique} are not null, each names one row by itself."]
        lines += ["", "| column | type | null | every value |", "|---|---|---|---|"]
        for column in contract.columns:
            null = "yes" if column.nullable else "no"
            rule = f"refused where it {column.message}" if column.message else ""
            rule += "; " * bool(rule) * (not column.required) + "since a later version" * (
                not column.required
            )
            lines.append(f"| `{column.name}` | {column.type} | {null} | {rule} |")
    return "\n".join(lines)


def artefacts() -> str:
    """Fields of every typed file that one room writes and another reads."""
    lines = [
        "# Artefacts",
        "",
        "Files that one room writes into the lake and another reads, typed in `marquee/artefacts`.",
        "A key that nobody knows is ignored; a newer `format` is an error that says to update.",
    ]
    for name in sorted(one.name for one in pkgutil.iter_modules(marquee.artefacts.__path__)):
        module = importlib.import_module(f"marquee.artefacts.{name}")
        own = [value for value in vars(module).values() if _is_artefact(value, module.__name__)]
        if own:
            lines += ["", f"## `marquee/artefacts/{name}.py`", "", _first(module.__doc__)]
        for kind in own:
            lines += ["", f"### {kind.__name__}", "", _first(kind.__doc__)]
            lines += ["", "| field | type | meaning |", "|---|---|---|", *_fields(kind)]
    return "\n".join(lines)


def _is_artefact(value: Any, module: str) -> bool:
    is_document = inspect.isclass(value) and issubclass(value, Document)
    return is_document and value.__module__ == module and bool(value.model_fields)


def _fields(kind: type[Document]) -> Iterator[str]:
    said = _said_of_fields(kind)
    for name in kind.__annotations__:
        if name in kind.model_fields:
            annotation = str(kind.__annotations__[name]).replace("|", "\\|")
            yield f"| `{name}` | {annotation} | {said.get(name, '')} |"


def _said_of_fields(kind: type) -> dict[str, str]:
    """The string below each field of a class."""
    body = ast.parse(inspect.getsource(kind)).body[0].body  # type: ignore[attr-defined]
    return {
        field.target.id: " ".join(text.value.value.split()).replace("|", "\\|")
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr)
        if isinstance(field.target, ast.Name) and isinstance(text.value, ast.Constant)
    }


def routes() -> str:
    """Every route of the API, as its own description states it."""
    lines = [
        "# Routes of the API",
        "",
        "`/docs` of a running server shows them with their fields, and takes requests. Beyond",
        "loopback a request needs a token with the scope (`docs/guides/exposure.md`).",
        "",
        "| method | path | scope | what it answers |",
        "|---|---|---|---|",
    ]
    # No source is asked: a description needs the routes alone.
    for path, methods in create_app(None).openapi()["paths"].items():  # type: ignore[arg-type]
        for method, route in methods.items():
            said = _first(route.get("description") or route.get("summary"))
            scope = next((need["token"][0] for need in route["security"]), "")
            lines.append(f"| {method.upper()} | `{path}` | {scope} | {said.replace('|', '/')} |")
    return "\n".join(lines)


def engines() -> str:
    """Which engine answers which question, and who computes what with Spark Connect."""
    lines = [
        "# Engines",
        "",
        "| question | route | `native` | `spark-connect` | streams | documents | exports |",
        "|---|---|---|---|---|---|---|",
        *map(_engines_of, QUESTIONS),
        "",
        "`native` computes all of it with NumPy from the bundle, and so do streams, in both forms. "
        "A document holds one answer as `native` gave it, so it answers the requests that were "
        "published. An export answers for the model alone, without what stays outside of it.",
        "",
        "## With Spark Connect",
        "",
        "`spark-connect` ([guide](../guides/spark-connect.md)) asks Spark where this table says "
        "so; the rest of an answer is the bundle's, by the same code.",
        "",
        "| part of an answer | computed by | how |",
        "|---|---|---|",
        *(f"| {what} | {who} | {how} |" for what, who, how in ANSWERS),
    ]
    return "\n".join(lines)


def _engines_of(name: str) -> str:
    """The row of one question."""
    route = QUESTIONS[name].route
    method, path = route.split()
    described = create_app(None).openapi()["paths"][path][method.lower()]  # type: ignore[arg-type]
    asks = any(one["name"] == "engine" for one in described.get("parameters", ()))
    kinds = [kind for kind, question in KINDS.items() if question == name]
    exported = {"budget-estimate": "budget", "prediction": "recommender"}.get(name)
    formats = [one for one, format in FORMATS.items() if exported in format.models]
    engines = ("yes", "yes" if asks else "", "yes", *map(", ".join, (kinds, formats)))
    return f"| `{name}` | `{route}` | {' | '.join(engines)} |"


def settings() -> str:
    """Every key of `config/base.toml` with its default and its comment."""
    lines = [
        "# Settings",
        "",
        "`config/base.toml` holds every key; the overlay of a place holds what differs there. A",
        "variable overrides both: `MARQUEE_CRAWL__MAX_PAGES=50` is `max_pages` of `[crawl]`.",
    ]
    row = re.compile(r"^(\w+) = (.+?)(?:\s+#\s*(.*))?$")
    opened = False
    for line in (REPOSITORY / "config" / "base.toml").read_text().splitlines():
        if heading := re.match(r"^(\[+[\w.]+\]+)(?:\s+#\s*(.*))?$", line):
            lines += ["", f"## `{heading[1]}`", *(["", heading[2]] if heading[2] else [])]
            opened = False
        elif found := row.match(line):
            if not opened:
                lines += ["", "| key | default | meaning |", "|---|---|---|"]
            opened = True
            default = found[2].replace("|", "\\|")
            lines.append(f"| `{found[1]}` | `{default}` | {(found[3] or '').replace('|', '/')} |")
    return "\n".join(lines)


def commands() -> str:
    """What the `marquee` command and every program behind a door take."""
    lines = ["# Commands", "", "`marquee COMMAND --help` says more.", ""]
    lines += ["| command | what it does |", "|---|---|"]
    for name, command in sorted(typer.main.get_command(cli.app).commands.items()):  # type: ignore[attr-defined]
        lines.append(f"| `marquee {name}` | {_first(command.help)} |")
    lines += ["", "Programs that cross a door, started by those and by Airflow:"]
    texts = {f"python -m {program}": ["-m", *program.split()] for program in PROGRAMS}
    texts |= {f"spark-submit spark_apps/{job}.py": [f"spark_apps/{job}.py"] for job in JOBS[:1]}
    for title, words in texts.items():
        lines += [
            "",
            f"## `{title}`",
            "",
            "| argument | meaning |",
            "|---|---|",
            *_arguments(words),
        ]
    others = ", ".join(f"`{job}.py`" for job in JOBS[1:])
    return "\n".join([*lines, "", f"{others} take the same flags."])


def _arguments(words: list[str]) -> Iterator[str]:
    """Each argument of a program's help; Python's versions differ in how they lay it out."""
    environment = os.environ | {"COLUMNS": "400", "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, *words, "--help"],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env=environment,
        check=True,
    )
    for found in re.finditer(r"^  (\S+(?: \S+)*)(?: {2,}(\S.*))?$", done.stdout, re.MULTILINE):
        if not found[1].startswith("-h"):
            yield f"| `{found[1]}` | {(found[2] or '').replace('|', '/')} |"


def _first(text: str | None) -> str:
    """The first paragraph, on one line."""
    return " ".join((text or "").strip().split("\n\n")[0].split())


MAKERS: dict[str, Callable[[], str]] = {
    "artefacts": artefacts,
    "commands": commands,
    "datasets": datasets,
    "engines": engines,
    "routes": routes,
    "settings": settings,
}


def page(name: str) -> str:
    """A page as it shall be."""
    heading, _, rest = MAKERS[name]().partition("\n")
    return f"{heading}\n\n{NOTE}\n{rest}\n"


@pytest.mark.parametrize("name", MAKERS)
def test_the_reference_is_of_this_code(name: str) -> None:
    remedy = "make it anew: .venv/bin/python -m tests.test_reference"
    assert (PAGES / f"{name}.md").read_text() == page(name), remedy


if __name__ == "__main__":
    for each in MAKERS:
        (PAGES / f"{each}.md").write_text(page(each))
