"""web-poet's fixtures are what the replica's templates and the records say today."""

from __future__ import annotations

from pathlib import Path

from write_fixtures import CASES, FOLDER, write

from scrapy_imdb.pages import LAYOUTS


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_every_case_is_there_as_it_would_be_written(tmp_path: Path) -> None:
    for case in CASES:
        write(case, tmp_path)
    assert files(FOLDER) == files(tmp_path), "run tests/scrapy_imdb/write_fixtures.py"


def test_every_layout_has_a_case() -> None:
    assert {case.layout for case in CASES} == set(LAYOUTS)
