"""`python -m serving.check`: a fresh process, one JSON object, exit code 0."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from serving_bundles import write_budget, write_recommender


def check(*arguments: str) -> tuple[int, dict]:
    command = [sys.executable, "-m", "serving.check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else {}


def test_sound_bundles_load_and_repeat_their_golden_answers(tmp_path: Path) -> None:
    for folder, queries in (
        (write_recommender(tmp_path / "recommender"), 20),
        (write_budget(tmp_path / "budget"), 2),
    ):
        code, answer = check(str(folder))
        assert (code, answer["loads"], answer["why"]) == (0, True, "")
        assert answer["golden"]["count"] == queries and answer["golden"]["failures"] == 0
        assert 0 <= answer["golden"]["worst"] < 1e-5


def test_another_answer_is_a_failure_not_an_error(tmp_path: Path) -> None:
    folder = write_recommender(tmp_path / "made")
    bias = np.load(folder / "user_bias.npy")
    bias[0] += 0.2
    np.save(folder / "user_bias.npy", bias)
    code, answer = check(str(folder), "--model", "recommender")
    assert code == 0 and answer["loads"]
    assert 0 < answer["golden"]["failures"] <= 5 and "predict 10" in answer["why"]
    assert answer["golden"]["worst"] > 1e-3


def test_what_does_not_load_says_why(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    torn = write_recommender(tmp_path / "torn")
    (torn / "item_bias.npy").write_bytes(b"\x93NUMPY")
    for folder in (empty, torn, tmp_path / "missing", write_budget(tmp_path / "other")):
        flags = ("--model", "recommender") if folder.name == "other" else ()
        code, answer = check(str(folder), *flags)
        assert code == 0 and answer["loads"] is False
        assert folder.name in answer["why"] and "Traceback" not in answer["why"]
        assert answer["golden"]["count"] == 0


def test_wrong_usage_is_exit_code_2() -> None:
    assert check() == (2, {})
    assert check("somewhere", "--model", "weather") == (2, {})
