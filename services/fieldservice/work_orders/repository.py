"""Get and find work orders, and what was heard of sales orders."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from services.fieldservice.work_orders.model import OrderHeard, WorkOrder
from shared.db.repository import Repository

__all__ = ["WorkOrders"]

NOTHING_HEARD = {"submitted_no": 0, "acknowledged_no": 0, "ended_no": 0, "confirmed": {}, "shipped": {}}


class WorkOrders(Repository[WorkOrder]):
    """The work orders of one session."""

    model = WorkOrder

    def next_number(self) -> str:
        """A number that nobody has, such as `WO-00000123`; gaps are possible."""
        number = self.session.scalars(text("SELECT nextval('work_order_numbers')")).one()
        return f"WO-{number:08d}"

    def standing(
        self, source_kind: str, source_id: uuid.UUID, source_line_id: uuid.UUID | None
    ) -> WorkOrder | None:
        """The work order of a source that is not cancelled."""
        return self.session.scalar(
            select(WorkOrder).where(
                WorkOrder.source_kind == source_kind,
                WorkOrder.source_id == source_id,
                WorkOrder.source_line_id.is_not_distinct_from(source_line_id),
                WorkOrder.state != "cancelled",
            )
        )

    def of_order(self, order_id: uuid.UUID) -> Sequence[WorkOrder]:
        """The last work order of each line of a sales order, locked."""
        query = select(WorkOrder).where(
            WorkOrder.source_kind == "order_line", WorkOrder.source_id == order_id
        )
        found = self.session.scalars(query.order_by(WorkOrder.created_at, WorkOrder.id).with_for_update())
        return list({order.source_line_id: order for order in found}.values())

    def heard(self, order_id: uuid.UUID) -> OrderHeard:
        """What was heard of a sales order, locked; nothing yet where it is new."""
        self.session.execute(
            insert(OrderHeard).values(order_id=order_id, **NOTHING_HEARD).on_conflict_do_nothing()
        )
        return self.session.scalars(
            select(OrderHeard).where(OrderHeard.order_id == order_id).with_for_update()
        ).one()
