"""Every wrong world through the whole stack: the meant condition of the gate refuses, no other.

A sound world is promoted by a real weekly run first. Then each fault's world takes its place, a
run on it is judged beside that champion, and its verdict is read. Faults that are judged as a
first run have a stack of their own.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local_stack.airflow_api import ENDED_STATES, AirflowApi
from local_stack.stack import Stack
from marquee.artefacts.verdict import read_verdict
from marquee.identifiers import run_slug
from marquee.lake import Lake, open_lake
from marquee.policy import MODELS
from marquee.settings import Settings, load_settings
from replica.make_world import make_world
from replica.world_faults import FAULTS, WorldFault
from tests.drill.rounds import Drill, Figures
from tests.plugins.local_stack import stack_settings

MINUTES = 60  # until a run that hangs is given up
COLUMNS = "{:<18} {:<12} {:<6} {}"


@dataclass(frozen=True)
class Rig:
    """A running stack whose lake is a drill's."""

    stack: Stack
    api: AirflowApi
    lake: Lake

    def put(self, fault: str | None) -> None:
        """Put a world in the place of the one there; the replica serves its titles anew, and the
        crawl has seen none of them."""
        places, settings = self.stack.folders, self.stack.settings
        shutil.rmtree(places.world, ignore_errors=True)
        sizes = settings.seed, settings.synthetic.people, settings.synthetic.titles
        make_world(places.world, *sizes, fault=fault)
        shutil.rmtree(places.crawl, ignore_errors=True)
        self._restart("replica")

    def run(self, **form: object) -> str:
        """A whole run of the DAG; its slug. Raises AssertionError where it does not end well."""
        run_id = self.api.trigger(form)
        deadline = time.monotonic() + MINUTES * 60
        while (state := self.api.run(run_id)["state"]) not in ENDED_STATES:
            assert time.monotonic() < deadline, f"{run_id} did not end"
            time.sleep(2)
        failed = [t["task_id"] for t in self.api.tasks(run_id) if t["state"] == "failed"]
        assert state == "success", f"{run_id} failed in {', '.join(failed)}"
        return run_slug(run_id)

    def refused(self, slug: str, model: str) -> set[int]:
        """The numbers of the conditions that refused the run's model."""
        data = self.lake.read_bytes(f"runs/{slug}/models/{model}/verdict.json")
        return {condition.number for condition in read_verdict(data).failed}

    def _restart(self, name: str) -> None:
        def pid() -> int:
            processes = self.stack.supervisor.processes()
            return next(int(p["pid"]) for p in processes if p["name"] == name)

        before, deadline = pid(), time.monotonic() + 120
        os.kill(before, signal.SIGKILL)
        while pid() in (0, before) or any(
            p["lacks"] for p in self.stack.status() if p["name"] == name
        ):
            assert time.monotonic() < deadline, f"{name} did not come back"
            time.sleep(0.3)


def settings_at(state: Path) -> Settings:
    """A stack's settings on free ports; its lake is to be a drill's."""
    lake = load_settings("local").lake.model_copy(update={"drill": True})
    return stack_settings(state, lake=lake)


@contextmanager
def rig_at(state: Path) -> Iterator[Rig]:
    """A stack from nothing, on the sound world; stopped and its state removed afterwards."""
    shutil.rmtree(state, ignore_errors=True)
    stack = Stack(settings_at(state))
    try:
        for part, _ in stack.up():
            print(f"wrong_worlds: {part} is up", flush=True)
        api = AirflowApi(stack.settings, stack.folders.airflow)
        api.create_pools()
        api.unpause()
        yield Rig(stack, api, open_lake(stack.settings.lake.root, stack.settings.lake.webhdfs))
    finally:
        stack.down()
        shutil.rmtree(state, ignore_errors=True)


def run(_seed: int, count: int, folder: Path) -> Figures:
    """The first `count` faults of the table."""
    chosen = dict(list(FAULTS.items())[:count])
    first = {name: fault for name, fault in chosen.items() if fault.judged_after == "nothing"}
    later = {name: fault for name, fault in chosen.items() if name not in first}
    found: dict[str, str] = {}
    with rig_at(folder / "state") as rig:
        sound = rig.run()
        control = {model: rig.refused(sound, model) for model in MODELS}
        assert not any(control.values()), f"the sound world is refused: {control}"
        for name, fault in later.items():
            found[name] = judged(rig, name, fault)
    for name, fault in first.items():
        with rig_at(folder / "state") as rig:
            found[name] = judged(rig, name, fault)
    text = table({name: found[name] for name in chosen})
    (folder / "wrong_worlds.txt").write_text(text + "\n", "utf-8")
    print(text, flush=True)
    return counted(found)


def judged(rig: Rig, name: str, fault: WorldFault) -> str:
    """The conditions that refused, as `5`; or why there is no verdict."""
    rig.put(name)
    try:
        # Nothing is to be promoted: every fault is judged beside the same champion.
        refused = rig.refused(rig.run(force=True, promote="no"), fault.model)
    except AssertionError as error:
        return f"no verdict: {error}"
    conditions = ", ".join(str(number) for number in sorted(refused)) or "none"
    print(f"wrong_worlds: {json.dumps({name: conditions})}", flush=True)
    return conditions


def counted(found: dict[str, str]) -> Figures:
    """How many faults were refused by the meant condition and no other."""
    right = sum(conditions == str(FAULTS[name].condition) for name, conditions in found.items())
    return {"faults": len(found), "refused_as_meant": right, "failures": len(found) - right}


def table(found: dict[str, str]) -> str:
    """A line a fault: the model, the condition meant, those that refused."""
    lines = [COLUMNS.format("fault", "model", "meant", "refused")]
    for name, conditions in found.items():
        fault = FAULTS[name]
        lines.append(COLUMNS.format(name, fault.model, fault.condition, conditions))
    return "\n".join(lines)


WRONG_WORLDS = Drill(
    "each wrong world is refused by the condition it is meant for and by no other",
    count=len(FAULTS),
    a_round=len(FAULTS),
    run=run,
)
