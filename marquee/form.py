"""What a run may be asked for: the form's keys, what each may hold, and one check for every door.

Airflow's form, its REST API, `marquee run` and the tasks themselves refuse a wrong value with the
same sentence, because all of them ask `check_form` or build a `Form`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any, get_args

from marquee.clock import refuse_ahead
from marquee.errors import MarqueeError, SettingsError
from marquee.names import parse_moment
from marquee.policy import MODELS, POLICIES, Model, Policy, read_policy, tighten
from marquee.settings import Promote, Search, Settings, TitleSource

PROMOTE: tuple[str, ...] = get_args(Promote)
SEARCH: tuple[str, ...] = get_args(Search)
SOURCES: tuple[str, ...] = get_args(TitleSource)
MOST_PAGES = 100_000
BOUNDS = ("recommender_rmse_ceiling", "recommender_coverage_floor", "budget_log_rmse_ceiling")
"""The policy's bounds that the form shows; the others may be tightened by REST."""


@dataclass(frozen=True)
class Form:
    """What the run's form asks for; every default comes from the settings."""

    max_pages: int
    search: Search
    promote: Promote
    sources: tuple[str, ...] = ("crawl",)
    force: bool = False
    tighten: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings, asked: Mapping[str, Any]) -> Form:
        """The form's values over the settings'; what is absent or null is the settings'.

        Raises SettingsError for a key no run knows and for a value of another kind. Bounds are
        not held against the policy here: a run that is under way keeps the one it froze.
        """
        said = {k: v for k, v in asked.items() if v is not None}
        _raise(_wrong(said))
        return cls(
            max_pages=int(said.get("max_pages", settings.crawl.max_pages)),
            search=said.get("search", settings.schedule.search),
            promote=said.get("promote", settings.schedule.promote),
            sources=tuple(said.get("sources") or settings.titles.sources),
            force=said.get("force", False),
            tighten={model: bounds for model in MODELS if (bounds := bounds_of(said, model))},
        )


def check_form(settings: Settings, asked: Any) -> None:
    """Refuse what no run could do, before one is started.

    `asked` is a run's conf, as JSON gives it. Raises SettingsError naming every key that is
    unknown, of another kind, or a bound looser than the policy; SourceError for an as-of that is
    no moment; AheadOfClockError for one that has not come.
    """
    if not isinstance(asked, Mapping):
        raise SettingsError(f"a run's conf is {_shown(asked)}", "give an object of the form's keys")
    wrong = [*_wrong(asked), *_looser(settings, asked), *_unplaced(settings, asked)]
    _raise(wrong)
    if asked.get("as_of"):
        refuse_ahead(parse_moment(asked["as_of"]), "the form's as-of")


def bounds_of(asked: Mapping[str, Any], model: Model) -> dict[str, float]:
    """The bounds of one model's policy that are given, by the policy's own names."""
    given = {key: value for key, value in asked.items() if value is not None}
    return {
        key.removeprefix(f"{model}_"): float(value)
        for key, value in given.items()
        if key in _BOUNDS and key.startswith(f"{model}_")
    }


def _is_whole(value: Any) -> bool:
    return _is_number(value) and value == int(value)


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and abs(value) <= sys.float_info.max  # no NaN, and what a float can hold


def _are_sources(value: Any) -> bool:
    known = isinstance(value, list | tuple) and all(v in SOURCES for v in value)
    return known and 0 < len(value) == len(set(value))


_BOUNDS = {f"{model}_{f.name}" for model in MODELS for f in fields(POLICIES[model])}
_KINDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "promote": (lambda v: v in PROMOTE, "yes, ask or no"),
    "search": (lambda v: v in SEARCH, "none, quick or full"),
    "max_pages": (
        lambda v: _is_whole(v) and 0 <= v <= MOST_PAGES,
        f"a whole number from 0 to {MOST_PAGES:,}",
    ),
    "sources": (_are_sources, f"a list of {', '.join(SOURCES)}: at least one, none twice"),
    "as_of": (lambda v: v is None or isinstance(v, str), "a moment like 2026-01-04T03:00:00Z"),
    "force": (lambda v: isinstance(v, bool), "true or false"),
}
_BOUND = (lambda v: v is None or (_is_number(v) and v >= 0), "a number of at least 0")


def _wrong(asked: Mapping[str, Any]) -> Iterator[MarqueeError]:
    """What is unknown, or of another kind than its key holds."""
    known = [*_KINDS, *BOUNDS]
    for key, value in asked.items():
        if key not in _KINDS and key not in _BOUNDS:
            near = get_close_matches(str(key), [*known, *_BOUNDS], 1)
            hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known)}"
            yield SettingsError(f"a run knows no '{str(key)[:60]}'", hint)
            continue
        is_right, wanted = _KINDS.get(key, _BOUND)
        if not is_right(value):
            yield SettingsError(f"the form's '{key}' is {_shown(value)}", f"give {wanted}")


def _looser(settings: Settings, asked: Mapping[str, Any]) -> Iterator[MarqueeError]:
    """Bounds that would loosen the gate, or that the policy cannot hold."""
    for key in asked:
        model = next((m for m in MODELS if key in _BOUNDS and key.startswith(f"{m}_")), None)
        if model is None or not _BOUND[0](asked[key]):
            continue
        given = bounds_of({key: asked[key]}, model)
        try:
            tighten(policy_of(settings, model), given)
        except SettingsError as error:
            said = error.message.replace(f"'{key.removeprefix(f'{model}_')}'", f"'{key}'")
            yield SettingsError(said, error.remedy)


def policy_of(settings: Settings, model: Model) -> Policy:
    """The policy of the settings, before a run tightens it."""
    return read_policy(model, getattr(settings.policy, model))


def _unplaced(settings: Settings, asked: Mapping[str, Any]) -> Iterator[MarqueeError]:
    """Sources of titles that the settings give no place."""
    sources = asked.get("sources") or ()
    for name in sources if _are_sources(sources) else ():
        if not getattr(settings.titles, name, True):
            yield SettingsError(
                f"the form's 'sources' names {name}, and titles.{name} says no place",
                "say where it lies in config/, or leave it out",
            )


def _raise(wrong: Iterator[MarqueeError] | list[MarqueeError]) -> None:
    found = list(wrong)
    if len(found) == 1:
        raise found[0]
    if found:
        raise SettingsError("; ".join(map(str, found)))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
