"""The form of a run: its keys, the kinds of their values, and the check of a request for a run.

Airflow's form, its REST API, `marquee run` and the tasks call `check_form` or `Form.of`, so a wrong
value gets the same message everywhere.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any, get_args

from marquee.clock import parse_moment, refuse_ahead
from marquee.errors import MarqueeError, SettingsError
from marquee.policy import MODELS, POLICIES, Model, Policy, Promote, Search, read_policy, tighten
from marquee.settings import Settings

PROMOTE: tuple[str, ...] = get_args(Promote)
SEARCH: tuple[str, ...] = get_args(Search)
MOST_PAGES = 100_000
BOUNDS = ("recommender_rmse_ceiling", "recommender_coverage_floor", "budget_log_rmse_ceiling")
"""The bounds of the policy that the form shows. A request over REST may tighten every bound."""


@dataclass(frozen=True)
class Form:
    """The values of a run's form."""

    max_pages: int
    search: Search
    promote: Promote
    sources: tuple[str, ...] = ("crawl",)
    force: bool = False
    tighten: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    recipes: Mapping[str, str] = field(default_factory=dict)
    """By model, the name of the one recipe that this run trains."""

    @classmethod
    def of(cls, settings: Settings, conf: Mapping[str, Any]) -> Form:
        """The values of `conf`, and the settings' value for each key that is absent or null.

        Raises SettingsError for an unknown key and for a value of a wrong kind. This method does
        not compare bounds with the policy, because a started run keeps its frozen policy.
        """
        given = {k: v for k, v in conf.items() if v is not None}
        _raise(_wrong(settings, given))
        return cls(
            max_pages=int(given.get("max_pages", settings.crawl.max_pages)),
            search=given.get("search", settings.schedule.search),
            promote=given.get("promote", settings.schedule.promote),
            sources=tuple(given.get("sources") or settings.titles.sources),
            force=given.get("force", False),
            tighten={model: bounds for model in MODELS if (bounds := bounds_of(given, model))},
            recipes={m: given[f"{m}_recipe"] for m in MODELS if given.get(f"{m}_recipe")},
        )


def check_form(settings: Settings, conf: Any) -> None:
    """Raise an error for a request that no run can fulfil.

    `conf` is the JSON object of the request. Raises SettingsError with every key that is unknown,
    has a value of a wrong kind, or would loosen the policy. Raises SourceError for an as-of that is
    no moment, and AheadOfClockError for an as-of in the future.
    """
    if not isinstance(conf, Mapping):
        raise SettingsError(f"a run's conf is {_shown(conf)}", "give an object of the form's keys")
    wrong = [*_wrong(settings, conf), *_looser(settings, conf), *_unplaced(settings, conf)]
    wrong += _not_exported(settings, conf)
    _raise(wrong)
    if conf.get("as_of"):
        refuse_ahead(parse_moment(conf["as_of"]), "the form's as-of")


def bounds_of(conf: Mapping[str, Any], model: Model) -> dict[str, float]:
    """The bounds of one model in `conf`, by their names in the policy (without `budget_`)."""
    given = {key: value for key, value in conf.items() if value is not None}
    return {
        key.removeprefix(f"{model}_"): float(value)
        for key, value in given.items()
        if key in _BOUNDS and key.startswith(f"{model}_")
    }


def recipe_names(settings: Settings, model: Model) -> list[str]:
    """The names of the recipes in the settings, in their order."""
    return [str(table.get("name")) for table in getattr(settings.recipes, model)]


def _is_whole(value: Any) -> bool:
    return _is_number(value) and value == int(value)


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and abs(value) <= sys.float_info.max  # False for NaN and for huge integers


def _are_sources(value: Any, known: tuple[str, ...]) -> bool:
    are_known = isinstance(value, list | tuple) and all(v in known for v in value)
    return are_known and 0 < len(value) == len(set(value))


