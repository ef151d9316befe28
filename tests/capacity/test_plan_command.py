"""`marquee plan` and `marquee units` as somebody types them."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from cli import app
from local_stack import health_checks
from local_stack.host_daemon import NAMES, ROLES
from local_stack.systemd_units import Host, unit_files
from marquee.artefacts import model_card
from marquee.errors import SettingsError
from marquee.host_needs import DataSize, heap_for, local_peak, serving
from marquee.lake import FolderLake
from marquee.settings import REPOSITORY, Settings, load_settings
from sources.ratings_release import size_of_world

ROWS = 2_000


def run(*words: str, status: int = 0) -> str:
    found = CliRunner().invoke(app, list(words), catch_exceptions=status == 0)
    assert found.exit_code == status, found.output
    return found.output


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A release of 2,000 ratings and 50 titles."""
    folder = tmp_path / "mine"
    folder.mkdir()
    rows = [f"{n % 40},{n % 50},4.0,{10**9 + n}" for n in range(ROWS)]
    (folder / "ratings.csv").write_text("\n".join(["userId,movieId,rating,timestamp", *rows, ""]))
    titles = [f"{n},Film {n} (1999),Drama" for n in range(50)]
    (folder / "movies.csv").write_text("\n".join(["movieId,title,genres", *titles, ""]))
    return folder


def test_a_plan_names_boards_tasks_and_settings() -> None:
    said = run("plan", "--rows", "1000000", "--hosts", "1x8GB,3x2GB")
    for word in (
        "board1",
        "airflow",
        "executor",
        "train_recommender",
        "executor_memory",
        "it fits",
    ):
        assert word in said


@pytest.mark.parametrize(
    "words",
    [
        ("plan", "--rows", "1", "--hosts", "9" * 5000 + "x4GB"),
        ("plan", "--rows", "1", "--hosts", "٣x٤GB"),
        ("plan", "--rows", "9" * 400),
        ("plan", "--rows", "10", "--titles", "9" * 400),
        ("plan", "--rows", "10", "--people", str(10**12 + 1)),
        ("units", "--role", "serving", "--rows", "9" * 400),
    ],
)
def test_numbers_that_no_shelf_has_are_one_sentence(words: tuple[str, ...]) -> None:
    with pytest.raises(SettingsError, match=r"names no boards|more than 1,000,000,000,000") as said:
        CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert said.value.status == 2 and len(str(said.value)) < 200


def test_a_plan_that_does_not_fit_has_the_status_1() -> None:
    said = run("plan", "--rows", "1000000", "--hosts", "4x1GB", status=1)
    assert "does not fit" in said and "it fits" not in said


def test_the_json_and_the_toml_say_the_same() -> None:
    words = ("--rows", "100836", "--people", "610", "--titles", "9724", "--hosts", "4x4GB")
    found = json.loads(run("plan", *words, "--json"))
    assert found["size"] == {"ratings": 100836, "people": 610, "titles": 9724}
    assert found["fits"] is True and len(found["boards"]) == 4
    assert tomllib.loads(run("plan", *words, "--toml"))["spark"].items() >= found["spark"].items()
    task = found["tasks"]["train_recommender"]
    assert task["one_machine"] > task["at_airflow"] > task["python"] > 0


def roles_of(*words: str) -> dict[str, int]:
    found = json.loads(run("plan", "--rows", "100836", "--hosts", "4x4GB", *words, "--json"))
    return {role: need for board in found["boards"] for role, need in board["roles"].items()}


def test_a_plan_counts_the_engines_that_the_place_has_or_that_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not {"kafka", "connect", "stream"} & roles_of().keys()
    named = roles_of("--with", "kafka, stream")
    assert named["kafka"] >= 200 and named["stream"] > 50 and "connect" not in named
    monkeypatch.setenv("MARQUEE_CONNECT__WORKER", "http://connect:8002")
    monkeypatch.setenv("MARQUEE_DOCUMENTS__URL", "http://couchdb:5984")
    assert roles_of()["connect"] > 900 and "connect" not in roles_of("--with", "none")
    tasks = json.loads(run("plan", "--rows", "100836", "--hosts", "1x16GB", "--json"))["tasks"]
    assert "publish_documents" in tasks
    monkeypatch.setenv("MARQUEE_STREAMS__HOW", "spark")
    assert roles_of("--with", "kafka,stream")["stream"] > 2 * named["stream"]


def test_one_machine_holds_its_engines_beside_the_stack() -> None:
    words = ("--rows", "100836", "--hosts", "1x16GB", "--with", "kafka,connect,stream,documents")
    (board,) = json.loads(run("plan", *words, "--json"))["boards"]
    assert board["roles"].keys() == {"local stack", "kafka", "connect", "stream"}
    place = tomllib.loads(run("plan", *words, "--toml"))
    embedded = {name for name, section in place.items() if section.get("embedded")}
    assert embedded == {"kafka", "connect", "streams"} and place["documents"]["url"]


