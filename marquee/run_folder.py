"""The folder of one run, `runs/R/`: the paths that several rooms share, and the reads of its files.

Steps and Spark jobs write the files; the gate, the report, the command line and serving read them.
The documents themselves are types of `marquee.artefacts`. Files that no decision depends on, the
timings and the live record, are read here as the JSON that lies there.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from marquee.artefacts.document import dig, json_or_none, number, printable
from marquee.artefacts.inputs import Inputs, read_inputs
from marquee.artefacts.model_card import FORMATS, DataFigures, Degraded, read_card, read_figures
from marquee.clock import iso
from marquee.errors import ContractError, NotFoundError
from marquee.lake import READS_AT_ONCE, Lake

T = TypeVar("T")
LIVE = "live.json"
"""The live record: the serving bundle scored on ratings newer than the run's as-of."""


def model_folder(run: str, model: str) -> str:
    """Where one run keeps one model, its evaluation, its verdict and its report."""
    return f"runs/{run}/models/{model}"


def verdict_path(run: str, model: str) -> str:
    """Where one run keeps the verdict on one model."""
    return f"{model_folder(run, model)}/verdict.json"


def json_at(lake: Lake, path: str) -> Any:
    """The JSON file at `path`; None where it is missing or not JSON."""
    try:
        return json_or_none(lake.read_bytes(path))
    except NotFoundError:
        return None


def over_all_runs(lake: Lake, read: Callable[[str], T | None]) -> list[T]:
    """What `read` finds in each run's folder, in the order of the runs' names, without None."""
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        return [found for found in pool.map(read, lake.names("runs")) if found is not None]


def inputs_of(lake: Lake, run: str) -> Inputs:
    """The inputs of run `run`; NotFoundError where it has frozen none, else as `read_inputs`."""
    path = inputs_path(run)
    try:
        return read_inputs(lake.read_bytes(path), lake.uri(path))
    except NotFoundError:
        raise NotFoundError(
            f"run {run} has frozen no inputs: {lake.uri(path)} is missing",
            "run its freeze_inputs first",
        ) from None


def degradation(lake: Lake, run: str) -> tuple[Degraded, ...]:
    """What failed in run `run` and what it used instead; empty where nothing failed, or where the
    run has frozen no inputs."""
    try:
        return inputs_of(lake, run).degraded + degraded_training(lake, run)
    except NotFoundError:
        return ()


def degraded_training(lake: Lake, run: str) -> tuple[Degraded, ...]:
    """What the recommender of a run was trained without, from its card."""
    path = f"{model_folder(run, 'recommender')}/card.json"
    try:
        return read_card(lake.read_bytes(path), lake.uri(path)).degraded
    except (NotFoundError, ContractError):
        return ()


def inputs_path(run: str) -> str:
    """Where run `run` keeps its inputs."""
    return f"runs/{run}/inputs.json"


def figures_of_run(lake: Lake, run: str) -> DataFigures:
    """What the preparations of a run recorded."""
    paths = figures_paths(run)
    return read_figures({name: json_at(lake, path) for name, path in paths.items()})


def figures_paths(run: str) -> dict[str, str]:
    """Where a run's preparations record the figures of its ratings and titles."""
    return {name: f"runs/{run}/data/{name}.json" for name in FORMATS}


def timings_path(run: str, task: str) -> str:
    """Where a Spark job or an evaluation records its seconds and its peak memory."""
    return f"runs/{run}/timings/{task}.json"


def read_timings(lake: Lake, run: str, task: str) -> Any:
    """The timings of one task as its file holds them; None where there are none."""
    return json_at(lake, timings_path(run, task))


def timed_tasks(lake: Lake, run: str) -> list[str]:
    """The tasks of the run that have recorded their timings, by name."""
    names = lake.names(f"runs/{run}/timings")
    return [name.removesuffix(".json") for name in names if name.endswith(".json")]


def read_live(lake: Lake, run: str) -> dict[str, Any] | None:
    """`runs/R/live.json`; None where it is missing or not a record."""
    found = json_at(lake, f"runs/{run}/{LIVE}")
    return found if isinstance(found, dict) else None


def latest_live(lake: Lake) -> dict[str, Any] | None:
    """The newest record with a measured error, with its `run` and the run's `as_of`."""

    def read(run: str) -> dict[str, Any] | None:
        live = read_live(lake, run)
        if live is None or number(live, "rmse") is None:
            return None
        return {"run": run, "as_of": iso(inputs_of(lake, run).as_of), **live}

    found = over_all_runs(lake, read)
    return max(found, key=lambda live: (live["as_of"], live["run"]), default=None)


def live_sentence(live: Any) -> str:
    """The record in one sentence, for a log, a table or a page."""
    rows, people = number(live, "rows") or 0, number(live, "people") or 0
    rmse, bias = number(live, "rmse"), number(live, "bias_rmse")
    if rmse is None or bias is None:
        return printable(dig(live, "why") or "no record", 400)
    sentence = (
        f"RMSE {rmse:.4f}, the bias model {bias:.4f}, on {rows:,.0f} ratings of {people:,.0f} "
        f"people given since {printable(dig(live, 'bundle'))} was trained"
    )
    sentence += _interval_of_difference(live)
    if dig(live, "alarm") is True:
        return f"ALARM: what serves is worse than the bias model: {sentence}"
    if dig(live, "enough") is True:
        return sentence
    return f"{sentence}; too few to raise an alarm"


def _interval_of_difference(live: Any) -> str:
    """The 95 % interval of the difference, where the record holds one."""
    ends = dig(live, "versus_bias", "interval")
    known = [number(end) for end in ends] if isinstance(ends, list) else []
    finite = [end for end in known if end is not None]
    if len(finite) != 2:
        return ""
    low, high = finite
    doubt = ", zero is inside" if low <= 0 <= high else ""
    return f" (difference, 95 %: {low:+.4f} to {high:+.4f}{doubt})"
