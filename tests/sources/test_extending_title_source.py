"""To add a title source: a reader, an entry in `TITLE_SOURCES`, a key in `config/base.toml`.

Here a source that this repository does not have is added from outside, and its titles are loaded
through the run's own step.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from marquee.errors import SettingsError, SourceError
from marquee.lake import open_lake
from marquee.settings import REPOSITORY, Settings, load_settings
from sources.title_cells import RowsAsideByFile, refuse_unreadable_file, rows_aside_of
from sources.title_record import Record, title_record
from sources.title_snapshots import records_at
from sources.title_sources import TITLE_SOURCES, TitleSource, licence_note
from steps.form import Form, check_form
from steps.load_sources import load_titles
from steps.run import Run


def read_posters(path: Path, wanted: Collection[str], aside: RowsAsideByFile) -> Iterator[Record]:
    """Lines `tt0123456 A title`, of the titles that ratings know."""
    torn, read = rows_aside_of(aside, path), 0
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        title_id, _, title = line.partition(" ")
        if not title:
            torn.add(number, "has no title")
        elif title_id in wanted:
            read += 1
            yield title_record("posters", title_id, title, type="movie")
    refuse_unreadable_file(path, torn, read)


@pytest.fixture
def posters(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a source that is registered for this test."""
    source = TitleSource("Posters", "Free for any use.", "a file of lines", read_posters)
    monkeypatch.setitem(TITLE_SOURCES, "posters", source)
    return "posters"


def settings_with(tmp_path: Path, place: str) -> Settings:
    """The settings of a configuration whose `[titles]` names a place for the new source."""
    folder = Path(shutil.copytree(REPOSITORY / "config", tmp_path / "config"))
    base = (folder / "base.toml").read_text(encoding="utf-8")
    key = f'posters = "{place}"\n'
    (folder / "base.toml").write_text(base.replace("\n\n[spark]", f"\n{key}\n[spark]"))
    release = tmp_path / "release"
    release.mkdir()
    (release / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,10,4.0,1000\n")
    (release / "movies.csv").write_text("movieId,title,genres\n10,A Film (1999),Drama\n")
    (release / "links.csv").write_text("movieId,imdbId\n10,0123456\n")
    found = load_settings("local", folder)
    ratings = found.ratings.model_copy(update={"source": str(release)})
    return found.model_copy(update={"state": str(tmp_path / "state"), "ratings": ratings})


def run_with(settings: Settings, tmp_path: Path) -> Run:
    """A run whose form chooses the new source."""
    form = Form.of(settings, {"sources": ["posters"]})
    moment = datetime.now(UTC) - timedelta(days=2)
    return Run("r-1", moment, "manual", form, settings, open_lake(f"file://{tmp_path}/lake"))


def test_a_new_source_is_chosen_read_and_loaded(
    tmp_path: Path, posters: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "posters.txt"
    file.write_text("tt0123456 A Film\ntt0000009 Nobody rated this\ntt0000010\n")
    settings = settings_with(tmp_path, str(file))
    assert posters in settings.titles.known_sources
    check_form(settings, {"sources": [posters, "crawl"]})
    run = run_with(settings, tmp_path)
    loaded = load_titles(run)
    (record,) = records_at(run.lake, loaded["path"])
    assert (record["title_id"], record["title"]) == ("tt0123456", "A Film")
    assert record["provenance"]["title"] == posters
    output = capsys.readouterr().out
    assert f"licence: {licence_note(posters)}" in output
    assert "posters.txt: rows set aside: 1 (line 3 has no title)" in output


def test_a_new_source_needs_a_place(tmp_path: Path, posters: str) -> None:
    settings = settings_with(tmp_path, "")
    with pytest.raises(SettingsError, match=r"titles\.posters says no place"):
        check_form(settings, {"sources": [posters]})
    with pytest.raises(SourceError, match=r"titles\.posters says no place.*a file of lines"):
        load_titles(run_with(settings, tmp_path))


def test_a_key_of_no_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"\[titles\] gives posters a place.*choose of csv"):
        load_titles(run_with(settings_with(tmp_path, "somewhere"), tmp_path))


def test_the_settings_name_every_source_that_is_registered() -> None:
    readable = {name for name, source in TITLE_SOURCES.items() if source.read}
    assert set(load_settings("local").titles.places) == readable
