"""What computes is part of what counts as unchanged: code, tables, libraries."""

from __future__ import annotations

import shutil
from importlib.metadata import version
from pathlib import Path

import pytest

from marquee.digest import digest_code
from marquee.settings import REPOSITORY
from marquee.steps import fingerprint
from marquee.steps.fingerprint import LIBRARIES, computing_code


@pytest.fixture
def money(tmp_path: Path) -> Path:
    """A copy of the room with the price tables."""
    return Path(shutil.copytree(REPOSITORY / "marquee" / "money", tmp_path / "money"))


@pytest.mark.parametrize("name", ["prices.py", "data/cpi.csv", "data/rates.csv"])
def test_code_and_tables_count(money: Path, name: str) -> None:
    before = digest_code([money])
    (money / name).write_bytes((money / name).read_bytes() + b"\n")
    assert digest_code([money]) != before


def test_notes_and_caches_do_not(money: Path) -> None:
    before = digest_code([money])
    (money / "data" / "SOURCES.md").write_text("other words")
    (money / "__pycache__").mkdir(exist_ok=True)
    (money / "__pycache__" / "prices.cpython-311.pyc").write_bytes(b"compiled")
    assert digest_code([money]) == before


@pytest.mark.parametrize("library", LIBRARIES)
def test_another_version_of_a_library_is_other_code(
    monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    before = computing_code()
    assert before == computing_code() and len(before) == 12
    newer = lambda name: version(name) + ".1" * (name == library)  # noqa: E731
    monkeypatch.setattr(fingerprint, "version", newer)
    assert computing_code() != before
