"""`marquee tokens`: what it prints, and which file it writes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import app
from marquee.access_tokens import digest_of, read_tokens


@pytest.fixture
def marquee(tmp_path: Path):
    """Run `marquee tokens …` on a file of its own."""

    def run(*words: str):
        return CliRunner().invoke(app, ["tokens", *words, "--file", str(tmp_path / "tokens.json")])

    return run


def test_the_secret_stands_alone_and_is_shown_once(marquee, tmp_path: Path) -> None:
    done = marquee("add", "kiosk", "--may", "read", "--may", "rate:p-anna", "--days", "30")
    assert done.exit_code == 0, done.output
    secret = done.stdout.strip()
    (token,) = read_tokens(tmp_path / "tokens.json")
    assert digest_of(secret) == token.digest and token.scopes == ("read", "rate:p-anna")
    assert "'kiosk' may read, rate:p-anna until" in done.stderr and "shown once" in done.stderr
    assert "serving on loopback asks nobody" in done.stderr
    listed = marquee("list")
    assert "kiosk" in listed.stdout and secret[-4:] in listed.stdout
    assert secret not in listed.output and token.digest not in listed.output


def test_scripts_get_json(marquee) -> None:
    made = json.loads(marquee("add", "kiosk", "--may", "reports", "--json").stdout)
    assert made["secret"].startswith("mq_") and made["expires"] is None
    (listed,) = json.loads(marquee("list", "--json").stdout)
    assert listed == {key: made[key] for key in listed}
    assert "secret" not in listed and "digest" not in listed and listed["scopes"] == ["reports"]


def test_a_revoked_token_is_gone(marquee) -> None:
    assert "no token was made" in marquee("list").stdout
    marquee("add", "kiosk", "--may", "read")
    assert "revoked the token of 'kiosk'" in marquee("revoke", "kiosk").stdout
    again = marquee("revoke", "kiosk")
    assert again.exit_code == 1 and getattr(again.exception, "status", None) == 2
    assert "there is no token of 'kiosk'" in str(again.exception)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["add", "kiosk", "--may", "write"], "'write' is no scope"),
        (["add", "a b", "--may", "read"], "names no holder"),
    ],
)
def test_wrong_arguments_make_no_token(marquee, tmp_path: Path, words, says: str) -> None:
    done = marquee(*words)
    assert says in str(done.exception) and getattr(done.exception, "status", None) == 2
    assert not (tmp_path / "tokens.json").exists()


def test_a_file_that_was_written_by_hand_is_shown_as_it_is(marquee, tmp_path: Path) -> None:
    marquee("add", "kiosk", "--may", "read")
    path = tmp_path / "tokens.json"
    found = json.loads(path.read_text())
    found["tokens"][0] |= {"name": "[/x]", "ending": "[b]", "scopes": ["admin", "read"]}
    found["tokens"].append(found["tokens"][0] | {"name": "none", "scopes": []})
    path.write_text(json.dumps(found))
    listed = " ".join(marquee("list").stdout.split())
    for words in ("[/x]", "[b]", "admin opens nothing", "it opens nothing"):
        assert words in listed
    assert "revoked the token of '[/x]' (…[b])" in marquee("revoke", "[/x]").stdout


def test_an_empty_name_of_a_file_is_refused() -> None:
    done = CliRunner().invoke(app, ["tokens", "list", "--file", ""])
    assert "--file names no file" in str(done.exception)
    assert getattr(done.exception, "status", None) == 2


def test_without_a_stack_the_world_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARQUEE_STATE", str(tmp_path))
    add = ["tokens", "add", "kiosk", "--may", "read"]
    for flags, world in (([], "synthetic"), (["--data", "ml-latest-small"], "ml-latest-small")):
        made = CliRunner().invoke(app, [*add, *flags])
        assert made.exit_code == 0, made.output
        assert len(read_tokens(tmp_path / world / "tokens.json")) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", [(), ("--json",)])
def test_a_secret_that_nobody_can_have_seen_opens_nothing(tmp_path: Path, words) -> None:
    path = tmp_path / "tokens.json"
    command = [sys.executable, "-m", "cli", "tokens", "add", "kiosk", "--may", "read", *words]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*command, "--file", str(path)], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 2 and read_tokens(path) == ()
    assert done.stderr.startswith("error: the secret cannot be printed (No space left on device)")
    assert done.stderr.count("\n") == 1, done.stderr
