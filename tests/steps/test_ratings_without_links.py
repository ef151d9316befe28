"""A release that links no title to IMDb: the recommender goes on, the budget side says why not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from local_stack.environment import replica_titles
from marquee.errors import SourceError
from marquee.state_folders import StateFolders
from replica.__main__ import _parser
from steps.crawl_titles import crawl_titles
from steps.freeze_inputs import freeze_inputs
from steps.load_sources import find_ratings, load_ratings, load_titles
from steps.run import NO_TITLES, Run
from steps.run_report import report

MakeRun = Callable[..., Run]


@pytest.fixture
def unlinked(release: Path) -> Path:
    """MovieLens 100K's form, in place of the newer one."""
    for path in release.iterdir():
        path.unlink()
    (release / "u.data").write_text("1\t10\t4\t1000\n2\t10\t3\t1700000000\n")
    (release / "u.item").write_text(f"10|A Film (1999)|01-Jan-1999||{'|0' * 19}\n")
    return release


@pytest.mark.usefixtures("unlinked")
def test_nothing_is_crawled_and_the_run_goes_on(
    make_run: MakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run("r-1", datetime.now().isoformat())
    assert crawl_titles(run) == {"folder": None}
    assert "nothing to crawl" in capsys.readouterr().out
    assert load_titles(run) == {"path": None, "rows": 0}
    loaded = load_ratings(run, **find_ratings(run))
    assert "no title is linked to IMDb" in capsys.readouterr().out
    freeze_inputs(run, loaded["path"])
    inputs = run.lake.read_json(run.path("inputs.json"))
    assert inputs["titles"] == []
    assert (inputs["ratings"]["rows"], inputs["ratings"]["text_ids"]) == (2, [])
    assert report(run)["models"]["budget"]["sentence"] == f"{NO_TITLES}; the champion stays"


def test_the_replica_serves_no_titles(make_run: MakeRun, unlinked: Path) -> None:
    run = make_run("r-1")
    flags = replica_titles(run.settings, StateFolders(unlinked))
    assert flags == ""
    options = _parser().parse_args(["serve", *flags.split()])
    assert (options.world, options.imdb5000, options.links) == (None, None, None)


def test_a_folder_of_no_release_is_refused(make_run: MakeRun, release: Path) -> None:
    (release / "ratings.csv").unlink()
    with pytest.raises(SourceError, match="holds no ratings"):
        find_ratings(make_run("r-1"))


def test_what_a_release_lacks_is_said_at_every_load(
    make_run: MakeRun, release: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (release / "ratings.csv").open("a") as out:
        out.write("5,77,4.0,2000\n5,10,4.0\n5,10,11,2000\n")
    for _ in range(2):
        run = make_run("r-1")
        load_ratings(run, **find_ratings(run))
        said = capsys.readouterr().out
        assert "the rating is outside 0.5 to 5: 1 (line" in said
        assert "rows of ratings left out: 1 (line" in said
        assert "1 of 2 rated titles are not in the list of titles (1 ratings; 77)" in said
    assert "already loaded" in said
