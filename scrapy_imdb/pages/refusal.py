"""Why a page was not read."""

from __future__ import annotations

from marquee.errors import SourceError


class RefusedPageError(SourceError):
    """A page that is not read at all, rather than half; `message` is the reason."""


class ChallengePageError(RefusedPageError):
    """No page of a title at all: the site asks whether we are a robot."""
