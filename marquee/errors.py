"""The one family of errors, the two kinds in it, and the exit statuses of processes.

*Wrong input* is final: a retry would meet the same error. A part of the world that is *away*
(AwayError) does not respond now, and a retry may succeed. `retry_helps` distinguishes the two for
every decision on a retry. A full disk counts as away, because a retry succeeds once a person has
made room. A Spark job and the crawl end with `exit_status` of the error that stopped them, and the
task that started them reads it.

MarqueeError
├── SettingsError            an unknown key, a value of the wrong kind
├── AwayError                a part of the world does not answer; trying again may help
│   ├── LakeUnavailableError the lake does not answer (a LakeError too)
│   │   └── LakeFullError    the lake has no room left: a person makes some first
│   ├── StackError           a part of the local stack is missing, busy or dead
│   └── CrawlInterruptedError  the crawl was cut off, by a signal or because the site is down
├── LakeError
│   ├── NotFoundError        nothing lies at that path
│   ├── ConflictError        something else lies there already
│   └── LakeUnavailableError away, see above
├── ContractError            a dataset differs from its contract; lists every difference
├── SourceError              a file, folder or moment somebody gave cannot be used
│   └── AheadOfClockError    a moment that the clock has not reached
├── CrawlStoppedError        the tripwire: the site shuts us out, or has changed
├── RecipeError              a recipe that cannot be trained
├── BundleError              a folder that is not a whole bundle
├── LedgerError
│   └── HeadMovedError       somebody else wrote the entry first
└── PromotionRefusedError    a rule of promotion says no
"""

from __future__ import annotations

import os

BAD_INPUT = 2
"""The exit status of a process whose input is wrong: a retry cannot help."""
STOPPED = 3
"""The exit status of a crawl whose tripwire went off."""
AWAY = os.EX_TEMPFAIL
"""The exit status (75) of a process that a part of the world does not answer: a retry may help."""


class MarqueeError(Exception):
    """What happened and where (`message`), and what to do about it (`remedy`)."""

    status = 1
    """Exit status of a command; 2 where its arguments are wrong and nothing was started."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} — {self.remedy}" if self.remedy else self.message


class SettingsError(MarqueeError):
    """A setting is unknown or has the wrong kind of value."""


class AwayError(MarqueeError):
    """A part of the world does not answer; trying again may help."""


class LakeError(MarqueeError):
    """Something in the lake stands in the way."""


class NotFoundError(LakeError):
    """Nothing lies at that path."""


class ConflictError(LakeError):
    """Something with other content lies at that path already."""


class LakeUnavailableError(LakeError, AwayError):
    """The lake did not answer; trying again may help."""


class LakeFullError(LakeUnavailableError):
    """The lake has no room left; trying again helps once somebody has made room."""


class ContractError(MarqueeError):
    """A dataset differs from its contract."""


class SourceError(MarqueeError):
    """A file, folder or moment somebody gave cannot be used."""


class AheadOfClockError(SourceError):
    """A moment that the clock has not reached."""


class CrawlStoppedError(MarqueeError):
    """The crawl stopped itself, with a named cause."""


class CrawlInterruptedError(AwayError):
    """The crawl was cut off, by a signal or because the site does not answer; it can go on."""


class RecipeError(MarqueeError):
    """A recipe that cannot be trained."""


class BundleError(MarqueeError):
    """A folder that is not a whole bundle."""


class LedgerError(MarqueeError):
    """The ledger is broken, or refuses an entry."""


class HeadMovedError(LedgerError):
    """Another entry was written since the head was read."""


class PromotionRefusedError(MarqueeError):
    """A rule of promotion says no."""


class StackError(AwayError):
    """A part of the local stack is missing, busy or dead."""


def retry_helps(error: BaseException) -> bool:
    """Whether a retry of the same work may succeed.

    Our own errors are final unless they are AwayErrors. Any other exception is a surprise (a
    process that died, a library that broke, a machine without memory): a retry costs little and
    often helps.
    """
    return isinstance(error, AwayError) or not isinstance(error, MarqueeError)


def exit_status(error: BaseException) -> int:
    """The exit status of a process that `error` ended: `AWAY` where a retry may succeed."""
    if isinstance(error, CrawlStoppedError):
        return STOPPED
    return AWAY if retry_helps(error) else BAD_INPUT
