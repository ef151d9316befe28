"""Signing in with a real browser: the form, the page's own requests, and a page of another site."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from marquee.access_tokens import READ
from serving.backend import Backend
from tests.serving.test_serving_browser import BROWSERS, FLAGS


class Browser:
    """One page of a headless browser, driven by its DevTools protocol."""

    def __init__(self, address: str) -> None:
        self._socket = connect(address, max_size=None)
        self._numbers = itertools.count(1)
        self.messages: list[str] = []
        """What the browser complained of, for example about the page's security policy."""
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> Any:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            found = json.loads(self._socket.recv(timeout=120))
            if found.get("method") == "Log.entryAdded":
                self.messages.append(found["params"]["entry"]["text"])
            if found.get("id") == number:
                # An expression that is under way when its page is replaced ends with this error.
                is_replaced = "navigated" in found.get("error", {}).get("message", "")
                assert is_replaced or "error" not in found, found
                return {"result": {}} if is_replaced else found["result"]

    def ask(self, expression: str) -> Any:
        """The value of an expression in the page; None where the page is just being replaced."""
        found = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        return found["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until the expression is true in the page."""
        for _ in range(1_200):
            if self.ask(expression) is True:
                return
            time.sleep(0.1)
        raise AssertionError(f"never {expression}: {self.ask('document.body.innerText')}")


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    program = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"no browser found; looked for {', '.join(BROWSERS)}")
    profile = tmp_path / "profile"
    flags = [*FLAGS.split(), f"--user-data-dir={profile}", "--remote-debugging-port=0"]
    process = subprocess.Popen(
        [program, *flags, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield Browser(_page_address(profile / "DevToolsActivePort", process))
    finally:
        process.terminate()
        process.wait(60)


def _page_address(file: Path, process: subprocess.Popen[bytes]) -> str:
    """Where the browser's first page listens, once the browser has written its port."""
    while not (file.is_file() and file.read_text().count("\n")):
        assert process.poll() is None, "the browser did not start"
        time.sleep(0.1)
    pages = httpx.get(f"http://127.0.0.1:{file.read_text().splitlines()[0]}/json", timeout=60)
    return next(p["webSocketDebuggerUrl"] for p in pages.json() if p["type"] == "page")


@pytest.mark.browser
def test_a_person_signs_in_rates_and_signs_out(
    two: Backend,
    guarded: httpx.Client,
    make_token: Callable[..., str],
    browser: Browser,
    tmp_path: Path,
) -> None:
    secret = make_token("anna", READ, "rate:p-anna")
    home = str(guarded.base_url.join("/?person=p-anna"))
    browser.call("Page.navigate", url=home)
    browser.until("location.pathname === '/sign-in' && !!document.forms[0]")
    field = "document.querySelector('[name=token]')"
    browser.ask(f"{field}.value = 'mq_wrong'; {field}.form.submit()")
    browser.until("document.body.innerText.includes('unknown, revoked or expired')")
    browser.ask(f"{field}.value = '{secret}'; {field}.form.submit()")
    browser.until("location.search === '?person=p-anna'")
    browser.until("document.querySelectorAll('#recommended li').length === 10")
    assert browser.ask("document.cookie") == ""  # no script reads it
    rate = (
        "fetch('/v1/users/p-anna/ratings', {method: 'POST', headers: {'content-type': "
        "'application/json'}, body: JSON.stringify({ratings: [{movie_id: 1, rating: 4}]})})"
        ".then(answer => answer.status)"
    )
    assert browser.ask(rate) == 202
    assert browser.ask(rate.replace("p-anna", "p-bob")) == 403
    assert two.feedback.feedback_of("p-anna") == {1: 4.0}
    assert not [text for text in browser.messages if "Content Security Policy" in text]

    evil = tmp_path / "evil.html"  # a page of another site posts a form of its own
    wanted = guarded.base_url.join("/v1/users/p-anna/ratings")
    evil.write_text(
        f'<form method="post" enctype="text/plain" action="{wanted}">'
        "<input name='x' value='y'></form><script>document.forms[0].submit()</script>"
    )
    browser.call("Page.navigate", url=evil.as_uri())
    browser.until("document.body.innerText.includes('this server asks for a token')")
    assert two.feedback.lines == 1

    browser.call("Page.navigate", url=home)
    browser.until("!!document.querySelector('.top form')")
    browser.ask("document.querySelector('.top form').submit()")
    browser.until("location.pathname === '/sign-in'")
    browser.call("Page.navigate", url=home)
    browser.until("location.pathname === '/sign-in' && !!document.forms[0]")
