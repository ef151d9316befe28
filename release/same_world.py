"""Group 5 of the gate: the challenger's training data resemble the champion's.

This group finds broken data: a release that lost rows, a scale that moved, pages with a new layout.
Broken data may pass every other condition, because the baselines learn from the same broken rows.
The policy holds the bounds; ADR 18 gives the reason for each.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from marquee.artefacts.model_card import (
    NO_FIGURES,
    DataFigures,
    RatingsFigures,
    TitlesFigures,
    expected_psi,
    kept_psi,
    psi,
)
from marquee.artefacts.verdict import SAME_WORLD, Condition
from marquee.policy import BudgetPolicy, Policy, RecommenderPolicy, SameWorld

CRAWL_DISTRIBUTIONS = ("decade", "genre")
"""Distributions that a growing crawl shifts. Only a loss from a class counts (ADR 18)."""
ACTIVITY = "activity"
"""The distribution of ratings per person. People rate more in time, so again only a loss counts."""
NEGLIGIBLE_LOSS = 2
"""A class that lost this many rows or fewer counts as unchanged, however small it was."""
Counts = Mapping[str, int]


@dataclass(frozen=True)
class DataComparison:
    """The figures of the challenger's data, and the figures they are compared with."""

    challenger: DataFigures
    reference: DataFigures | None
    """The figures of the champion's data, or of data accepted since; None without a champion."""
    intervals: float = 1.0
    """The schedule's intervals from the reference's as-of to the challenger's, at least one."""
    references: tuple[DataFigures, ...] = ()
    """The figures of all reference data since a person last accepted a run's data, oldest first."""


@dataclass(frozen=True)
class _CountBounds:
    """A count in the challenger's and in the reference data, and the most it may be now."""

    name: str
    now: int | None
    then: int | None
    most: float = math.inf


def same_world(model: str, run: str, data: DataComparison, policy: Policy) -> list[Condition]:
    """A condition for every figure that both data have; at least one condition."""
    if data.reference is None:
        return [_overall(True, "nothing serves yet, so there is no world to compare with")]
    if isinstance(policy, BudgetPolicy):
        now, then = data.challenger.titles, data.reference.titles
        found = _titles(now, then, policy, data.intervals) if now and then else None
    else:
        ours, theirs = data.challenger.ratings, data.reference.ratings
        found = _ratings(ours, theirs, policy) if ours and theirs else None
    if found:
        found += _slow_losses(data, policy)
    else:
        found = [_overall(False, _unreadable(data, isinstance(policy, BudgetPolicy)))]
    return [_with_remedy(condition, model, run) for condition in found]


def _ratings(
    now: RatingsFigures, then: RatingsFigures, policy: RecommenderPolicy
) -> list[Condition]:
    sizes = [
        _CountBounds(name, getattr(now, name), before, (before or 0) * policy.world_growth)
        for name in ("rows", "people", "titles")
        for before in [getattr(then, name)]
    ]
    return [
        *_sizes(sizes, policy),
        *_mean(now.mean, then.mean, policy.world_mean),
        *_distributions(now.counts, then.counts, policy),
    ]


def _titles(
    now: TitlesFigures, then: TitlesFigures, policy: BudgetPolicy, intervals: float
) -> list[Condition]:
    counts = (("films", now.films, then.films), ("titles", now.rows, then.rows))
    sizes = [
        _CountBounds(name, after, before, _most_after_crawl(before or 0, policy, intervals))
        for name, after, before in counts
    ]
    return [
        *_sizes(sizes, policy),
        *_missing(now, then, policy.world_missing),
        *_distributions(now.counts, then.counts, policy),
    ]


def _most_after_crawl(then: int, policy: BudgetPolicy, intervals: float) -> float:
    """The most titles that the crawl may have now, where it had `then`, by a factor or a count."""
    weeks = max(intervals, 1.0)
    return max(then * policy.world_growth * weeks, then + policy.world_crawl * weeks)


