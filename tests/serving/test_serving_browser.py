"""The page in a real browser: its script runs under its own security policy.

What its functions return is asked of them alone, in node where there is one, else in the browser.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from serving_bundles import promote_budget, promote_recommender

from marquee.lake import Lake
from serving.backend import Backend

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SCRIPT = Path("serving/static/marquee.js").resolve()
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
    backend: Backend,
    tmp_path: Path,
    serve: Callable[[Backend], httpx.Client],
    rendered: Callable[[str], str],
) -> None:
    promote_recommender(lake, tmp_path / "one")
    promote_budget(lake, tmp_path / "two")
    backend.recommender.poll()
    backend.budget.poll()
    client = serve(backend)
    page = rendered(str(client.base_url.join("/?person=10")))
    answer = client.get("/v1/users/10/recommendations").json()
    shown = re.findall(r'<li><span class="poster".*?<b>(.*?)</b>', page)
    assert shown == [r["title"].replace("<", "&lt;").replace(">", "&gt;")
                     for r in answer["recommendations"]]  # fmt: skip
    assert "For 10" in page and "because of" in page
    assert re.search(r'class="money">\$[\d.]+ million', page)
    assert page.count('class="stars"') >= 12


@pytest.mark.browser
def test_a_person_who_cannot_be_is_a_warning_and_nobody_elses_list(
    two: Backend, serve: Callable[[Backend], httpx.Client], rendered: Callable[[str], str]
) -> None:
    client = serve(two)
    page = rendered(str(client.base_url.join("/?person=Zoe")))
    assert "For Zoe" in page and 'class="poster"' not in page
    assert re.search(r'id="recommended-by" class="warning">user_id: .Zoe. is not a user id', page)
    page = rendered(str(client.base_url.join("/?person=4711")))
    assert "no ratings of 4711 to go by" in page and page.count('class="poster"') == 10


AMOUNTS = {
    0: "$0", 0.6: "$1", 42: "$42", 949.6: "$950", 999.7: "$1,000", 1_604: "$1,600",
    68_449: "$68,400", 999_499: "$999,000", 999_500: "$1.00 million",
    999_999: "$1.00 million", 1e6: "$1.00 million",
    1_954_000: "$1.95 million", 9_944_000: "$9.94 million", 9_996_000: "$10.0 million",
    98.7e6: "$98.7 million",
    99.94e6: "$99.9 million", 99.96e6: "$100 million", 250.4e6: "$250 million",
    999.4e6: "$999 million", 999.6e6: "$1.00 billion", 1e9: "$1.00 billion",
    3.14e9: "$3.14 billion",
    999.7e9: "$1.00 trillion", 4e15: "$4,000 trillion", -5.5e6: "-$5.50 million",
}  # fmt: skip


@pytest.fixture
def evaluated(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[str, str], list[str]]:
    """Evaluate an expression beside some of the page's own declarations."""

    def evaluate(declarations: str, expression: str) -> list[str]:
        if node := shutil.which("node"):
            script = f"{declarations};process.stdout.write(JSON.stringify({expression}))"
            done = subprocess.run(
                [node, "-e", script], capture_output=True, text=True, check=True, timeout=60
            )
            return json.loads(done.stdout)
        page = tmp_path / "page.html"
        page.write_text(
            f"<body><script>{declarations};"
            f"document.body.textContent = JSON.stringify({expression})</script>"
        )
        shown = request.getfixturevalue("rendered")(page.as_uri())
        return json.loads(re.search(r"<body>(.*)</body>", shown, re.DOTALL)[1])

    return evaluate


@pytest.mark.browser
def test_dollars_read_right_at_every_size(evaluated: Callable[[str, str], list[str]]) -> None:
    text = SCRIPT.read_text()
    found = re.search(r"^const UNITS = .*?^}\n", text, re.MULTILINE | re.DOTALL)
    assert found is not None and "function dollars(" in found[0]
    amounts = [*AMOUNTS, float(10**6)]
    shown = evaluated(found[0], f"{json.dumps(amounts)}.map(dollars)")
    assert dict(zip(amounts, shown, strict=True)) == AMOUNTS
    assert evaluated(found[0], "[NaN, null, Infinity].map(dollars)") == ["unknown"] * 3
