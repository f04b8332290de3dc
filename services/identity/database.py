"""The declarative base of the identity database, and the lock of the organisation chart."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import DeclarativeBase, Session

from shared.db.base import TYPES, new_metadata

__all__ = ["Base", "lock_organisation"]

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('organisation chart', 0))")


class Base(DeclarativeBase):
    """Base of all mapped classes of identity."""

    metadata = new_metadata()
    type_annotation_map = TYPES


def lock_organisation(session: Session) -> None:
    """Until commit nobody else changes people or teams.

    Two moves that are fine alone can close a ring together, and two administrators can step down at once.
    """
    session.execute(_LOCK)
