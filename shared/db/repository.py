"""The part of a repository that is the same for every aggregate."""

from __future__ import annotations

import uuid
from functools import cache
from typing import Any, ClassVar, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, bindparam, select
from sqlalchemy.orm import Session

from shared.db.base import AggregateRoot
from shared.kernel.errors import NotFound

__all__ = ["Repository"]

A = TypeVar("A", bound=AggregateRoot)


class Repository(Generic[A]):
    """Get, find and add aggregates of one class; never commits. Subclasses set `model` and add finders."""

    model: ClassVar[type]

    def __init__(self, session: Session) -> None:
        self.session = session

    def find(
        self, aggregate_id: uuid.UUID, *, where: ColumnElement[bool] | None = None, lock: bool = False
    ) -> A | None:
        """The aggregate, or None. `where`: what the caller may see; `lock`: hold its row until commit."""
        query = _by_id(self.model)
        if where is not None:
            query = query.where(where)
        if lock:
            query = query.with_for_update().execution_options(populate_existing=True)
        found: A | None = self.session.scalar(query, {"id": aggregate_id})
        return found

    def get(
        self,
        aggregate_id: uuid.UUID,
        *,
        expected_version: int | None = None,
        where: ColumnElement[bool] | None = None,
        lock: bool = False,
    ) -> A:
        """The aggregate. Raises NotFound, and Stale when `expected_version` is not its present version."""
        found = self.find(aggregate_id, where=where, lock=lock)
        if found is None:
            noun = self.model.AGGREGATE.replace("_", " ")  # type: ignore[attr-defined]
            raise NotFound(f"There is no {noun} with the id {aggregate_id}.")
        found.check_version(expected_version)
        return found

    def add(self, aggregate: A) -> A:
        """Keep a new aggregate."""
        self.session.add(aggregate)
        return aggregate


@cache
def _by_id(model: type) -> Select[Any]:
    return select(model).where(model.id == bindparam("id"))  # type: ignore[attr-defined]
