"""When to try again."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from shared.kernel.errors import DomainError, Permanent, Retriable, Stale
from shared.messaging.envelope import Undecodable

__all__ = ["HANDLER_DELAYS", "is_permanent", "next_attempt", "relay_delay"]

HANDLER_DELAYS = (1, 5, 30, 120, 600, 3_600, 21_600)
"""Seconds before the 2nd, 3rd, ... attempt of a handler: 1 s, 5 s, 30 s, 2 m, 10 m, 1 h, 6 h."""

JITTER = 0.1
RELAY_FIRST = 0.2
RELAY_LONGEST = 30.0

_random = random.SystemRandom()


def is_permanent(error: BaseException) -> bool:
    """Whether trying again gives the same answer: refusals do, lost races and unknown errors may not."""
    if isinstance(error, Retriable | Stale):
        return False
    return isinstance(error, DomainError | Permanent | Undecodable)


def next_attempt(attempts: int, now: datetime, *, final: bool = True) -> datetime | None:
    """When to try again after `attempts` failures, with up to 10 % jitter; None when it is over.

    `final=False` never gives up: the longest delay repeats.
    """
    if attempts > len(HANDLER_DELAYS):
        if final:
            return None
        attempts = len(HANDLER_DELAYS)
    delay = HANDLER_DELAYS[attempts - 1]
    return now + timedelta(seconds=delay * (1 + _random.uniform(0, JITTER)))


def relay_delay(attempts: int) -> float:
    """Seconds a key waits after `attempts` failed sends: 0.2 s doubling to 30 s, with jitter."""
    delay: float = min(RELAY_LONGEST, RELAY_FIRST * 2 ** min(attempts - 1, 10))
    return delay * (1 + _random.uniform(0, JITTER))
