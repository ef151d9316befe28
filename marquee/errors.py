"""The family of errors, and the exit statuses of processes.

An error of *wrong input* is final: a retry fails in the same way. An *AwayError* means that a
service, a disk or a site does not respond now; a retry may succeed. `retry_helps` distinguishes the
two. A full disk raises an AwayError, because a retry succeeds after a person has made room.

A Spark job and the crawl end with the `exit_status` of the error that stopped them. The task that
started the process reads that status.

MarqueeError
├── SettingsError            an unknown key, a value of the wrong kind
├── AwayError                a service, a disk or a site does not respond; a retry may succeed
│   ├── LakeUnavailableError the lake does not respond (a LakeError too)
│   │   └── LakeFullError    the lake is full; a retry succeeds after a person has made room
│   ├── StackError           a process of the local stack is missing, busy or dead
│   ├── NameTakenError       another process runs under the name of this one
│   └── CrawlInterruptedError  the crawl was cut off, by a signal or because the site is down
├── LakeError
│   ├── NotFoundError        nothing lies at that path
│   ├── ConflictError        the path exists with other content
│   └── LakeUnavailableError away, see above
├── ContractError            a dataset differs from its contract; lists every difference
├── DocumentConflictError    a document in CouchDB has other content or another revision
├── SourceError              a given file, folder or moment cannot be used
│   └── AheadOfClockError    a given moment lies in the future
├── CrawlStoppedError        the tripwire stopped the crawl: the site refuses it, or has changed
├── RecipeError              a recipe that cannot be trained
├── BundleError              a folder that is not a whole bundle
├── LedgerError
│   └── HeadMovedError       another process wrote the next entry first
└── PromotionRefusedError    a rule of promotion forbids the promotion
"""

from __future__ import annotations

import os

BAD_INPUT = 2
"""The exit status of a process whose input is wrong: a retry fails again."""
STOPPED = 3
"""The exit status of a crawl that its tripwire stopped."""
AWAY = os.EX_TEMPFAIL
"""The exit status (75) of a process that failed with an error of which `retry_helps` is true."""


class MarqueeError(Exception):
    """The event and its place (`message`), and the action that corrects it (`remedy`)."""

    status = 1
    """Exit status of a `marquee` command that fails with this error."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} — {self.remedy}" if self.remedy else self.message


class SettingsError(MarqueeError):
    """A setting is unknown or has the wrong kind of value."""


class AwayError(MarqueeError):
    """A service, a disk or a site does not respond; a retry may succeed."""


class NameTakenError(AwayError):
    """Another process runs under the name of this one; a retry takes the name back."""


class LakeError(MarqueeError):
    """The lake refuses an operation, or holds a damaged file."""


class NotFoundError(LakeError):
    """Nothing lies at that path."""


class ConflictError(LakeError):
    """The path exists with other content."""


class LakeUnavailableError(LakeError, AwayError):
    """The lake does not respond; a retry may succeed."""


class LakeFullError(LakeUnavailableError):
    """The lake is full; a retry succeeds after a person has made room."""


class ContractError(MarqueeError):
    """A dataset differs from its contract."""


class SourceError(MarqueeError):
    """A given file, folder or moment cannot be used."""


class AheadOfClockError(SourceError):
    """A given moment lies in the future."""


class DocumentConflictError(MarqueeError):
    """A document has other content than ours, or another revision than the one that was read."""


class CrawlStoppedError(MarqueeError):
    """The tripwire stopped the crawl; the message names the cause."""


class CrawlInterruptedError(AwayError):
    """A signal or a site that does not respond ended the crawl; the next attempt continues it."""


class RecipeError(MarqueeError):
    """The recipe cannot be trained."""


class BundleError(MarqueeError):
    """The folder is not a complete bundle."""


class LedgerError(MarqueeError):
    """The ledger is broken, or refuses an entry."""


class HeadMovedError(LedgerError):
    """Another entry was written since the head was read."""


class PromotionRefusedError(MarqueeError):
    """A rule of promotion forbids the promotion."""


class StackError(AwayError):
    """A process of the local stack is missing, busy or dead."""


def retry_helps(error: BaseException) -> bool:
    """Whether a retry of the same work may succeed.

    A retry may succeed after an AwayError. Every other MarqueeError is final. An exception of
    another library (a dead process, a machine without memory) justifies a retry, too: the retry
    costs little and often succeeds.
    """
    return isinstance(error, AwayError) or not isinstance(error, MarqueeError)


def exit_status(error: BaseException) -> int:
    """The exit status of a process that `error` ended: `STOPPED`, `AWAY` or `BAD_INPUT`."""
    if isinstance(error, CrawlStoppedError):
        return STOPPED
    return AWAY if retry_helps(error) else BAD_INPUT
