"""`local_stack.lock_wheels`, without a network: which pins a board could not install."""

from __future__ import annotations

from typing import Any

import pytest

from local_stack import lock_wheels
from local_stack.bootstrap import LOCK_FOLDER, SUPPORTED_PYTHON
from local_stack.lock_wheels import LOCKS, board_tags, without_wheel
from marquee.errors import StackError

ARM = "manylinux_2_27_aarch64.manylinux_2_28_aarch64"


def pin(*files: str, marker: str = "") -> dict[str, Any]:
    """A package of pylock.toml with wheels of these tags."""
    wheels = [
        {"url": f"https://host/a/thing-1.0-{file}.whl", "hashes": {"sha256": file}}
        for file in files
    ]
    made: dict[str, Any] = {"name": "thing", "version": "1.0", "wheels": wheels}
    return made | ({"marker": marker} if marker else {})


def refused(one: dict[str, Any], python: tuple[int, int] = (3, 11)) -> list[str]:
    """What the check says, with a lock that has every hash."""
    return list(without_wheel([one], python, {w["hashes"]["sha256"] for w in one["wheels"]}))


@pytest.mark.parametrize(
    "file",
    [
        "py3-none-any",
        f"cp311-cp311-{ARM}",
        f"cp39-abi3-{ARM}",
        "py3-none-manylinux2014_aarch64",
        "py2.py3-none-manylinux_2_17_aarch64",
    ],
)
def test_a_wheel_that_a_board_installs(file: str) -> None:
    assert refused(pin("cp311-cp311-manylinux_2_28_x86_64", file)) == []


@pytest.mark.parametrize(
    "file",
    [
        "cp311-cp311-manylinux_2_28_x86_64",
        "cp311-cp311-manylinux_2_31_aarch64",  # a newer glibc than Bookworm's neighbours have
        "cp311-cp311-musllinux_1_2_aarch64",
        "cp311-cp311-macosx_11_0_arm64",
        f"cp310-cp310-{ARM}",
        f"cp314-abi3-{ARM}",
    ],
)
def test_a_wheel_that_a_board_refuses(file: str) -> None:
    assert refused(pin(file)) == ["thing 1.0 has no wheel for Python 3.11 on aarch64"]


def test_each_python_needs_its_own_wheel() -> None:
    one = pin(f"cp311-cp311-{ARM}", f"cp312-cp312-{ARM}")
    assert [refused(one, python) for python in SUPPORTED_PYTHON] == [
        [],
        [],
        ["thing 1.0 has no wheel for Python 3.13 on aarch64"],
    ]


@pytest.mark.parametrize(
    ("marker", "wanted"),
    [
        ("sys_platform == 'never'", False),
        ("sys_platform == 'win32'", False),
        ("platform_machine == 'aarch64'", True),
        ("python_full_version < '3.12'", True),
        ("python_full_version >= '3.12'", False),
        ("implementation_name == 'pypy'", False),
    ],
)
def test_a_pin_that_no_board_wants_needs_no_wheel(marker: str, wanted: bool) -> None:
    assert bool(refused(pin("cp311-cp311-win_amd64", marker=marker))) is wanted


def test_a_wheel_whose_hash_is_not_in_the_lock_is_named() -> None:
    found = list(without_wheel([pin("py3-none-any")], (3, 11), {"another"}))
    assert found == ["thing 1.0: the lock has no hash of its wheel for aarch64 — make lock"]


def test_named_sources_are_let_through_and_no_other() -> None:
    source = {"name": "hdfs", "version": "2.7.3"}
    assert list(without_wheel([source], (3, 11), set())) == []
    assert len(list(without_wheel([source | {"name": "other"}], (3, 11), set()))) == 1


def test_the_locks_that_are_checked_exist_and_tags_differ_by_python() -> None:
    assert all((LOCK_FOLDER / f"{name}.txt").stat().st_size > 0 for name in LOCKS)
    assert len({frozenset(board_tags(python)) for python in SUPPORTED_PYTHON}) == 3


def test_without_the_installer_one_sentence_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lock_wheels, "INSTALLER", tmp_path)
    with pytest.raises(StackError, match="make check ARM64=no"):
        lock_wheels.resolve(LOCKS)
    assert lock_wheels.main() == StackError.status
    assert capsys.readouterr().err.startswith("error: the locks were not resolved for arm64")


def test_a_registry_that_does_not_answer_is_said_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path))
    with pytest.raises(StackError, match=r"were not resolved for arm64: .*network"):
        lock_wheels.resolve(("uv",))
