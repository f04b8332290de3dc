"""The sizes that are explored, and the rules that are left out one at a time."""

from __future__ import annotations

from tests.faults.model.invariants import EXACTLY_ONCE, NO_GHOST, NO_LOSS, ORDER
from tests.faults.model.protocol import Mutation, Protocol

__all__ = ["EXPECTED", "LARGE", "SMALL"]

SMALL = {
    "whole, two keys": Protocol(keys=2, facts=1, partitions=2, faults=1),
    "whole, one key": Protocol(keys=1, facts=2, faults=1),
    "up to the log": Protocol(keys=2, facts=2, partitions=2, consumers=0, faults=1),
    "from the log": Protocol(keys=2, facts=2, partitions=2, relays=0, faults=1),
}
"""Seconds each."""

LARGE = {
    "whole, two faults": Protocol(keys=2, facts=1, faults=2),
    "whole, one key, two faults": Protocol(keys=1, facts=2, faults=2),
    "whole, one key of three": Protocol(keys=1, facts=3, faults=1),
    "whole, two keys of two": Protocol(keys=2, facts=2, faults=0),
}
"""Minutes together."""


def _without(mutation: Mutation, invariant: str, **size: int) -> tuple[Mutation, tuple[Protocol, str]]:
    return mutation, (Protocol(mutation=mutation, **size), invariant)


EXPECTED = dict(
    [
        _without(Mutation.INBOX_KEY_OFF, EXACTLY_ONCE, keys=1, facts=1, faults=1),
        _without(Mutation.MARK_BEFORE_ACKNOWLEDGE, NO_LOSS, keys=1, facts=1, faults=1),
        _without(Mutation.CURSOR_POLLING, NO_LOSS, keys=2, facts=1, faults=0),
        _without(Mutation.AUTO_COMMIT, NO_LOSS, keys=1, facts=1, faults=1),
        _without(Mutation.HANDLER_OUTSIDE_TRANSACTION, EXACTLY_ONCE, keys=1, facts=1, faults=1),
        _without(Mutation.SKIP_LOCKED_RELAY, ORDER, keys=1, facts=2, faults=0),
        _without(Mutation.SEND_BEFORE_COMMIT, NO_GHOST, keys=1, facts=1, faults=0),
        _without(Mutation.ANY_ROW_OF_A_KEY, ORDER, keys=1, facts=2, faults=0),
    ]
)
"""For each rule that is left out: the smallest protocol that shows it, and the promise that breaks first."""
