"""What a place keeps within bounds: zips of older code, and drivers at once."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from local_stack.airflow_api import pools
from marquee.settings import load_settings
from steps.shipped_code import code_zip


def test_zips_of_older_code_are_swept_once_nobody_uses_them(tmp_path: Path) -> None:
    older = [tmp_path / f"marquee-code-{number:012x}.zip" for number in range(5)]
    for age, path in enumerate(older):
        path.touch()
        moment = time.time() - 2 * 86_400 - age
        os.utime(path, (moment, moment))
    young, other = tmp_path / f"marquee-code-{9:012x}.zip", tmp_path / "notes.txt"
    young.touch()
    other.touch()
    os.utime(other, (0, 0))
    made = code_zip(tmp_path)
    assert {*tmp_path.iterdir()} == {made, young, older[0], other}
    os.utime(young, (0, 0))
    assert code_zip(tmp_path) == made and young.exists(), "one of the three newest"


@pytest.mark.parametrize(
    ("spark", "asked", "slots"),
    [
        ({"master": "local[2]"}, 0, 2),
        ({"master": "spark://pi1:7077"}, 0, 1),
        ({"master": "spark://pi1:7077", "cores": 2}, 0, 2),
        ({"master": "spark://pi1:7077"}, 3, 3),
        ({"master": "yarn"}, 0, 2),
        ({"master": "yarn", "deploy_mode": "cluster"}, 0, 1),
        ({"master": "yarn", "deploy_mode": "cluster"}, 2, 2),
    ],
)
def test_a_second_driver_is_started_only_where_it_gets_cores(
    spark: dict[str, object], asked: int, slots: int
) -> None:
    settings = load_settings("cluster")
    airflow = settings.airflow.model_copy(update={"spark_slots": asked})
    spark_settings = settings.spark.model_copy(update={"cores": 0, **spark})
    settings = settings.model_copy(update={"airflow": airflow, "spark": spark_settings})
    assert pools(settings) == {"spark": slots, "crawl": 1}
