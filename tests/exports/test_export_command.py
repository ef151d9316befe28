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
        (["--check", "/proc"], "is no export: it holds no export.json"),
        (["--check", "/dev/zero"], "is no export: it is neither file nor folder"),
        (["--check", "BUNDLE"], "it holds no export.json"),
        (["champion:actors", "--format", "onnx", "--out", "NEW"], "'actors' is no model"),
        (["BUNDLE", "--format", "onnx", "--out", ""], "a bundle, --format and --out are needed"),
        (["BUNDLE", "--format", "onnx", "--out", "FILE/b.zip"], "b.zip is no folder — give a"),
        (["BUNDLE", "--format", "onnx", "--out", "FILE"], "b.zip is there already — give a new"),
        (["BUNDLE", "--format", "onnx", "--out", "/proc/b.zip"], "/proc/b.zip cannot be written"),
        (["BUNDLE", "--format", "onnx", "--out", "LONG"], "cannot be written: File name too long"),
        (["NEW", "--format", "onnx", "--out", "NEW"], "is no folder here — give a bundle's folder"),
        (["FILE", "--format", "onnx", "--out", "NEW"], "is a file, not a folder — give a bundle's"),
        (
            ["no/such", "--format", "onnx", "--out", "NEW", "--lake", "file:///no/lake"],
            "nor published in file",
        ),
        (["no/such", "--format", "onnx", "--out", "NEW", "--lake", "x"], "'x' (WebHDFS '"),
        (["--check", ""], "--check names no export — give its zip"),
        (["--check", "EMPTY"], "it holds no export.json — give the zip"),
        (["--check", "FILE"], "b.zip is no export: File is not a zip file"),
    ],
)
def test_wrong_input_is_one_line(
    bundle: Path, tmp_path: Path, arguments: list[str], says: str
) -> None:
    places = {"BUNDLE": bundle, "NEW": tmp_path / "new", "FILE": tmp_path / "b.zip"}
    places |= {"FILE/b.zip": tmp_path / "b.zip" / "b.zip", "LONG": tmp_path / f"{'a' * 300}.zip"}
    places |= {"EMPTY": tmp_path / "empty"}
    (tmp_path / "b.zip").touch()
    (tmp_path / "empty").mkdir()
    done = typed(*(places.get(one, one) for one in arguments))
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ") and says in done.stderr
    assert done.stderr.count("\n") == 1 and not done.stdout
    assert not (tmp_path / "new").exists()
