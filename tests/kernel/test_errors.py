"""Wrong input is final; a world that is away is tried again."""

from __future__ import annotations

import pytest

from marquee import errors
from marquee.errors import BAD_INPUT, STOPPED, MarqueeError, exit_status, retry_helps

AWAY = {
    *("AwayError", "LakeUnavailableError", "LakeFullError", "StackError", "CrawlInterruptedError"),
    "NameTakenError",
}
FAMILY = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, MarqueeError)]


@pytest.mark.parametrize("kind", FAMILY)
def test_each_of_the_family_is_final_or_away(kind: type[MarqueeError]) -> None:
    assert retry_helps(kind("it happened", "do this")) == (kind.__name__ in AWAY)
    assert kind.__name__ in str(errors.__doc__)


def test_a_surprise_is_worth_a_retry() -> None:
    assert retry_helps(MemoryError())
    assert retry_helps(KeyError("x"))


@pytest.mark.parametrize("kind", FAMILY)
def test_an_exit_status_says_whether_a_retry_helps(kind: type[MarqueeError]) -> None:
    final = STOPPED if kind.__name__ == "CrawlStoppedError" else BAD_INPUT
    assert exit_status(kind("it happened", "do this")) == (75 if kind.__name__ in AWAY else final)