_BOUNDS = {f"{model}_{f.name}" for model in MODELS for f in fields(POLICIES[model])}
_RECIPE_KEYS: dict[str, Model] = {f"{model}_recipe": model for model in MODELS}
_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "promote": (lambda v: v in PROMOTE, "yes, ask or no"),
    "search": (lambda v: v in SEARCH, "none, quick or full"),
    "max_pages": (
        lambda v: _is_whole(v) and 0 <= v <= MOST_PAGES,
        f"a whole number from 0 to {MOST_PAGES:,}",
    ),
    "as_of": (lambda v: v is None or isinstance(v, str), "a moment like 2026-01-04T03:00:00Z"),
    "force": (lambda v: isinstance(v, bool), "true or false"),
}
_BOUND = (lambda v: v is None or (_is_number(v) and v >= 0), "a number of at least 0")


def _wrong(settings: Settings, conf: Mapping[str, Any]) -> Iterator[MarqueeError]:
    """An error for each unknown key and for each value of a wrong kind."""
    sources = settings.titles.known_sources
    kinds = _KINDS | {
        "sources": (
            lambda v: _are_sources(v, sources),
            f"a list of {', '.join(sources)}: at least one, none twice",
        ),
        **{key: _recipe_kind(recipe_names(settings, m)) for key, m in _RECIPE_KEYS.items()},
    }
    known = [*kinds, *BOUNDS]
    for key, value in conf.items():
        if key not in kinds and key not in _BOUNDS:
            near = get_close_matches(str(key), [*known, *_BOUNDS], 1)
            hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known)}"
            yield SettingsError(f"a run knows no '{str(key)[:60]}'", hint)
            continue
        is_right, wanted = kinds.get(key, _BOUND)
        if not is_right(value):
            names = recipe_names(settings, model) if (model := _RECIPE_KEYS.get(key)) else []
            near = get_close_matches(str(value), names, 1)
            hint = f"did you mean '{near[0]}'? known are {', '.join(names)}" if near else ""
            yield SettingsError(f"the form's '{key}' is {_shown(value)}", hint or f"give {wanted}")


def _recipe_kind(names: list[str]) -> tuple[Callable[[Any], bool], str]:
    return lambda v: v is None or v in names, f"one of {', '.join(names)}"


def _looser(settings: Settings, conf: Mapping[str, Any]) -> Iterator[MarqueeError]:
    """An error for each bound that would loosen the gate or is out of range."""
    for key in conf:
        model = next((m for m in MODELS if key in _BOUNDS and key.startswith(f"{m}_")), None)
        if model is None or not _BOUND[0](conf[key]):
            continue
        given = bounds_of({key: conf[key]}, model)
        try:
            tighten(policy_of(settings, model), given)
        except SettingsError as error:
            message = error.message.replace(f"'{key.removeprefix(f'{model}_')}'", f"'{key}'")
            yield SettingsError(message, error.remedy)


def policy_of(settings: Settings, model: Model) -> Policy:
    """The policy in the settings, before a run tightens it."""
    return read_policy(model, getattr(settings.policy, model))


def _unplaced(settings: Settings, conf: Mapping[str, Any]) -> Iterator[MarqueeError]:
    """An error for each chosen source of titles without a file or folder in the settings."""
    sources = conf.get("sources") or ()
    places = settings.titles.places
    for name in sources if _are_sources(sources, settings.titles.known_sources) else ():
        if name in places and not places[name]:
            yield SettingsError(
                f"the form's 'sources' names {name}, and titles.{name} says no place",
                "say where it lies in config/, or leave it out",
            )


def _not_exported(settings: Settings, conf: Mapping[str, Any]) -> Iterator[MarqueeError]:
    """An error for a chosen budget recipe that a format of the settings cannot carry."""
    if not (formats := settings.exports.formats):
        return
    from exports.formats import refusal  # each parse of the DAG loads this module

    named = conf.get("budget_recipe")
    table = next((t for t in settings.recipes.budget if t.get("name") == named), {})
    if why := refusal(table, formats):
        yield why


def _raise(wrong: Iterator[MarqueeError] | list[MarqueeError]) -> None:
    found = list(wrong)
    if len(found) == 1:
        raise found[0]
    if found:
        raise SettingsError("; ".join(map(str, found)))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
