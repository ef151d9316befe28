"""What does Airflow cost? The same steps through the DAG and from a shell, in turn.

    python -m bench.weekly_run [--data FOLDER] [--repeats 3] [--json FILE]

Needs the stack up (`make up`). Both ways force a whole run: crawl what is due, load, freeze,
prepare both, train both, evaluate, gate, promote, verify. The shell runs together what the DAG
runs together. Prints seconds of each, and the ratio of the medians.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from cli.world_and_lake import settings_for
from local_stack.airflow_api import ENDED_STATES, AirflowApi
from local_stack.environment import stack_environment, with_local_addresses
from marquee.settings import REPOSITORY, Settings
from marquee.state_folders import StateFolders


def main() -> int:
    """Alternate, then print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    settings = with_local_addresses(settings_for(options.data))
    seconds: dict[str, list[float]] = {"Airflow": [], "shell": []}
    for number in range(options.repeats):
        seconds["Airflow"].append(through_airflow(settings))
        seconds["shell"].append(from_a_shell(settings, options.data, f"shell-{number}"))
        print({way: [round(s, 1) for s in runs] for way, runs in seconds.items()}, flush=True)
    medians = {way: statistics.median(runs) for way, runs in seconds.items()}
    ratio = medians["Airflow"] / medians["shell"]
    through, shell = medians["Airflow"], medians["shell"]
    print(f"median {through:.1f} s through Airflow, {shell:.1f} s from a shell")
    print(f"ratio {ratio:.2f}")
    if options.json:
        value = {"seconds": seconds, "medians": medians, "ratio": ratio}
        options.json.write_text(json.dumps(value, indent=1))
    return 0


def through_airflow(settings: Settings) -> float:
    """Seconds of one forced run, from its start to its end, as Airflow records them."""
    api = AirflowApi(settings, StateFolders(settings.state_folder).airflow)
    run_id = api.trigger({"force": True})
    while (run := api.run(run_id))["state"] not in ENDED_STATES:
        time.sleep(1)
    assert run["state"] == "success", api.tasks(run_id)
    start, end = (datetime.fromisoformat(run[key]) for key in ("start_date", "end_date"))
    return (end - start).total_seconds()


def from_a_shell(settings: Settings, data: str, name: str) -> float:
    """Seconds of the same steps, each a process of its own."""
    run = f"{name}-{int(time.time())}"
    environment = os.environ | stack_environment(settings)

    def step(*words: str) -> None:
        command = [sys.executable, "-m", "cli", "step", *words, "--run", run, "--force"]
        command += ["--data", data]
        done = subprocess.run(
            command, cwd=REPOSITORY, env=environment, capture_output=True, text=True
        )
        # A refusal of the gate ends a model's group here as in the DAG: nothing is promoted.
        assert not done.returncode or words[0] == "promote", done.stderr

    def together(*branches: list[tuple[str, ...]]) -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda branch: [step(*words) for words in branch], branches))

    def after_training(model: str) -> list[tuple[str, ...]]:
        steps = (f"train_{model}",), ("evaluate", "--model", model), ("gate", "--model", model)
        return [*steps, ("promote", "--model", model)]

    started = time.monotonic()
    together([("crawl_titles",), ("load_titles",)], [("load_ratings",)], [("load_feedback",)])
    step("freeze_inputs")
    together([("prepare_titles",)], [("prepare_ratings",)])
    together(after_training("budget"), after_training("recommender"))
    step("report")
    return time.monotonic() - started


if __name__ == "__main__":
    sys.exit(main())
