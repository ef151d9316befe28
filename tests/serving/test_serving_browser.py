"""The page in a real browser: its script runs under its own security policy."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from serving_bundles import promote_budget, promote_recommender

from marquee.lake import Lake
from serving.source import Source

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking"


@pytest.fixture
def rendered(tmp_path: Path) -> Callable[[str], str]:
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        pytest.skip(f"no browser found; looked for {', '.join(BROWSERS)}")

    def render(address: str) -> str:
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        # Virtual time runs the page's requests to their end and stops; nothing is slept away.
        flags = [*FLAGS.split(), profile, "--virtual-time-budget=10000", "--dump-dom"]
        done = subprocess.run(
            [browser, *flags, address], capture_output=True, text=True, check=True, timeout=120
        )
        return done.stdout

    return render


@pytest.mark.browser
def test_the_page_recommends_and_estimates(
    lake: Lake,
    source: Source,
    tmp_path: Path,
    serve: Callable[[Source], httpx.Client],
    rendered: Callable[[str], str],
) -> None:
    promote_recommender(lake, tmp_path / "one")
    promote_budget(lake, tmp_path / "two")
    source.recommender.look()
    source.budget.look()
    client = serve(source)
    page = rendered(str(client.base_url.join("/?person=10")))
    answer = client.get("/v1/users/10/recommendations").json()
    shown = re.findall(r'<li><span class="poster".*?<b>(.*?)</b>', page)
    assert shown == [r["title"].replace("<", "&lt;").replace(">", "&gt;")
                     for r in answer["recommendations"]]  # fmt: skip
    assert "For 10" in page and "because of" in page
    assert re.search(r'class="money">\$[\d.]+ million', page)
    assert page.count('class="stars"') >= 12
