"""The tables of the demo ERP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from services.erp.demo_erp.model import DemoChange, DemoCustomer, DemoDocument, DemoScript
from services.erp.erp_document import CANCELLED
from shared.db.locks import hold

__all__ = ["DemoTables"]


class DemoTables:
    """The demo ERP's tables in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, row: Any) -> None:
        """Keep a new row, and give it its number."""
        self._session.add(row)
        self._session.flush()

    def document(self, document_id: int) -> DemoDocument | None:
        """One document, locked."""
        return self._session.get(DemoDocument, document_id, with_for_update=True)

    def live(self, reference: str) -> Sequence[DemoDocument]:
        """The documents that bear `reference` and are not cancelled."""
        query = select(DemoDocument).where(
            DemoDocument.reference == reference, DemoDocument.state != CANCELLED
        )
        return self._session.scalars(query.order_by(DemoDocument.id)).all()

    def due(self, now: datetime, limit: int) -> Sequence[DemoDocument]:
        """Documents whose next step has come, locked."""
        query = (
            select(DemoDocument)
            .where(DemoDocument.next_at <= now)
            .order_by(DemoDocument.next_at)
            .limit(limit)
        )
        return self._session.scalars(query.with_for_update(skip_locked=True)).all()

    def customer(self, account_id: str, name: str) -> DemoCustomer:
        """The customer of an account, made where there is none."""
        hold(self._session, f"demo customer {account_id}")
        found = self._session.scalar(select(DemoCustomer).where(DemoCustomer.account_id == account_id))
        if found is None:
            found = DemoCustomer(account_id=account_id, name=name)
            self.add(found)
        return found

    def append_changes(self, document: DemoDocument, snapshots: Sequence[dict[str, Any]]) -> None:
        """Tell the feed. One transaction after another does, so that numbers follow commits and a reader's cursor
        passes nothing by."""
        hold(self._session, "demo changes")
        for snapshot in snapshots:
            self.add(DemoChange(document_id=document.id, snapshot=snapshot))

    def changes_after(self, seq: int, limit: int) -> Sequence[DemoChange]:
        """Entries of the feed behind `seq`."""
        query = select(DemoChange).where(DemoChange.seq > seq).order_by(DemoChange.seq).limit(limit)
        return self._session.scalars(query).all()

    def scripts(self, on: str, order: Mapping[str, Any]) -> Sequence[DemoScript]:
        """The scripts for a step that have not run out, locked; of those for one order only that of `order`
        (reference, number)."""
        query = select(DemoScript).where(
            DemoScript.on == on,
            or_(DemoScript.remaining.is_(None), DemoScript.remaining > 0),
            or_(
                DemoScript.field.not_in(("reference", "number")),
                DemoScript.value.in_((order["reference"], order["number"])),
            ),
        )
        return self._session.scalars(query.order_by(DemoScript.id).with_for_update()).all()

    def script(self, script_id: int) -> DemoScript | None:
        """One script."""
        return self._session.get(DemoScript, script_id)

    def delete(self, script: DemoScript) -> None:
        """Forget a script."""
        self._session.delete(script)

    def down_until(self) -> datetime | None:
        """Until when the ERP cannot be reached."""
        return self._session.scalar(select(func.max(DemoScript.down_until)))
