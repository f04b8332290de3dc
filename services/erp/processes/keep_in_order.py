"""Keep what arrives in the order of the commits, so that a reader's position passes nothing by."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from shared.messaging.inbox import Inbox, Stored
from shared.messaging.transport import ReceivedRecord

__all__ = ["InboxInOrder"]

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('inbox in order', 0))"


@dataclass(frozen=True)
class InboxInOrder:
    """The inbox, filled by one transaction after another: two members of a group, or a replay beside them, would
    otherwise commit rows below a position that was read already."""

    consumer: str
    types: Collection[str]

    def store(
        self, connection: psycopg.Connection[Any], records: Sequence[ReceivedRecord], now: datetime
    ) -> Stored:
        """Store a batch inside the caller's transaction."""
        connection.execute(_LOCK)
        return Inbox(self.consumer, self.types).store(connection, records, now)
