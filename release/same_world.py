"""Condition 5: the challenger learnt from the world its champion learnt from.

A recipe that is unchanged excuses no data: a release that lost rows, a scale that moved or pages
that changed their layout make a model that passes every other condition, because its baselines
learn from the same broken rows. Bounds are the policy's; why each is as it is, is in ADR 27.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from marquee.artefacts.condition import Condition
from marquee.policy import BudgetPolicy, Policy, RecommenderPolicy, SameWorld
from marquee.psi import expected_psi, kept_psi, psi
from release.world import NOTHING, RatingsWorld, TitlesWorld, World

SAME_WORLD = 5
CRAWLED = ("decade", "genre")
"""What a crawl chooses as it grows: judged on what was there before (ADR 27)."""
ACTIVITY = "activity"
"""People join and rate more, and no rating is taken away: judged likewise."""
FEW = 2
"""So many fewer of a class never count, however small it was."""
Counts = Mapping[str, int]


@dataclass(frozen=True)
class Worlds:
    """The challenger's world and the one it is compared with."""

    challenger: World
    reference: World | None
    """None: nothing serves yet."""
    intervals: float = 1.0
    """The schedule's intervals from the reference's as-of to the challenger's, at least one."""
    past: tuple[World, ...] = ()
    """Those promoted since a person last accepted one, oldest first."""


@dataclass(frozen=True)
class _Size:
    """How many of something, now and then."""

    name: str
    now: int | None
    then: int | None
    most: float = math.inf


def same_world(model: str, run: str, worlds: Worlds, policy: Policy) -> list[Condition]:
    """Every comparison of the two worlds that their figures allow, at least one."""
    if worlds.reference is None:
        return [_said(True, "nothing serves yet, so there is no world to compare with")]
    if isinstance(policy, BudgetPolicy):
        now, then = worlds.challenger.titles, worlds.reference.titles
        found = _films(now, then, policy, worlds.intervals) if now and then else None
    else:
        ours, theirs = worlds.challenger.ratings, worlds.reference.ratings
        found = _ratings(ours, theirs, policy) if ours and theirs else None
    if found:
        found += _slow_leaks(worlds, policy)
    else:
        found = [_said(False, _unread(worlds, isinstance(policy, BudgetPolicy)))]
    return [_with_way_out(condition, model, run) for condition in found]


def _ratings(now: RatingsWorld, then: RatingsWorld, policy: RecommenderPolicy) -> list[Condition]:
    sizes = [
        _Size(name, getattr(now, name), before, (before or 0) * policy.world_growth)
        for name in ("rows", "people", "titles")
        for before in [getattr(then, name)]
    ]
    return [
        *_sizes(sizes, policy),
        *_mean(now.mean, then.mean, policy.world_mean),
        *_distributions(now.counts, then.counts, policy),
    ]


def _films(
    now: TitlesWorld, then: TitlesWorld, policy: BudgetPolicy, intervals: float
) -> list[Condition]:
    sizes = [
        _Size(name, after, before, _crawled(before or 0, policy, intervals))
        for name, after, before in (
            ("films", now.films, then.films),
            ("titles", now.rows, then.rows),
        )
    ]
    return [
        *_sizes(sizes, policy),
        *_missing(now, then, policy.world_missing),
        *_distributions(now.counts, then.counts, policy),
    ]


def _crawled(then: int, policy: BudgetPolicy, intervals: float) -> float:
    """How many a crawl may have come to: it goes on while the champion stays, and a first crawl
    of a few pages says nothing of the next one's."""
    weeks = max(intervals, 1.0)
    return max(then * policy.world_growth * weeks, then + policy.world_crawl * weeks)


def _slow_leaks(worlds: Worlds, policy: Policy) -> list[Condition]:
    """What every week lost a little of, beside all that was promoted and not undone."""
    if isinstance(policy, BudgetPolicy):
        films, now = [w.titles for w in worlds.past if w.titles], worlds.challenger.titles
        return _leaks(("films", "rows"), now, films, policy) if now else []
    then, ours = [w.ratings for w in worlds.past if w.ratings], worlds.challenger.ratings
    if ours is None:
        return []
    means = [world.mean for world in then if world.mean is not None]
    drifted = [_drifted(ours.mean, means[0], policy)] if len(means) > 1 else []
    return _leaks(("rows", "people", "titles"), ours, then, policy) + drifted