def test_in_cluster_mode_the_drivers_are_not_with_airflow() -> None:
    client, cluster = (roles_of("--yarn", "--deploy-mode", mode) for mode in ("client", "cluster"))
    assert client["airflow"] - cluster["airflow"] > 500
    assert cluster["application master"] > client["application master"] + 500
    words = ("plan", "--rows", "100836", "--hosts", "4x4GB", "--yarn")
    said = tomllib.loads(run(*words, "--deploy-mode", "cluster", "--toml"))["spark"]
    assert (said["master"], said["deploy_mode"]) == ("yarn", "cluster")
    # The container must hold the largest driver's Python: it is not in the heap.
    python = json.loads(run(*words, "--json"))["tasks"]["train_recommender"]["python"]
    assert int(said["driver_overhead"].removesuffix("m")) > 1.2 * python
    assert "driver_overhead" not in tomllib.loads(run(*words, "--toml"))["spark"]


def test_a_plan_reads_the_size_of_a_release(release: Path) -> None:
    found = json.loads(run("plan", "--data", str(release), "--hosts", "1x16GB", "--json"))
    assert found["size"]["ratings"] == pytest.approx(ROWS, rel=0.02)
    assert found["size"]["titles"] == pytest.approx(50, abs=2)


def test_a_packed_release_is_about_as_long(release: Path) -> None:
    table = release / "ratings.csv"
    with gzip.open(release / "ratings.csv.gz", "wb") as out:
        out.write(table.read_bytes())
    table.unlink()
    source = load_settings("local").ratings.model_copy(update={"source": str(release)})
    found = size_of_world(load_settings("local").model_copy(update={"ratings": source}))
    assert ROWS / 3 < found.ratings < ROWS * 3


def test_a_plan_reads_the_largest_run_of_a_lake(tmp_path: Path) -> None:
    lake = FolderLake(f"file://{tmp_path}")
    for run_id, rows in (("r-1", 5_000), ("r-2", 7_000)):
        figures = {
            "format": model_card.FORMATS["ratings"],
            "rows": rows,
            "people": 70,
            "titles": 90,
        }
        lake.create(f"runs/{run_id}/data/ratings.json", json.dumps(figures).encode())
    found = json.loads(run("plan", "--lake", f"file://{tmp_path}", "--hosts", "1x16GB", "--json"))
    assert found["size"] == {"ratings": 7_000, "people": 70, "titles": 90}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("plan", "--hosts", "four"), "'four' names no boards"),
        (("plan", "--data", "/nowhere"), "there is no folder"),
        (("plan", "--rows", "9", "--with", "kafak"), "there is no engine 'kafak'"),
        (("plan", "--rows", "9", "--with", "stream"), "a stream needs a Kafka — add kafka"),
        (("plan", "--rows", "9", "--deploy-mode", "cluster"), "add --yarn"),
        (("units", "--role", "stream"), "a stream needs a Kafka — set [kafka] bootstrap"),
        (("units", "--role", "postgres"), "apt install postgresql"),
        (("units", "--role", "cook"), "there is no role 'cook'"),
        (("units", "--role", "serving", "--user", "a b"), "is no name of a user"),
        (("units", "--role", "serving", "--user", ""), "is no name of a user"),
        (("units", "--role", "serving", "--user", "a;b"), "is no name of a user"),
        (("units", "--role", "serving", "--user", "a\n"), "is no name of a user"),
        (("units", "--role", "serving", "--folder", "rel"), "path of the data is 'rel'"),
        (("units", "--role", "serving", "--folder", "/a/../b"), "which a unit cannot name"),
        (("units", "--role", "serving", "--folder", "/a\n"), "which a unit cannot name"),
        (("units", "--role", "serving", "--folder", "/%h"), "which a unit cannot name"),
        (("units", "--role", "serving", "--to", "/dev/null"), "name another folder with --to"),
        (("units", "--role", "serving", "--to", "/proc/x"), "name another folder with --to"),
    ],
)
def test_a_wrong_word_is_refused_before_anything_is_written(
    words: tuple[str, ...], says: str
) -> None:
    found = CliRunner().invoke(app, list(words))
    assert getattr(found.exception, "status", None) == 2
    assert says in str(found.exception) and not found.stdout


