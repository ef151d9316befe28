"""The applications of a job, wherever Spark runs: found by name, and ended.

Standalone's master and YARN's ResourceManager list applications on their pages, each in its own
way. A task ends by this module what it leaves behind, and what an earlier attempt has left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from marquee import resource_manager, spark_master
from marquee.errors import AwayError
from marquee.spark_master import Application

SECONDS_TO_END = 60.0
"""How long an application may take to end."""


class Manager(NamedTuple):
    """Who runs applications: how its page lists them, and how it ends one.

    Both raise AwayError where the page does not answer.
    """

    listed: Callable[[str, str], list[Application]]
    end: Callable[[Application], None]
    remedy: str


STANDALONE = Manager(
    spark_master.listed_applications,
    spark_master.end_application,
    "end it on that page; spark.ui.killEnabled must be true there",
)
YARN = Manager(
    resource_manager.listed_applications,
    resource_manager.end_application,
    "end it by hand with `yarn application -kill`; the page's user must have that right",
)


def manager_of(master: str) -> Manager:
    """Who runs the applications of this master."""
    return YARN if master == "yarn" else STANDALONE


def active_applications(master: str, pages: Sequence[str], prefix: str) -> list[Application]:
    """The applications whose names begin with `prefix`, of all pages that answer.

    Raises AwayError where no page answers.
    """
    found: list[Application] = []
    errors: list[AwayError] = []
    for page in pages:
        try:
            found += manager_of(master).listed(page, prefix)
        except AwayError as error:
            errors.append(error)
    if errors and len(errors) == len(pages):
        raise errors[0]
    return found


def end_applications(
    master: str, pages: Sequence[str], prefix: str, seconds: float = SECONDS_TO_END
) -> list[Application]:
    """End all applications whose names begin with `prefix`, and wait for it; returns them.

    Raises AwayError where no page answers, or where an application is still there after `seconds`.
    """
    if not prefix:
        raise ValueError("an empty prefix would end every application")
    manager, ended = manager_of(master), dict[str, Application]()
    until = time.monotonic() + seconds
    while found := active_applications(master, pages, prefix):
        for one in found:
            manager.end(one)
            ended[one.id] = one
        if time.monotonic() > until:
            names = ", ".join(f"{one.name} ({one.id})" for one in found)
            raise AwayError(
                f"{found[0].page} still runs {names} after {seconds:.0f} s", manager.remedy
            )
        time.sleep(0.5)
    return list(ended.values())
