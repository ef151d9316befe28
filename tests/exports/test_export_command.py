"""`marquee export`, as it is typed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from marquee.settings import REPOSITORY
from tests.exports.exported_bundle import made_up, written


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("made") / "bundle", made_up(trees=3))


def typed(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The finished command."""
    command = [sys.executable, "-m", "cli", "export", *map(str, arguments)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300)


def test_written_then_checked(bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "budget.zip"
    done = typed(bundle, "--format", "onnx", "--out", path, "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["format"] == "onnx" and len(said["files"]) == 6
    done = typed("--check", path, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["passed"] and found["engine"] == "onnxruntime" and len(found["files"]) == 4
    again = typed(bundle, "--format", "onnx", "--out", path)
    assert again.returncode == 2 and "is there already" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "a bundle, --format and --out are needed"),
        (["BUNDLE", "--format", "pfa", "--out", "NEW"], "there is no format 'pfa'"),
        (["BUNDLE", "--check", "NEW"], "--check goes alone"),
        (["--check", "NEW"], "is no export"),
        (["--check", "BUNDLE"], "is not a whole export"),
        (["champion:actors", "--format", "onnx", "--out", "NEW"], "'actors' is no model"),
    ],
)
def test_wrong_input_is_one_line(
    bundle: Path, tmp_path: Path, arguments: list[str], says: str
) -> None:
    places = {"BUNDLE": bundle, "NEW": tmp_path / "new"}
    done = typed(*(places.get(one, one) for one in arguments))
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ") and says in done.stderr
    assert done.stderr.count("\n") == 1 and not done.stdout
    assert not (tmp_path / "new").exists()
