"""The doors of the house: who may import whom, and which engine may enter which room."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from marquee.settings import REPOSITORY

ROOMS = (
    "dags",
    "plugins",
    "marquee",
    "sources",
    "scoring",
    "release",
    "report",
    "steps",
    "local_stack",
    "cli",
    "scrapy_imdb",
    "spark_apps",
    "serving",
    "exports",
    "broker",
    "streams",
    "spark_connect",
    "documents",
    "replica",
)

# room -> rooms it may import beside itself
DOORS = {
    "marquee": set(),
    "sources": {"marquee"},
    "scoring": {"marquee", "sources"},
    "release": {"marquee"},
    "report": {"marquee", "release"},
    "exports": {"marquee", "sources", "scoring"},
    "broker": {"marquee", "sources"},
    "documents": {"marquee", "sources", "scoring", "release", "serving"},
    "steps": {
        "marquee",
        "sources",
        "scoring",
        "release",
        "report",
        "exports",
        "broker",
    },
    "local_stack": {"marquee", "sources"},
    "cli": {
        "marquee",
        "sources",
        "scoring",
        "release",
        "report",
        "steps",
        "local_stack",
        "exports",
        "broker",
        "documents",
    },
    "scrapy_imdb": {"marquee", "sources"},
    "spark_apps": {"marquee", "sources", "scoring"},
    "serving": {"marquee", "sources", "scoring", "release", "report", "broker"},
    "streams": {"marquee", "sources", "scoring", "release", "serving", "broker"},
    "spark_connect": {"marquee", "sources", "scoring", "release", "serving"},
    "replica": {"marquee", "sources"},
    "plugins": {"marquee", "release", "steps"},
    "dags": {"plugins", "marquee"},
}

# engine -> rooms (or folders of rooms) it may enter
ENGINES = {
    "airflow": ("dags", "plugins"),
    "pyspark": ("spark_apps", "spark_connect", "streams/spark_batches.py"),
    "py4j": ("spark_apps", "streams/spark_batches.py"),
    "scrapy": ("scrapy_imdb",),
    "scrapy_poet": ("scrapy_imdb",),
    "web_poet": ("scrapy_imdb",),
    "twisted": ("scrapy_imdb",),
    "fastapi": ("serving", "replica"),
    "starlette": ("serving", "streams", "spark_connect", "replica"),
    "uvicorn": ("serving", "streams", "spark_connect", "replica"),
    "numpy": ("scoring", "spark_apps", "serving", "exports", "streams", "spark_connect", "replica"),
    "pyarrow": ("scoring", "spark_apps", "serving", "exports", "spark_connect", "replica"),
    "pandas": ("spark_apps", "spark_connect"),
    "onnx": ("exports",),
    "onnxruntime": ("exports",),
    "pypmml": ("exports",),
    "jpype": ("exports",),
    "confluent_kafka": ("broker", "streams"),
    "scipy": ("spark_apps", "scoring"),
    "hdfs": ("marquee/lake",),
    "supervisor": ("local_stack",),
    "typer": ("cli",),
    "prometheus_client": ("serving", "streams"),
    "rich": ("cli",),
}
TOP_FILES = {
    *("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "GLOSSARY.md", "LICENSE"),
    *("Makefile", "Procfile", "docker-compose.yaml", "pyproject.toml"),
    *(".dockerignore", ".gitignore"),
}
PACKAGES = {"marquee_airflow": "plugins"} | {room: room for room in ROOMS if room != "plugins"}


def modules() -> list[Path]:
    """Every Python module of every room."""
    return sorted(p for room in ROOMS for p in (REPOSITORY / room).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Top-level names a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.split(".")[0]


def place(path: Path) -> str:
    """A module's path inside the repository."""
    return path.relative_to(REPOSITORY).as_posix()


def test_every_room_has_modules() -> None:
    assert {place(p).split("/")[0] for p in modules()} == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_import_only_through_doors(room: str) -> None:
    allowed = DOORS[room] | {room}
    wrong = [
        f"{place(path)} imports {name}"
        for path in modules()
        if place(path).startswith(f"{room}/")
        for name in imported(path)
        if name in PACKAGES and PACKAGES[name] not in allowed
    ]
    assert wrong == []


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_engines_stay_in_their_rooms(engine: str) -> None:
    rooms = tuple(room if room.endswith(".py") else f"{room}/" for room in ENGINES[engine])
    wrong = [
        place(path)
        for path in modules()
        if engine in imported(path) and not place(path).startswith(rooms)
    ]
    assert wrong == []


def dotted(path: Path) -> str:
    """A module's name as an import writes it; a package's for its `__init__`."""
    below = path.relative_to(REPOSITORY / ("plugins" if place(path).startswith("plugins/") else ""))
    return ".".join(part for part in below.with_suffix("").parts if part != "__init__")


def surface(package: str) -> set[str]:
    """The modules and names that a package's `__init__` lets others use."""
    path = HOUSE[package]
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


def insides(path: Path) -> Iterator[str]:
    """Each import of another package's module or name that its surface does not list."""
    name = dotted(path)
    own = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not node.module or node.level:
            continue
        for alias in node.names:
            steps = f"{node.module}.{alias.name}".split(".")
            for depth in range(1, len(steps)):
                package = ".".join(steps[:depth])
                if package not in HOUSE or HOUSE[package].name != "__init__.py":
                    break
                inside = own == package or own.startswith(f"{package}.")
                if not inside and steps[depth] not in surface(package):
                    yield f"{place(path)} imports {steps[depth]} from inside {package}"


HOUSE = {dotted(path): path for path in modules()}


@pytest.mark.parametrize("room", ROOMS)
def test_packages_are_used_by_their_surface(room: str) -> None:
    wrong = [
        sentence
        for path in modules()
        if place(path).startswith(f"{room}/")
        for sentence in insides(path)
    ]
    assert wrong == []


def test_config_holds_data_only() -> None:
    assert list((REPOSITORY / "config").rglob("*.py")) == []


def test_no_vague_module_names() -> None:
    vague = {"utils", "helpers", "common", "manager", "base", "misc", "util", "helper"}
    assert [place(p) for p in modules() if p.stem in vague] == []


def test_every_module_says_what_it_is() -> None:
    silent = [place(p) for p in modules() if not ast.get_docstring(ast.parse(p.read_text("utf-8")))]
    assert silent == []


def test_no_loose_file_lies_at_the_top() -> None:
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    loose = {name for name in listed if "/" not in name} - TOP_FILES
    assert not loose


def test_locks_name_no_address() -> None:
    locks = list((REPOSITORY / "requirements").glob("*.txt"))
    assert len(locks) >= 5
    for lock in locks:
        lines = lock.read_text().splitlines()
        assert [x for x in lines if "://" in x or x.strip().startswith(("-i ", "--index"))] == []
        assert any("--hash=sha256:" in line for line in lines)