def _slow_losses(data: DataComparison, policy: Policy) -> list[Condition]:
    """Losses that add up over weeks: each promotion makes new data the reference, so a small weekly
    loss passes each time. These conditions compare with all of `data.references`."""
    if isinstance(policy, BudgetPolicy):
        served, now = [f.titles for f in data.references if f.titles], data.challenger.titles
        return _losses(("films", "rows"), now, served, policy) if now else []
    then, ours = [f.ratings for f in data.references if f.ratings], data.challenger.ratings
    if ours is None:
        return []
    means = [figures.mean for figures in then if figures.mean is not None]
    drifted = [_drifted(ours.mean, means[0], policy)] if len(means) > 1 else []
    return _losses(("rows", "people", "titles"), ours, then, policy) + drifted


def _losses(
    names: Sequence[str],
    now: RatingsFigures | TitlesFigures,
    past: Sequence[RatingsFigures | TitlesFigures],
    policy: SameWorld,
) -> list[Condition]:
    found = []
    for key in names:
        sizes = [size for figures in past if (size := getattr(figures, key)) is not None]
        if len(sizes) > 1:
            name = "titles" if key == "rows" and isinstance(now, TitlesFigures) else key
            found.append(_loss_since(name, getattr(now, key), max(sizes), policy.world_leak))
    return found


def _loss_since(name: str, now: int | None, peak: int, most: float) -> Condition:
    label = f"{name} since then"
    if now is None:
        return _condition(label, False, f"how many {name} there are was not recorded")
    least = min(peak - 1, peak * (1 - most))
    sentence = f"{now:,} {name}; the most that served were {peak:,}, and {most:.0%} may be gone"
    return Condition(
        SAME_WORLD, label, now >= least, sentence, float(now), "at least", least, "count"
    )


def _drifted(now: float | None, first: float, policy: RecommenderPolicy) -> Condition:
    label = "mean rating since then"
    if now is None:
        return _condition(label, False, "the mean rating was not recorded")
    moved, most = abs(now - first), policy.world_drift
    sentence = (
        f"the mean rating is {now:.3f}, {first:.3f} in the first world; it may drift by {most:g}"
    )
    return Condition(SAME_WORLD, label, moved <= most, sentence, moved, "at most", most)


def _sizes(sizes: list[_CountBounds], policy: SameWorld) -> list[Condition]:
    return [_size(size, policy) for size in sizes if size.then]


def _size(size: _CountBounds, policy: SameWorld) -> Condition:
    """A count is within the policy's bounds. One less than before always is."""
    now, then = size.now, size.then or 0
    if now is None:
        return _condition(size.name, False, f"how many {size.name} there are was not recorded")
    least, most = min(then - 1, then * (1 - policy.world_shrink)), size.most
    change = f"{now / then - 1:+.1%}" if now <= 2 * then else f"{now / then:.1f} times as many"
    sentence = (
        f"{now:,} {size.name}, {then:,} in the champion's world ({change}); "
        f"{policy.world_shrink:.0%} fewer to {most / then:.3g} times as many are one world"
    )
    too_many = now > most
    return Condition(
        SAME_WORLD, size.name, least <= now <= most, sentence, float(now),
        "at most" if too_many else "at least", most if too_many else least, "count",
    )  # fmt: skip


def _mean(now: float | None, then: float | None, most: float) -> list[Condition]:
    if then is None:
        return []
    if now is None:
        return [_condition("mean rating", False, "the mean rating was not recorded")]
    moved = abs(now - then)
    sentence = f"the mean rating is {now:.3f}, {then:.3f} in the champion's world"
    sentence += f"; it may move by {most:g}"
    return [Condition(SAME_WORLD, "mean rating", moved <= most, sentence, moved, "at most", most)]


def _missing(now: TitlesFigures, then: TitlesFigures, most: float) -> list[Condition]:
    """The share of titles without a field rises by at most `most`, for each field."""
    if not then.missing:
        return []
    rises = {name: now.missing.get(name, 1.0) - share for name, share in then.missing.items()}
    name = max(rises, key=lambda key: rises[key])
    share, before, rise = now.missing.get(name, 1.0), then.missing[name], rises[name]
    sentence = (
        f"'{name}' is missing in {share:.1%} of the titles, in {before:.1%} of those in the "
        f"champion's world; {most:.0%} more may lack a field"
    )
    label, shown = "missing fields", max(rise, 0.0)
    return [Condition(SAME_WORLD, label, rise <= most, sentence, shown, "at most", most, "share")]