def _leaks(
    names: Sequence[str],
    now: RatingsWorld | TitlesWorld,
    past: Sequence[RatingsWorld | TitlesWorld],
    policy: SameWorld,
) -> list[Condition]:
    found = []
    for key in names:
        sizes = [size for world in past if (size := getattr(world, key)) is not None]
        if len(sizes) > 1:
            name = "titles" if key == "rows" and isinstance(now, TitlesWorld) else key
            found.append(_leak(name, getattr(now, key), max(sizes), policy.world_leak))
    return found


def _leak(name: str, now: int | None, peak: int, most: float) -> Condition:
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


def _sizes(sizes: list[_Size], policy: SameWorld) -> list[Condition]:
    return [_size(size, policy) for size in sizes if size.then]


def _size(size: _Size, policy: SameWorld) -> Condition:
    """One that is gone is never a world that shrank, however small the world."""
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


def _missing(now: TitlesWorld, then: TitlesWorld, most: float) -> list[Condition]:
    """The field whose share of titles without it rose most."""
    if not then.missing:
        return []
    rises = {name: now.missing.get(name, 1.0) - share for name, share in then.missing.items()}
    name = max(rises, key=lambda key: rises[key])
    share, before, rise = now.missing.get(name, 1.0), then.missing[name], rises[name]
    sentence = (
        f"'{name}' is missing in {share:.1%} of the titles, in {before:.1%} of those in the "
        f"champion's world; {most:.0%} more may lack a field"
    )
    shown = max(rise, 0.0)
    return [
        Condition(
            SAME_WORLD, "missing fields", rise <= most, sentence, shown, "at most", most, "share"
        )
    ]


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
    is_kept = name in CRAWLED or name == ACTIVITY
    moved = _moved(label, kept_psi(now, then) if is_kept else psi(now, then), policy.world_psi)
    return [moved, _kept(name, now, then, policy.world_class_shrink)] if is_kept else [moved]


def _moved(label: str, found: float, most: float) -> Condition:
    sentence = f"the {label} has moved by a PSI of {found:.3f}; one world stays within {most:g}"
    return Condition(SAME_WORLD, label, found <= most, sentence, found, "at most", most)


def _kept(name: str, now: Counts, then: Counts, most: float) -> Condition:
    """No class lost much of what it held, however much the others grew."""
    held = {c: (n, now.get(c, 0)) for c, n in then.items()}
    if name == ACTIVITY:
        held = {c: (_at_least(then, c), _at_least(now, c)) for c in then}
    lost = {c: (n - kept) / n for c, (n, kept) in held.items() if n - kept > FEW}
    label = f"classes of {name}"
    if not lost:
        return _condition(label, True, f"no class of {name} lost more than {FEW}")
    worst = max(lost, key=lambda c: lost[c])
    who = f"people with {worst} ratings or more" if name == ACTIVITY else f"films of '{worst}'"
    sentence = (
        f"there were {held[worst][0]:,} {who}, and {held[worst][1]:,} are left; "
        f"{most:.0%} of a class may be gone"
    )
    share, passed = lost[worst], lost[worst] <= most
    return Condition(SAME_WORLD, label, passed, sentence, share, "at most", most, "share")


def _at_least(activity: Counts, least: str) -> int:
    """How many people gave at least as many ratings as a class begins with: nobody who rates more
    leaves these."""
    return sum(n for c, n in activity.items() if _first(c) >= _first(least))


def _first(label: str) -> int:
    """The 20 of `20-49`."""
    found = re.match("[0-9]{1,9}", label)
    return int(found.group()) if found else 0


def _unread(worlds: Worlds, is_budget: bool) -> str:
    what = "titles" if is_budget else "ratings"
    read = worlds.challenger.titles if is_budget else worlds.challenger.ratings
    who = "the champion's run" if read else "this run"
    why = (worlds.reference if read else worlds.challenger) or NOTHING
    return f"what {who} recorded of its {what} {_because(why.unread.get(what))}"


def _because(unread: str | None) -> str:
    return f"cannot be read: {unread}" if unread else "is missing or cannot be read"


def _with_way_out(condition: Condition, model: str, run: str) -> Condition:
    """A refusal names the command by which a person accepts the world as it is now."""
    if condition.passed:
        return condition
    sentence = (
        f"{condition.sentence}. If the world did change: "
        f"marquee accept-world {model} --run {run} --reason '…'"
    )
    values = vars(condition) | {"sentence": sentence}
    return Condition(**values)


def _condition(name: str, passed: bool, sentence: str) -> Condition:
    return Condition(SAME_WORLD, name, passed, sentence)


def _said(passed: bool, sentence: str) -> Condition:
    return _condition("the champion's world", passed, sentence)
