"""What computes is part of what counts as unchanged: code, tables, libraries."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from marquee.identifiers import digest_code
from marquee.settings import REPOSITORY
from steps import unchanged
from steps.unchanged import CODE_PATHS, LIBRARIES, code_version

CHANGES_NO_CONTENT = {
    "marquee/__init__.py": "holds the version's name alone",
    "marquee/deadlines.py": "gives up on what is silent; the doctor's job alone asks so",
    "marquee/errors.py": "says why there is no result",
    "marquee/host_needs.py": "says how much memory is missing",
    "marquee/lifetimes.py": "ends processes",
    "marquee/progress.py": "says how far a job is",
    "marquee/lake": "moves bytes, whose digests are checked; a drill's fault is in the digest",
    "marquee/artefacts/model_card.py": "about a model and its data's drift; no model reads it",
    "marquee/policy.py": "its bounds are in the fingerprint, and decide at the gate",
    "marquee/artefacts/verdict.py": "the form of what the gate judges",
    "marquee/artefacts/document.py": "the form of documents, whose content is in the fingerprint",
    "marquee/run_folder.py": "where a run keeps its files; their content is in the fingerprint",
}
"""What the computing rooms import, and why it changes no content."""


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    """A copy of the folder with the price tables."""
    return Path(shutil.copytree(REPOSITORY / "marquee" / "prices", tmp_path / "prices"))


@pytest.mark.parametrize("name", ["dollars.py", "data/cpi.csv", "data/rates.csv"])
def test_code_and_tables_count(prices: Path, name: str) -> None:
    before = digest_code([prices])
    (prices / name).write_bytes((prices / name).read_bytes() + b"\n")
    assert digest_code([prices]) != before


def test_notes_and_caches_do_not(prices: Path) -> None:
    before = digest_code([prices])
    (prices / "data" / "SOURCES.md").write_text("other words")
    (prices / "__pycache__").mkdir(exist_ok=True)
    (prices / "__pycache__" / "dollars.cpython-311.pyc").write_bytes(b"compiled")
    assert digest_code([prices]) == before


@pytest.mark.parametrize("library", LIBRARIES)
def test_another_version_of_a_library_is_other_code(
    monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    before = code_version()
    assert before == code_version() and len(before) == 12
    newer = lambda name: version(name) + ".1" * (name == library)  # noqa: E731
    monkeypatch.setattr(unchanged, "version", newer)
    assert code_version() != before


def test_a_single_module_is_a_place_too(prices: Path) -> None:
    before = digest_code([prices / "dollars.py"])
    (prices / "unlabelled.py").write_text("")
    assert digest_code([prices / "dollars.py"]) == before
    (prices / "dollars.py").write_text("")
    assert digest_code([prices / "dollars.py"]) != before


def test_all_that_the_computing_rooms_import_counts() -> None:
    """Directly or not; an exception nobody needs any more goes."""
    found = {path.relative_to(REPOSITORY).as_posix() for path in reached()}
    assert {"sources/feedback_lines.py", "marquee/identifiers.py", "marquee/errors.py"} <= found
    covered = {path for path in found if is_below(path, CODE_PATHS)}
    others = {path for path in found - covered if not is_below(path, CHANGES_NO_CONTENT)}
    assert {path for path in others if not is_docstring(REPOSITORY / path)} == set()
    assert {
        one for one in CHANGES_NO_CONTENT if not any(is_below(p, [one]) for p in found)
    } == set()
    assert {
        one for one in CODE_PATHS if not any(is_below(path, [one]) for path in covered)
    } == set()


def test_each_place_of_the_code_changes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in CODE_PATHS:
        is_file = (REPOSITORY / place).is_file()
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copy if is_file else shutil.copytree)(REPOSITORY / place, tmp_path / place)
    monkeypatch.setattr(unchanged, "REPOSITORY", tmp_path)
    seen = {code_version()}
    for place in CODE_PATHS:
        module = tmp_path / place if place.endswith(".py") else tmp_path / place / "__init__.py"
        module.write_text(module.read_text() + "# other\n")
        seen.add(code_version())
    assert len(seen) == len(CODE_PATHS) + 1


def reached() -> set[Path]:
    """The modules of this repository that the rooms which compute import, and these, and so on."""
    rooms = [REPOSITORY / "spark_apps", REPOSITORY / "scoring"]
    waiting = {path for room in rooms for path in room.rglob("*.py")}
    done: set[Path] = set()
    while waiting:
        path = waiting.pop()
        done.add(path)
        # What an exception imports is its own affair.
        if not is_below(path.relative_to(REPOSITORY).as_posix(), CHANGES_NO_CONTENT):
            waiting |= set(imports_of(path)) - done
    return done


def imports_of(path: Path) -> Iterator[Path]:
    """Files of the modules and packages one module names in its imports."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = [alias.name for alias in getattr(node, "names", ()) if isinstance(alias, ast.alias)]
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import is not followed"
            names = [str(node.module), *(f"{node.module}.{name}" for name in names)]
        elif not isinstance(node, ast.Import):
            continue
        for name in names:
            parts = name.split(".")
            packages = [
                REPOSITORY.joinpath(*parts[:n], "__init__.py") for n in range(1, len(parts) + 1)
            ]
            module = REPOSITORY.joinpath(*parts).with_suffix(".py")
            yield from (one for one in (module, *packages) if one.is_file())


def is_below(path: str, places: Iterable[str]) -> bool:
    return any(path == place or path.startswith(f"{place}/") for place in places)


def is_docstring(path: Path) -> bool:
    """Whether a package's `__init__` says what it is and what others may use, nothing else."""
    return all(
        isinstance(node, ast.Expr)
        or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__")
        for node in ast.parse(path.read_text("utf-8")).body
    )
