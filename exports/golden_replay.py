"""The check of an export: its golden rows, answered by the stock engine of its format."""

from __future__ import annotations

import json
import math
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from exports.export_files import STARS_TOLERANCE, VERSION, Files
from exports.exported_questions import TOLERANCE
from exports.formats import format_named
from exports.onnx_graphs import load_stars
from marquee.errors import MarqueeError, SourceError
from scoring.arrays import Floats


@dataclass(frozen=True)
class ReplayedFile:
    """One model file: rows asked, the largest difference to the recorded answers, and times."""

    question: str
    file: str
    rows: int
    worst: float
    """In log10 dollars, or in stars; NaN where the engine answered no number."""
    load_seconds: float
    answer_seconds: float
    passed: bool


@dataclass(frozen=True)
class Replay:
    """The check of an export."""

    format: str
    engine: str
    model: str
    tolerance: float
    files: tuple[ReplayedFile, ...]

    @property
    def passed(self) -> bool:
        """Whether there was a row, and every answer equals the recorded one."""
        return bool(self.files) and all(one.passed for one in self.files)


Asked = tuple[str, str, Callable[[], Callable[..., Floats]], tuple[Any, ...], Floats]
"""Question, file, what loads its engine, what that is asked, the recorded answers [R, forms]."""


def replay(path: Path, jars: Path) -> Replay:
    """Answer the golden rows of the export at `path` in its stock engine.

    `jars` is the folder of MLeap's jars. Raises SourceError where `path` is no whole export,
    SettingsError where the engine is not installed.
    """
    with _reading(path):
        files = read_export(path)
        facts, rows = _table(files, "export.json"), _table(files, "golden.json")["rows"]
        if facts["export"] != VERSION:
            raise SourceError(f"{path} is an export of version {facts['export']}", "export again")
        chosen, stars = format_named(facts["format"]), facts["model"] == "recommender"
        # A file may ask for more exactness than we do, never for less.
        tolerance = min(float(facts["tolerance"]), STARS_TOLERANCE if stars else TOLERANCE)
        asked = _stars(files, facts, rows) if stars else _questions(files, facts, rows, jars)
        found = [_replayed(*one, tolerance) for one in asked]
        return Replay(facts["format"], chosen.engine, facts["model"], tolerance, tuple(found))


def read_export(path: Path) -> Files:
    """The files of an export, a zip or a folder; SourceError where it is neither."""
    try:
        if path.is_dir():
            there = {one.name: one for one in sorted(path.iterdir()) if one.is_file()}
            _require_export(path, {name: one.stat().st_size for name, one in there.items()})
            return {name: one.read_bytes() for name, one in there.items()}
        if path.exists() and not path.is_file():
            raise SourceError(f"{path} is no export: it is neither file nor folder", _REMEDY)
        with zipfile.ZipFile(path) as archive:
            _require_export(path, {one.filename: one.file_size for one in archive.infolist()})
            return {name: archive.read(name) for name in archive.namelist()}
    except OSError as error:
        raise SourceError(f"{path} is no export: {error.strerror or error}", _REMEDY) from None
    except _DAMAGE as error:
        what = str(error) or type(error).__name__
        raise SourceError(f"{path} is no export: {what}", _REMEDY) from None


def _require_export(path: Path, sizes: Mapping[str, int]) -> None:
    """Raise SourceError before anything is read that cannot be an export."""
    if "export.json" not in sizes:
        raise SourceError(f"{path} is no export: it holds no export.json", _REMEDY)
    if (total := sum(sizes.values())) > LARGEST:
        raise SourceError(f"{path} is no export: its files have {total:,} bytes", _REMEDY)


LARGEST = 1 << 30
"""Bytes of all files of an export; ours have some megabytes."""
_DAMAGE = zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError
"""What the library raises for a zip that is cut off, changed, or of another kind."""
_REMEDY = "give the zip or the folder that `marquee export` wrote"


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what an engine or a reader raises into a SourceError that names the export."""
    try:
        yield
    except MarqueeError as error:  # a name in the file may hold lines
        raise type(error)(" ".join(error.message.split()), error.remedy) from None
    except Exception as error:  # engines raise their own, Java's too
        what = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        raise SourceError(f"{path} is not a whole export: {what}", _REMEDY) from None


def _table(files: Files, name: str) -> dict[str, Any]:
    return dict(json.loads(files[name]))


def _questions(
    files: Files, facts: Mapping[str, Any], rows: list[dict[str, Any]], jars: Path
) -> Iterator[Asked]:
    chosen = format_named(facts["format"])
    known = {table["question"] for table in facts["questions"]}
    if strange := sorted({str(row["question"]) for row in rows} - known):
        raise SourceError(f"golden.json asks '{strange[0]}', which export.json lacks", _REMEDY)
    for table in facts["questions"]:
        names = [one["name"] for one in table["inputs"]]
        own = [row for row in rows if row["question"] == table["question"]]
        values = np.array([[row["inputs"][n] for n in names] for row in own], dtype=np.float64)
        # Both forms of an answer are for readers, so both are held against the engine's.
        both = [(row["log10_dollars"], math.log10(row["dollars"])) for row in own]
        recorded = np.array(both, dtype=np.float64).reshape(-1, 2)
        file = table["file"]
        load = partial(chosen.code.load_question, files[file], jars)
        yield table["question"], file, load, (values,), recorded


def _stars(files: Files, facts: Mapping[str, Any], rows: list[dict[str, Any]]) -> Iterator[Asked]:
    users, titles = (np.array([r[k] for r in rows], np.intp) for k in ("user_row", "title_row"))
    recorded = np.array([[row["stars"]] for row in rows], dtype=np.float64)
    load = partial(load_stars, files[facts["file"]])
    yield "stars", facts["file"], load, (users, titles), recorded


def _replayed(
    question: str,
    file: str,
    load: Callable[[], Callable[..., Floats]],
    asked: tuple[Any, ...],
    recorded: Floats,
    tolerance: float,
) -> ReplayedFile:
    started = time.perf_counter()
    score = load()
    loaded = time.perf_counter()
    answers = score(*asked)
    times = loaded - started, time.perf_counter() - loaded
    worst = float(np.max(np.abs(answers[:, None] - recorded))) if len(recorded) else float("nan")
    return ReplayedFile(question, file, len(recorded), worst, *times, worst <= tolerance)
