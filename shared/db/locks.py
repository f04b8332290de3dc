"""Locks on names: for what has no row yet that could be locked."""

from __future__ import annotations

from sqlalchemy.orm import Session

__all__ = ["hold", "try_hold"]

_HOLD = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
_TRY_HOLD = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))"


def hold(session: Session, name: str) -> None:
    """Let nobody else in this database work on what is called `name` until the end of the transaction."""
    session.connection().exec_driver_sql(_HOLD, (name,))


def try_hold(session: Session, name: str) -> bool:
    """As `hold`, without waiting; False when somebody has it."""
    return bool(session.connection().exec_driver_sql(_TRY_HOLD, (name,)).scalar_one())
