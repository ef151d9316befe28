"""The real command: it asks for tokens where it is told to, and refuses to be open to all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from marquee.access_tokens import READ, add_token
from marquee.lake import Lake
from tests.serving.test_serving_process import _address, command


def test_the_command_asks_for_tokens_where_it_is_told_to(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    flags = [*command(lake, tmp_path), "--tokens", str(path)]
    with subprocess.Popen(
        [sys.executable, "-m", "serving", *flags],
        env=os.environ | {"MARQUEE_SERVING__ACCESS": "tokens"},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            with httpx.Client(base_url=_address(process), timeout=30) as client:
                refused = client.get("/v1/models")
                assert refused.status_code == 401 and "none was made yet" in refused.text
                _, secret = add_token(path, "kiosk", [READ])
                headers = {"authorization": f"Bearer {secret}"}
                answer = client.get("/v1/models", headers=headers)
                assert answer.status_code == 200 and len(answer.json()["models"]) == 2
                assert "server" not in answer.headers
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_server_that_others_reach_is_not_open(lake: Lake, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "serving", *command(lake, tmp_path), "--host", "0.0.0.0"]
    done = subprocess.run(
        words,
        env=os.environ | {"MARQUEE_SERVING__ACCESS": "open"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        "error: [serving] access is 'open', and other machines can reach 0.0.0.0"
    )
