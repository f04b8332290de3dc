"""What arrives goes to the archive, all of it. The few facts that this service handles like any other (people,
the company's settings) go to the inbox too, and so do bytes that are no event: an operator finds them there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from services.analytics.archive.repository import Archive
from shared.messaging.envelope import Undecodable, fact_from_record
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
        stored = self.archive.store(connection, records, now)
        handled = [record for record in records if self._concerns_inbox(record)]
        if handled:
            self.inbox.store(connection, handled, now)
        return stored

    def _concerns_inbox(self, record: ReceivedRecord) -> bool:
        try:
            return fact_from_record(record).type in self.inbox.types
        except Undecodable:
            return True
