"""Get and find links, and keep what was said to the ERP."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Text, cast, delete, select
from sqlalchemy.dialects.postgresql import insert

from services.erp.links.model import UNMAPPED, Exchange, InboundAnswer, Link
from shared.db.repository import Repository

__all__ = ["Links"]


class Links(Repository[Link]):
    """The links of one session."""

    model = Link

    def of_document(self, reference: str, erp_id: str) -> Link | None:
        """The order of a document that it was linked with, locked."""
        query = select(Link).where(Link.erp_id == erp_id, cast(Link.id, Text) == reference)
        return self.session.scalar(query.with_for_update())

    def held_up_by(self, kind: str) -> Sequence[Link]:
        """Orders blocked by a missing code of `kind`, oldest first, locked."""
        query = (
            select(Link)
            .where(
                Link.state == "blocked",
                Link.blocked_reason == UNMAPPED,
                Link.blocked_detail["kind"].astext == kind,
            )
            .order_by(Link.id)
        )
        return self.session.scalars(query.with_for_update()).all()

    def keep_exchange(self, **values: Any) -> None:
        """Store a call, or complete one that was stored before it was made."""
        statement = insert(Exchange).values(values)
        self.session.execute(
            statement.on_conflict_do_update(
                index_elements=["id"],
                set_={name: statement.excluded[name] for name in ("answer", "detail", "duration_ms")},
            )
        )

    def open_creation(self, order_id: uuid.UUID) -> datetime | None:
        """When the last create was begun, if nobody knows what became of it."""
        last = self.session.execute(
            select(Exchange.answer, Exchange.started_at)
            .where(Exchange.order_id == order_id, Exchange.step == "create")
            .order_by(Exchange.started_at.desc())
            .limit(1)
        ).first()
        return last.started_at if last is not None and last.answer in (None, "unknown") else None

    def forget_exchanges(self, before: datetime) -> None:
        """Delete the calls made before `before`."""
        self.session.execute(delete(Exchange).where(Exchange.started_at < before))

    def answer(self, answer_id: str) -> InboundAnswer | None:
        """The answer that was given under this id."""
        return self.session.get(InboundAnswer, answer_id)
