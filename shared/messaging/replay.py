"""Replay: bring facts back from the broker that a consumer lost, for example after its database was restored from
a backup older than the log.

Replayed facts keep their ids: what the inbox knows already changes nothing, what it lacks is applied in order. What it
has skipped because the service had no handler for it is applied once it has one.
"""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import insert

from shared.db.engine import connect
from shared.db.plumbing import AUDIT_ENTRIES
from shared.kernel.cause import current_cause
from shared.kernel.clock import Clock
from shared.messaging.ingest import Store
from shared.messaging.transport import Transport

if TYPE_CHECKING:
    from shared.db.unit_of_work import UnitOfWork

__all__ = ["ReplayResult", "note", "replay"]

BATCH = 500


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """`read` records lay in the topic, `missing` of them were unknown to the consumer or had no handler when they came;
    `dry_run`: none was stored."""

    read: int
    missing: int
    dry_run: bool


def replay(
    transport: Transport,
    database_url: str,
    store: Store,
    clock: Clock,
    *,
    topic: str,
    since: datetime | None = None,
    key: str | None = None,
    dry_run: bool = False,
) -> ReplayResult:
    """Store what `topic` holds (from `since`, of `key`) and the consumer lacks. A dry run only counts."""
    read = missing = 0
    records = transport.read(topic, since=since, key=key)
    with connect(database_url, application="replay", autocommit=True) as connection:
        while batch := list(itertools.islice(records, BATCH)):
            with connection.transaction(force_rollback=dry_run):
                missing += store.store(connection, batch, clock.now()).new
            read += len(batch)
    return ReplayResult(read, missing, dry_run)


def note(uow: UnitOfWork, topic: str, result: ReplayResult) -> None:
    """Say in the audit log who had `topic` replayed, and what came of it."""
    uow.session.execute(
        insert(AUDIT_ENTRIES).values(
            at=uow.clock.now(),
            actor=current_cause().actor_id,
            action="bus.replay",
            object=f"topic:{topic}",
            details=asdict(result),
        )
    )
