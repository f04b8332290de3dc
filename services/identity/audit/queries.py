"""Read and verify the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.db.listing import Listing, Page, at_least, at_most, equals
from shared.db.plumbing import AUDIT_ENTRIES
from shared.messaging.housekeeping import verify_audit

__all__ = ["list_entries", "verify_log"]

_entry = AUDIT_ENTRIES.c
_ENTRIES = Listing(
    select(_entry.seq, _entry.at, _entry.actor, _entry.action, _entry.object, _entry.details),
    key=_entry.ord,
    filters={
        "actor": equals(_entry.actor),
        "object": equals(_entry.object),
        "action": equals(_entry.action),
        "at_gte": at_least(_entry.at),
        "at_lte": at_most(_entry.at),
    },
    sorts={"at": _entry.at},
    default_sort="-at",
)


def list_entries(session: Session, arguments: Mapping[str, Any]) -> Page:
    """A page of entries."""
    return _ENTRIES.page(session, arguments)


def verify_log(session: Session) -> dict[str, Any]:
    """Walk the whole chain, in the transaction of `session`. `first_broken_seq`: the first entry that does not fit."""
    broken = verify_audit(session)
    counts = session.execute(
        select(
            func.count().filter(_entry.seq.is_not(None)).label("sealed"),
            func.count().filter(_entry.seq.is_(None)).label("pending"),
        ).select_from(AUDIT_ENTRIES)
    ).one()
    return {"intact": broken is None, "first_broken_seq": broken, **counts._mapping}
