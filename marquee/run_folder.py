"""The folder of one run, `runs/R/`: the paths in it, and functions that read its files.

Steps and Spark jobs write the files. The gate, the report, the command line and serving read them.
`marquee.artefacts` defines the types of the documents. Timings and live records decide nothing, so
they have no type and are plain JSON here.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from marquee.artefacts.document import dig, json_or_none, number, printable
from marquee.artefacts.inputs import Inputs, read_inputs
from marquee.artefacts.model_card import (
    FORMATS,
    DataFigures,
    Degraded,
    Forecast,
    read_card,
    read_figures,
    read_forecast_document,
)
from marquee.clock import iso
from marquee.errors import ContractError, NotFoundError
from marquee.host_needs import DataSize
from marquee.lake import READS_AT_ONCE, Lake

T = TypeVar("T")
LIVE = "live.json"
"""The live record: the serving bundle scored on ratings newer than the run's as-of."""


def model_folder(run: str, model: str) -> str:
    """The folder of one model in one run: model, evaluation, verdict and report."""
    return f"runs/{run}/models/{model}"


def verdict_path(run: str, model: str) -> str:
    """The path of one run's verdict on one model."""
    return f"{model_folder(run, model)}/verdict.json"


def forecast_path(run: str) -> str:
    """The path of one run's forecast, of the recommender."""
    return f"{model_folder(run, 'recommender')}/forecast.json"


def read_forecast(lake: Lake, run: str) -> Forecast | None:
    """The forecast of one run; None where it is missing, damaged or of a later release."""
    try:
        return read_forecast_document(lake.read_bytes(forecast_path(run)))
    except NotFoundError:
        return None


def forecast_sentence(forecast: Forecast | None) -> str:
    """A forecast's ranking and error beside the simplest models, and whose it is."""
    figures = forecast.figures if forecast else None
    if forecast is None or figures is None:
        return "there is no forecast" if forecast is None else "no rating is later: no forecast"
    ranking, popular = (
        number(figures, "versus", "popularity", "ndcg@10", which)
        for which in ("challenger", "other")
    )
    error, bias = (
        number(figures, "versus", "bias", "rmse", which) for which in ("challenger", "other")
    )
    return (
        f"nDCG@10 {_four(ranking)}, popularity {_four(popular)}; RMSE {_four(error)}, the bias "
        f"model {_four(bias)}, on {number(figures, 'rows') or 0:,.0f} later ratings; fitted by run "
        f"{forecast.run}, as of {forecast.as_of}"
    )


def _four(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4f}"


def json_at(lake: Lake, path: str) -> Any:
    """The JSON file at `path`; None where it is missing or not JSON."""
    try:
        return json_or_none(lake.read_bytes(path))
    except NotFoundError:
        return None


def read_all_runs(lake: Lake, read: Callable[[str], T | None]) -> list[T]:
    """The results of `read(run)` for every run in the lake, by run name and without None."""
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        return [found for found in pool.map(read, lake.names("runs")) if found is not None]


def inputs_of(lake: Lake, run: str) -> Inputs:
    """The inputs of one run.

    Raises NotFoundError where the run has frozen no inputs, and ContractError where `inputs.json`
    is damaged.
    """
    path = inputs_path(run)
    try:
        return read_inputs(lake.read_bytes(path), lake.uri(path))
    except NotFoundError:
        raise NotFoundError(
            f"run {run} has frozen no inputs: {lake.uri(path)} is missing",
            "run its freeze_inputs first",
        ) from None


def degraded_tasks(lake: Lake, run: str) -> tuple[Degraded, ...]:
    """The tasks of one run that failed, with their substitutes; empty before the run's freeze."""
    try:
        return inputs_of(lake, run).degraded + degraded_training(lake, run)
    except NotFoundError:
        return ()


def degraded_training(lake: Lake, run: str) -> tuple[Degraded, ...]:
    """The failed inputs of a run's recommender, from its card; empty where no card is readable."""
    path = f"{model_folder(run, 'recommender')}/card.json"
    try:
        return read_card(lake.read_bytes(path), lake.uri(path)).degraded
    except (NotFoundError, ContractError):
        return ()


def inputs_path(run: str) -> str:
    """The path of one run's inputs."""
    return f"runs/{run}/inputs.json"


def figures_of_run(lake: Lake, run: str) -> DataFigures:
    """The data figures that `prepare_ratings` and `prepare_titles` of one run recorded."""
    paths = figures_paths(run)
    return read_figures({name: json_at(lake, path) for name, path in paths.items()})


def largest_size(lake: Lake) -> DataSize:
    """The largest numbers that a run of this lake has prepared; NotFoundError without a run."""

    def read(run: str) -> DataSize | None:
        found = figures_of_run(lake, run).ratings
        return (
            DataSize.of(found.rows, found.people or 0, found.titles or 0)
            if found and found.rows
            else None
        )

    sizes = read_all_runs(lake, read)
    if not sizes:
        raise NotFoundError(f"{lake.root} holds no run with prepared ratings", "give --rows")
    return max(sizes, key=lambda size: size.ratings)


def figures_paths(run: str) -> dict[str, str]:
    """The paths of one run's data figures, by document (`ratings`, `titles`)."""
    return {name: f"runs/{run}/data/{name}.json" for name in FORMATS}


def failure_path(run: str, job: str, application: str) -> str:
    """The path of the last word of a driver that ran elsewhere, by YARN's id of its application."""
    return f"runs/{run}/failures/{job}/{application}.json"


def timings_path(run: str, task: str) -> str:
    """The path of one task's seconds and peak memory."""
    return f"runs/{run}/timings/{task}.json"


def read_timings(lake: Lake, run: str, task: str) -> Any:
    """The timings of one task, as its file holds them; None where the task recorded none."""
    return json_at(lake, timings_path(run, task))


def timed_tasks(lake: Lake, run: str) -> list[str]:
    """The sorted names of the tasks that recorded timings."""
    names = lake.names(f"runs/{run}/timings")
    return [name.removesuffix(".json") for name in names if name.endswith(".json")]


def read_live(lake: Lake, run: str) -> dict[str, Any] | None:
    """The live record of one run; None where it is missing or not a JSON object."""
    found = json_at(lake, f"runs/{run}/{LIVE}")
    return found if isinstance(found, dict) else None


def latest_live(lake: Lake) -> dict[str, Any] | None:
    """The latest live record that has an RMSE, with the keys `run` and `as_of` added.

    A run whose inputs are missing or damaged counts as one without a record.
    """

    def read(run: str) -> dict[str, Any] | None:
        live = read_live(lake, run)
        if live is None or number(live, "rmse") is None:
            return None
        with suppress(ContractError, NotFoundError):
            return {"run": run, "as_of": iso(inputs_of(lake, run).as_of), **live}
        return None

    found = read_all_runs(lake, read)
    return max(found, key=lambda live: (live["as_of"], live["run"]), default=None)


def live_sentence(live: Any) -> str:
    """A live record in one sentence, for a log, a table or a page."""
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
    """The 95 % interval of the difference in words; empty where the record holds none."""
    ends = dig(live, "versus_bias", "interval")
    known = [number(end) for end in ends] if isinstance(ends, list) else []
    finite = [end for end in known if end is not None]
    if len(finite) != 2:
        return ""
    low, high = finite
    doubt = ", zero is inside" if low <= 0 <= high else ""
    return f" (difference, 95 %: {low:+.4f} to {high:+.4f}{doubt})"
