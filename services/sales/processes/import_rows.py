"""What all imports share: chunks that commit alone, rows that fail alone, a verdict for each, and dry runs."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Self

from sqlalchemy.exc import DataError, IntegrityError

from shared.company import company
from shared.db.unit_of_work import UnitOfWork
from shared.kernel.errors import DomainError, Stale

__all__ = ["Outcome", "Row", "import_rows", "noon"]

CHUNK = 150
"""Rows a transaction: enough to spread the cost of a commit, few enough to lock nobody out."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row that could be read. `number`: its line, from 1; `values`: the fields of its kind."""

    number: int
    external_id: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a row: created, updated, unchanged, warned (created, but look at `reason`) or refused."""

    row: int
    external_id: str | None
    verdict: str
    id: uuid.UUID | None = None
    reason: str | None = None

    @classmethod
    def refused(cls, row: int, external_id: str | None, reason: str) -> Self:
        """Nothing of the row was kept."""
        return cls(row, external_id, "refused", None, reason)

    @classmethod
    def created(cls, row: Row, record_id: uuid.UUID, warning: str | None = None) -> Self:
        """A new record, perhaps with something to look at."""
        return cls(row.number, row.external_id, "warned" if warning else "created", record_id, warning)

    @classmethod
    def kept(cls, row: Row, record_id: uuid.UUID, *, changed: bool) -> Self:
        """A record that was there."""
        return cls(row.number, row.external_id, "updated" if changed else "unchanged", record_id)


Apply = Callable[[Row], Outcome]
Prepare = Callable[[Sequence[Row], UnitOfWork], Apply]
"""Reads what a chunk needs at once; what it returns applies a row, or raises DomainError before it changes
anything."""


class _DryRun(Exception):
    """Ends a transaction of which nothing is to be kept."""


def import_rows(rows: Sequence[Row], prepare: Prepare, uow: UnitOfWork, *, dry_run: bool) -> list[Outcome]:
    """Apply `rows`, each chunk a transaction of its own: what is done stays done when a later chunk cannot be."""
    outcomes: list[Outcome] = []
    # Of a dry run nothing stays, so its rows only see each other inside one transaction.
    size = max(1, len(rows)) if dry_run else CHUNK
    for start in range(0, len(rows), size):
        chunk = rows[start : start + size]
        try:
            outcomes += _apply(chunk, prepare, uow, dry_run=dry_run)
        except (IntegrityError, DataError, Stale):
            # One row that the database refuses takes its chunk with it: now each for itself.
            for row in chunk:
                outcomes += _apply_alone(row, prepare, uow, dry_run=dry_run)
    return outcomes


def noon(day: date | None, uow: UnitOfWork) -> datetime:
    """The business time of something that is known by its day: noon where the company is, now without a day.

    At noon it is the same day nearly everywhere, so no reader books it on another one.
    """
    if day is None:
        return uow.clock.now()
    return datetime.combine(day, time(12), company(uow.session).zone)


def _apply(chunk: Sequence[Row], prepare: Prepare, uow: UnitOfWork, *, dry_run: bool) -> list[Outcome]:
    outcomes: list[Outcome] = []
    with suppress(_DryRun), uow:
        apply = prepare(chunk, uow)
        for row in chunk:
            try:
                # A row must not wait for what the rows before it have to write.
                with uow.session.no_autoflush:
                    outcomes.append(apply(row))
            except DomainError as refusal:
                outcomes.append(Outcome.refused(row.number, row.external_id, refusal.detail))
        if dry_run:
            uow.flush()
            raise _DryRun
    return outcomes


def _apply_alone(row: Row, prepare: Prepare, uow: UnitOfWork, *, dry_run: bool) -> list[Outcome]:
    try:
        return _apply([row], prepare, uow, dry_run=dry_run)
    except (IntegrityError, DataError):
        reason = "The database refuses the row: a value is taken, or does not fit."
    except Stale:
        reason = "Somebody changed the record at the same moment. Send the row again."
    return [Outcome.refused(row.number, row.external_id, reason)]