def _distributions(
    now: Mapping[str, Counts], then: Mapping[str, Counts], policy: SameWorld
) -> list[Condition]:
    return [
        condition
        for name, counts in sorted(then.items())
        if any(counts.values())
        for condition in _distribution(name, now.get(name, {}), counts, policy)
    ]


def _distribution(name: str, now: Counts, then: Counts, policy: SameWorld) -> list[Condition]:
    label = f"distribution of {name.replace('_', ' ')}"
    if not any(now.values()):
        return [_condition(label, False, f"the {label} was not recorded")]
    noise = expected_psi(now, then)
    if noise > policy.world_noise:
        sentence = f"too few to judge: two samples of one world would differ by {noise:.2f}"
        return [_condition(label, True, sentence)]
    if name not in CRAWL_DISTRIBUTIONS and name != ACTIVITY:
        return [_psi_bounded(label, psi(now, then), policy.world_psi)]
    moved = _psi_bounded(label, kept_psi(now, then), policy.world_psi)
    return [moved, _classes_kept(name, now, then, policy.world_class_shrink)]


def _psi_bounded(label: str, found: float, most: float) -> Condition:
    sentence = f"the {label} has moved by a PSI of {found:.3f}; one world stays within {most:g}"
    return Condition(SAME_WORLD, label, found <= most, sentence, found, "at most", most)


def _classes_kept(name: str, now: Counts, then: Counts, most: float) -> Condition:
    """Each class lost at most the share `most` of its rows; growth of other classes is ignored."""
    held = {c: (n, now.get(c, 0)) for c, n in then.items()}
    if name == ACTIVITY:
        held = {c: (_at_least(then, c), _at_least(now, c)) for c in then}
    lost = {c: (n - kept) / n for c, (n, kept) in held.items() if n - kept > NEGLIGIBLE_LOSS}
    label = f"classes of {name}"
    if not lost:
        return _condition(label, True, f"no class of {name} lost more than {NEGLIGIBLE_LOSS}")
    worst = max(lost, key=lambda c: lost[c])
    who = f"people with {worst} ratings or more" if name == ACTIVITY else f"films of '{worst}'"
    sentence = (
        f"there were {held[worst][0]:,} {who}, and {held[worst][1]:,} are left; "
        f"{most:.0%} of a class may be gone"
    )
    share, passed = lost[worst], lost[worst] <= most
    return Condition(SAME_WORLD, label, passed, sentence, share, "at most", most, "share")


def _at_least(activity: Counts, least: str) -> int:
    """People in the class of activity `least` or a higher one: only lost ratings lower it."""
    return sum(n for c, n in activity.items() if _lower_bound(c) >= _lower_bound(least))


def _lower_bound(label: str) -> int:
    """The 20 of `20-49`."""
    found = re.match("[0-9]{1,9}", label)
    return int(found.group()) if found else 0


def _unreadable(data: DataComparison, is_budget: bool) -> str:
    what = "titles" if is_budget else "ratings"
    read = data.challenger.titles if is_budget else data.challenger.ratings
    who = "the champion's run" if read else "this run"
    why = (data.reference if read else data.challenger) or NO_FIGURES
    problem = why.format_problems.get(what)
    because = f"cannot be read: {problem}" if problem else "is missing or cannot be read"
    return f"what {who} recorded of its {what} {because}"


def _with_remedy(condition: Condition, model: str, run: str) -> Condition:
    """The condition; where it failed, its sentence also names the command that accepts the data."""
    if condition.passed:
        return condition
    sentence = (
        f"{condition.sentence}. If the world did change: "
        f"marquee accept-world {model} --run {run} --reason '…'"
    )
    return replace(condition, sentence=sentence)


def _condition(name: str, passed: bool, sentence: str) -> Condition:
    return Condition(SAME_WORLD, name, passed, sentence)


def _overall(passed: bool, sentence: str) -> Condition:
    return _condition("the champion's world", passed, sentence)
