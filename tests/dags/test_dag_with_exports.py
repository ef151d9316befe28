"""The DAG where the settings name formats of exports: one more task in each model's group."""

from __future__ import annotations

from pathlib import Path

import pytest

from marquee.schedule import NEXT_TASKS
from tests.plugins.airflow_process import found_by

SCRIPT = """
import json
import weekly_retrain
found = {one.task_id: sorted(one.downstream_task_ids) for one in weekly_retrain.dag.tasks}
"""


def test_the_export_follows_the_promotion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARQUEE_EXPORTS__FORMATS", '["onnx"]')
    follows = found_by(SCRIPT, tmp_path)
    for model in ("budget", "recommender"):
        assert {f"{model}.export", f"{model}.verify_serving"} <= set(follows[f"{model}.promote"])
        assert follows[f"{model}.export"] == ["report"]
    drawn = {
        (name.rsplit(".", 1)[-1], following.rsplit(".", 1)[-1])
        for name, all_of in follows.items()
        for following in all_of
    }
    counted = {(name, one) for name, all_of in NEXT_TASKS.items() for one in all_of}
    # Here no CouchDB is named, and the DAG has no task for it.
    assert {way for way in counted if "publish_documents" not in way} <= drawn
