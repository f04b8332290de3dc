"""The declarative base of the identity database, and the lock of the organisation chart."""

from __future__ import annotations

from sqlalchemy.orm import DeclarativeBase, Session

from shared.db.base import TYPES, new_metadata
from shared.db.locks import hold

__all__ = ["Base", "lock_installation", "lock_organisation"]


class Base(DeclarativeBase):
    """Base of all mapped classes of identity."""

    metadata = new_metadata()
    type_annotation_map = TYPES


def lock_organisation(session: Session) -> None:
    """Until commit nobody else changes people or teams.

    Two moves that are fine alone can close a ring together, and two administrators can step down at once.
    """
    hold(session, "organisation chart")


def lock_installation(session: Session) -> None:
    """Until commit nobody else sets the installation up."""
    hold(session, "first run")
