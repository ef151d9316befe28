"""The site as a browser or a crawler meets it, over HTTP, and its command line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from replica.site import linked_ids, saved_pages
from replica.site_faults import FAULT_RESPONSES, fault_from_flag

REPOSITORY = Path(__file__).resolve().parents[2]
TITLE = {"title_id": "tt1234567", "title": "Ä <b>", "type": "movie", "year": 1999}
OTHER = {"title_id": "tt7654321", "title": "Other", "type": "movie"}


def serve(*flags: str) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, "-m", "replica", "serve", "--port", "0", *flags]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    return process, process.stdout.readline().removeprefix("replica: ").strip()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    (folder / "titles.jsonl").write_text("\n".join(map(json.dumps, (TITLE, OTHER))))
    return folder


@pytest.fixture(scope="module")
def site(world: Path) -> Iterator[httpx.Client]:
    process, url = serve("--world", str(world))
    with httpx.Client(base_url=url, transport=httpx.HTTPTransport(retries=20)) as client:
        yield client
    process.terminate()
    process.wait(20)
    assert process.stdout
    process.stdout.close()


@pytest.fixture(autouse=True)
def healthy(site: httpx.Client) -> Iterator[None]:
    yield
    site.delete("/_faults").raise_for_status()


def test_a_title_has_a_page_and_others_have_none(site):
    page = site.get("/title/tt1234567/")
    assert page.status_code == 200 and "text/html" in page.headers["content-type"]
    assert "Ä &lt;b&gt;" in page.text and "<title>Ä <b>" not in page.text
    assert site.get("/title/tt0000001/").status_code == 404
    assert site.get("/title/tt1234567").headers["location"] == "/title/tt1234567/"


def test_it_tells_that_it_is_ready_and_what_robots_may(site):
    assert site.get("/healthz").json() == {"titles": 2}
    assert "Disallow: /_faults" in site.get("/robots.txt").text


@pytest.mark.parametrize(
    ("kind", "status"),
    [("challenge", 202), ("captcha", 200), ("403", 403), ("405", 405), ("429", 429), ("503", 503)],
)
def test_faults_show_as_real_sites_show_them_and_go_away(site, kind, status):
    well = site.get("/title/tt1234567/").text
    site.post("/_faults", json={"kind": kind, "after": 1, "retry_after": "7"})
    assert site.get("/title/tt1234567/").text == well
    shown = site.get("/title/tt1234567/")
    assert shown.status_code == status and shown.text != well
    assert kind not in ("429", "503") or shown.headers["retry-after"] == "7"
    site.delete("/_faults")
    assert site.get("/title/tt1234567/").text == well


def test_a_fault_may_name_its_titles_and_how_often(site):
    site.post("/_faults", json={"kind": "500", "titles": ["tt7654321"], "times": 2})
    statuses = [site.get("/title/tt7654321/").status_code for _ in range(3)]
    assert statuses == [500, 500, 200]
    assert site.get("/title/tt1234567/").status_code == 200


def test_a_cut_connection_is_a_cut_connection(site):
    site.post("/_faults", json={"kind": "truncated"})
    with pytest.raises(httpx.RemoteProtocolError):
        site.get("/title/tt1234567/")


def test_an_unknown_fault_is_refused_with_the_names_there_are(site):
    answer = site.post("/_faults", json={"kind": "flood"})
    assert answer.status_code == 422 and "challenge" in answer.json()["error"]
    assert site.post("/_faults", content=b"nonsense").status_code == 422


def test_faults_can_be_set_on_the_command_line():
    fault = fault_from_flag("429,after=10,times=2,retry_after=3,titles=tt1+tt2")
    assert (fault.kind, fault.after, fault.times) == ("429", 10, 2)
    assert (fault.retry_after, fault.titles) == ("3", ("tt1", "tt2"))
    assert fault.kind in FAULT_RESPONSES


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--world", "/nowhere"], "cannot be opened"),
        (["--imdb5000", "/nowhere"], "is missing"),
        (["--world", "WORLD", "--layout", "cubist"], "no layout is called 'cubist'"),
        (["--world", "WORLD", "--fault", "flood"], "no fault is called 'flood'"),
        (["--world", "WORLD", "--pages", "/nowhere"], "holds no page"),
    ],
)
def test_a_wrong_flag_is_one_clear_line(world, flags, says):
    flags = [str(world) if flag == "WORLD" else flag for flag in flags]
    command = [sys.executable, "-m", "replica", "serve", *flags]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and says in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_damaged_world_names_its_line(tmp_path):
    (tmp_path / "titles.jsonl").write_text(json.dumps(TITLE) + "\n{broken\n")
    command = [sys.executable, "-m", "replica", "serve", "--world", str(tmp_path)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "line 2 is not a title" in done.stderr


def test_links_and_saved_pages_are_found_by_id(tmp_path):
    links = tmp_path / "links.csv"
    links.write_text("imdbId,movieId\n0114709,1\ntt0113497,2\n,3\n")
    assert linked_ids(links) == {"tt0114709", "tt0113497"}
    for name in ("b/tt0114709_2020.html.gz", "a/tt0114709_2014.html.gz", "a/find_1.html.gz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert saved_pages(tmp_path) == {"tt0114709": tmp_path / "b/tt0114709_2020.html.gz"}
