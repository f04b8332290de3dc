"""What arrives goes to the archive, all of it. The few facts that this service handles like any other (people,
the company's settings) go to the inbox too, and so do bytes that are no event: an operator finds them there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from services.analytics.archive.repository import Archive, Arrival
from shared.messaging.inbox import Inbox, Stored
from shared.messaging.transport import ReceivedRecord

__all__ = ["Arrivals"]


@dataclass(frozen=True)
class Arrivals:
    """Stores a batch in the archive and, where a handler or an operator waits for it, in the inbox."""

    inbox: Inbox
    archive: Archive

    def store(
        self, connection: psycopg.Connection[Any], records: Sequence[ReceivedRecord], now: datetime
    ) -> Stored:
        """Store a batch inside the caller's transaction; the outcome is the archive's."""
        arrivals = [Arrival.of(record) for record in records]
        stored = self.archive.append(connection, arrivals, now)
        waited_for = [
            arrival.record
            for arrival in arrivals
            if arrival.fact is None or arrival.fact.type in self.inbox.types
        ]
        if waited_for:
            self.inbox.store(connection, waited_for, now)
        return stored
