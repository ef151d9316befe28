"""The one family of errors, and the two kinds in it.

*Wrong input* is final: the same input is refused again, whoever tries. A part of the world that is
*away* (AwayError) may be back: the same work is tried again, and ends well. `retry_helps` tells
them apart, and whoever decides on a retry asks it. A full disk is away: a person must make room,
and the retry after that ends well.

MarqueeError
├── SettingsError            a key unknown, a value of the wrong kind
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
├── CrawlStoppedError        the tripwire: the site shut us out, or changed
├── RecipeError              a recipe that cannot be trained
├── BundleError              a bundle that is torn, or not one
├── LedgerError
│   └── HeadMovedError       somebody else wrote the entry first
└── PromotionRefusedError    a rule of promotion says no
"""

from __future__ import annotations


class MarqueeError(Exception):
    """What happened and where (`message`), and what to do about it (`remedy`)."""

    status = 1
    """What a command ends with; 2 where it was typed wrong, and nothing was started."""

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
    """A recipe that cannot be trained as asked."""


class BundleError(MarqueeError):
    """A bundle that is torn, or not one."""


class LedgerError(MarqueeError):
    """The ledger is broken, or refuses an entry."""


class HeadMovedError(LedgerError):
    """Another entry was written since the head was read."""


class PromotionRefusedError(MarqueeError):
    """A rule of promotion says no."""


class StackError(AwayError):
    """A part of the local stack is missing, busy or dead."""


def retry_helps(error: BaseException) -> bool:
    """Whether the same work may end well when it is tried again.

    Ours that are final say no. What is none of ours is a surprise: a process that died, a library
    that broke, a machine without memory; a retry costs little there and often helps.
    """
    return isinstance(error, AwayError) or not isinstance(error, MarqueeError)