def test_the_doctor_wants_what_the_plan_counts(
    release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = SimpleNamespace(available=64 * 2**30)
    monkeypatch.setattr(health_checks.psutil, "virtual_memory", lambda: memory)

    def wanted(settings: Settings) -> int:
        (found,) = (
            one for one in health_checks.check_machine(settings, True) if one.name == "memory"
        )
        return int(found.detail.split("MB free, ")[1].removesuffix(" MB wanted"))

    plain = load_settings("local")
    assert wanted(plain) == plain.stack.memory_mb  # which holds the synthetic world
    large = release / "ratings.csv"
    with large.open("a") as out:
        out.write("1,1,4.0,1000000000\n" * 200_000)
    source = plain.ratings.model_copy(update={"source": str(release)})
    size = size_of_world(plain.model_copy(update={"ratings": source}))
    assert size.ratings > 150_000
    grown = wanted(plain.model_copy(update={"ratings": source}))
    assert grown == max(plain.stack.memory_mb, round(local_peak(size, heap_for(size))))
    nothing = plain.ratings.model_copy(update={"source": str(release / "none")})
    assert wanted(plain.model_copy(update={"ratings": nothing})) == plain.stack.memory_mb


def test_units_hold_what_a_power_cut_needs(tmp_path: Path) -> None:
    run("units", *(word for role in ROLES for word in ("--role", role)), "--to", str(tmp_path))
    services = {path.stem.removeprefix("marquee-"): path for path in tmp_path.glob("*.service")}
    assert services.keys() == set(NAMES)
    for name, path in services.items():
        text = path.read_text()
        assert f"local_stack.host_daemon {name}\n" in text
        for line in (
            "Restart=always",
            "User=marquee",
            "WantedBy=marquee.target",
            "RequiresMountsFor=",
        ):
            assert line in text
        assert ("RestartPreventExitStatus=2" in text) == (name == "stream")
        assert int(text.split("MemoryMax=")[1].split("M\n")[0]) >= 32
    assert "After=network-online.target time-sync.target marquee-namenode.service" in (
        services["datanode"].read_text()
    )
    assert "--prepare" in services["airflow-api"].read_text()
    assert "OOMPolicy=continue" in services["spark-worker"].read_text()
    assert "WantedBy=multi-user.target" in (tmp_path / "marquee.target").read_text()
    assert "PASSWORD" in (tmp_path / "airflow.env.example").read_text()
    assert "PASSWORD" not in (tmp_path / "marquee.env.example").read_text()
    for role in ("airflow", "serving", "stream", "connect"):
        private = {n for n, path in services.items() if f"/{role}.env" in path.read_text()}
        assert private == set(ROLES[role])
        example = (tmp_path / f"{role}.env.example").read_text()
        assert "mode 0600" in example and all(line[0] == "#" for line in example.splitlines())


def test_a_folder_of_root_s_is_said_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_text", refuse)
    found = CliRunner().invoke(app, ["units", "--role", "serving", "--to", str(tmp_path)])
    assert "Permission denied — run this with sudo" in str(found.exception)


def test_a_checkout_that_a_unit_cannot_name_is_refused() -> None:
    for host in (Host(checkout=Path("/a b")), Host(python=Path("/a b/bin/python"))):
        with pytest.raises(SettingsError, match=r"'/a b.*which a unit cannot name"):
            unit_files(["serving"], load_settings(), DataSize.of(ROWS), host)


def test_memory_max_is_the_plan_and_a_quarter(tmp_path: Path) -> None:
    for rows in (20_000, 10_000_000):
        run("units", "--role", "airflow", "--role", "serving", "--rows", str(rows),
            "--to", str(tmp_path / str(rows)))  # fmt: skip

    def limit(rows: int, name: str) -> int:
        text = (tmp_path / str(rows) / f"marquee-{name}.service").read_text()
        return int(text.split("MemoryMax=")[1].split("M\n")[0])

    for name in ("airflow-scheduler", "serving"):
        assert limit(10_000_000, name) > limit(20_000, name)
    assert limit(10_000_000, "airflow-api") == limit(20_000, "airflow-api")
    assert limit(20_000, "serving") >= 1.25 * serving(DataSize.of(20_000))


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd-analyze is not on this machine: the units are not verified here")
    run("units", *(word for role in ROLES for word in ("--role", role)), "--to", str(tmp_path))
    files = sorted(map(str, [*tmp_path.glob("*.service"), *tmp_path.glob("*.target")]))
    assert len(files) == len(NAMES) + 1
    done = subprocess.run([verify, "verify", *files], capture_output=True, text=True)
    said = [line for line in done.stderr.splitlines() if "marquee" in line]
    assert (done.returncode, said) == (0, [])


def test_units_name_the_place_that_they_were_made_for(tmp_path: Path) -> None:
    place = tmp_path / "shelf.toml"
    place.write_text((REPOSITORY / "config" / "cluster.toml").read_text())
    for name, wanted in ((str(place), str(place)), ("cluster", "cluster"), ("local", "cluster")):
        made = unit_files(["datanode"], load_settings(name), DataSize.of(100_836))
        assert f"MARQUEE_PLACE={wanted}\n" in made["marquee.env.example"]
