"""Settings: one tree, typed, unknown keys refused by name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pydantic_settings import TomlConfigSettingsSource

from marquee.errors import SettingsError
from marquee.settings import REPOSITORY, load_settings


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return Path(shutil.copytree(REPOSITORY / "config", tmp_path / "config"))


@pytest.mark.parametrize("place", ["local", "cluster"])
def test_every_place_of_the_repository_loads(place: str) -> None:
    assert load_settings(place).schedule.promote == "yes"


def test_overlay_holds_only_what_differs(config: Path) -> None:
    (config / "local.toml").write_text("[crawl]\nmax_pages = 7\n")
    settings = load_settings("local", config)
    assert settings.crawl.max_pages == 7
    assert settings.crawl.refresh_days == load_settings("cluster", config).crawl.refresh_days


def test_environment_wins(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARQUEE_CRAWL__MAX_PAGES", "5")
    assert load_settings("local", config).crawl.max_pages == 5


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("colour = 1", "colour"),
        ("[crawl]\nmax_page = 1", r"crawl\.max_page"),
        ("[crawl]\nmax_pages = 'many'", r"crawl\.max_pages"),
        ("[schedule]\npromote = 'perhaps'", r"schedule\.promote"),
        ("[schedule.minutes]\nfetch_ratings = 15", "unknown task.*fetch_ratings"),
        ("[schedule.minutes]\ntrain = 0", r"schedule\.minutes\.train"),
        ("[titles]\nscv = 'mine.csv'", r"titles\.scv: unknown key"),
        ("[titles]\nsources = ['tape']", "tape; known are crawl, csv"),
        ("world = '../elsewhere'", "world"),
        ("[kafka]\nbootstrap = ','", r"kafka\.bootstrap: '' is not host:port"),
        ("[kafka]\nbootstrap = 'a:9092,'", r"kafka\.bootstrap: '' is not host:port"),
        ("[connect]\nworker = 'http://u:hush@h:1'", "connect: worker and remote hold no login"),
        ("[connect]\nworker = 'ftp://h'", "connect: 'ftp://h' is not http://host:port"),
        ("[streams]\nstatus_seconds = inf", r"streams\.status_seconds"),
        ("crawl = ", "not TOML"),
        ('[lake]\nroot = "file:///a\\u0000b"', r"lake\.root: holds the character NUL"),
        ('[titles]\nsources = ["a\\u0000b"]', r"titles\.sources: holds the character NUL"),
    ],
)
def test_wrong_keys_are_named(config: Path, text: str, named: str) -> None:
    (config / "local.toml").write_text(text)
    with pytest.raises(SettingsError, match=named):
        load_settings("local", config)


def test_unknown_place_names_those_there_are(config: Path) -> None:
    with pytest.raises(SettingsError, match="cluster, local"):
        load_settings("moon", config)


def test_a_file_that_is_no_text_and_a_path_to_no_file_are_sentences(tmp_path: Path) -> None:
    (tmp_path / "bin.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "loop.toml").symlink_to(tmp_path / "loop.toml")
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "deep.toml").write_text(f"a = {'[' * 5000}")
    (tmp_path / "long.toml").write_text(f"seed = {'9' * 5000}")
    for place, said in (
        (str(tmp_path / "bin.toml"), "is not TOML"),
        (str(tmp_path / "deep.toml"), "is not TOML"),
        (str(tmp_path / "long.toml"), "is not TOML"),
        (str(tmp_path / "loop.toml"), "leads to no file"),
        (str(tmp_path / "folder.toml"), "is a folder"),
        ("x" * 300 + ".toml", "leads to no file"),
        ("x" * 5000, "leads to no file"),
        ("~nobody-of-this-name/x.toml", "leads to no file"),
        ("base", "there is no place 'base'"),
    ):
        with pytest.raises(SettingsError, match=said):
            load_settings(place)


def test_a_file_that_this_user_may_not_read_is_a_sentence(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(TomlConfigSettingsSource, "_read_file", refuse)
    with pytest.raises(SettingsError, match="cannot be read: Permission denied"):
        load_settings("local", config)


def test_a_list_in_the_environment_that_is_no_json_says_how_to_write_it(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARQUEE_LAKE__NAMENODES", "a:8020,b:8020")
    with pytest.raises(SettingsError, match=r'field "lake".*JSON, as in \["a:8020", "b:8020"\]'):
        load_settings("local", config)


@pytest.mark.parametrize("name", ["MARQUEE_STREAMS__MAY", "MARQUEE_KAFKA"])
def test_the_variable_that_is_wrong_is_named(
    name: str, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "foo")
    with pytest.raises(SettingsError, match=f"of {name} in the environment"):
        load_settings("local", config)


def test_the_file_with_a_wrong_value_is_named(config: Path) -> None:
    (config / "local.toml").write_text("colour = 1")
    with pytest.raises(SettingsError, match=r"correct it in .*config/local\.toml"):
        load_settings("local", config)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().crawl.max_pages = 1


def test_an_overlay_goes_deep_and_replaces_lists(config: Path) -> None:
    plain = load_settings("local", config)
    (config / "local.toml").write_text(
        "[titles]\nsources = ['csv', 'crawl']\n[stack.ports]\nairflow = 1\n"
    )
    changed = load_settings("local", config)
    assert plain.titles.sources == ("crawl",) and changed.titles.sources == ("csv", "crawl")
    assert changed.titles.places == plain.titles.places
    assert (changed.stack.ports.airflow, changed.stack.ports.serving) == (1, 8000)
    assert changed.stack.memory_mb == plain.stack.memory_mb


def test_links_lead_to_where_people_reach_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARQUEE_STACK__PORT_OFFSET", "100")
    assert load_settings("local").api_url == "http://127.0.0.1:8100"
    monkeypatch.setenv("MARQUEE_SERVING__PUBLIC_URL", "https://films.example/api/")
    found = load_settings("local")
    assert found.api_url == "https://films.example/api"
    assert found.serving_url == "http://127.0.0.1:8100"  # the run asks the process beside it


def test_a_run_asks_serving_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARQUEE_SERVING__HOST", "0.0.0.0")
    assert load_settings("local").serving_url == "http://127.0.0.1:8000"
    monkeypatch.setenv("MARQUEE_SERVING__PUBLIC_URL", "https://films.example")
    monkeypatch.setenv("MARQUEE_STACK__PROCESSES", '["airflow-api"]')
    assert load_settings("local").serving_url == "https://films.example"


@pytest.mark.parametrize(
    "page", ["http://anna:hush@nn:9870", "ftp://anna:hush@nn", "http://a:hush@b@nn?x"]
)
def test_a_password_in_an_address_is_not_shown(
    page: str, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARQUEE_LAKE__WEBHDFS", page)
    with pytest.raises(SettingsError, match=r"…@nn") as caught:
        load_settings("local", config)
    assert "hush" not in str(caught.value)
