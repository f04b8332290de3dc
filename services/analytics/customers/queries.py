"""Read customers' timelines."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Uuid, cast, func, literal, select, tuple_, union
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from services.analytics.database.star_schema import CUSTOMER_LINKS, CUSTOMERS, TIMELINE
from shared.access import Principal, reach_filter
from shared.kernel.errors import NotFound

__all__ = ["timeline"]


def timeline(
    session: Session,
    principal: Principal,
    customer_id: uuid.UUID,
    filters: Mapping[str, Any],
    begin: Sequence[str] | None,
) -> tuple[list[Row[Any]], list[str] | None]:
    """A page of what happened around a customer, newest first, and the place where the next page begins.

    What happened to a lead before it belonged to its account, and what the ERP says of the account's orders,
    is part of the account's timeline. Raises NotFound, also for what the caller may not see.
    """
    root = _account_of(session, customer_id)
    members = _members(session, root)
    _require_visible(session, principal, root, members)
    t = TIMELINE.c
    member = (
        func.unnest(cast(literal(members, ARRAY(Uuid)), ARRAY(Uuid)))
        .table_valued("id")
        .render_derived("member")
    )
    entries = select(*TIMELINE.c).where(t.customer_id == member.c.id)
    for name in ("kind", "service", "correlation_id"):
        if name in filters:
            entries = entries.where(t[name] == filters[name])
    if "from_" in filters:
        entries = entries.where(t.effective_at >= filters["from_"])
    if "to" in filters:
        entries = entries.where(t.effective_at < filters["to"])
    if begin is not None:
        after = tuple_(datetime.fromisoformat(begin[0]), uuid.UUID(begin[1]))
        entries = entries.where(tuple_(t.effective_at, t.entry_id) < after)
    limit = filters["limit"]
    # The newest of each member first: an index serves them, however long the timelines are.
    newest = entries.order_by(t.effective_at.desc(), t.entry_id.desc()).limit(limit + 1).lateral("newest")
    query = (
        select(*newest.c)
        .select_from(member.join(newest, literal(True)))
        .order_by(newest.c.effective_at.desc(), newest.c.entry_id.desc())
        .limit(limit + 1)
    )
    rows = list(session.execute(query))
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    return rows[:limit], [last.effective_at.isoformat(), str(last.entry_id)]


def _account_of(session: Session, customer_id: uuid.UUID) -> uuid.UUID:
    """The account that a converted lead or an order belongs to; otherwise the customer itself."""
    links = CUSTOMER_LINKS.c
    query = select(links.customer_id).where(links.member_id == customer_id).order_by(links.customer_id)
    return session.scalar(query.limit(1)) or customer_id


def _members(session: Session, root: uuid.UUID) -> list[uuid.UUID]:
    """The customer and everything whose facts name only itself."""
    links = CUSTOMER_LINKS.c
    query = union(select(literal(root, Uuid)), select(links.member_id).where(links.customer_id == root))
    return list(session.scalars(query))


def _require_visible(
    session: Session, principal: Principal, root: uuid.UUID, members: Sequence[uuid.UUID]
) -> None:
    """Raises NotFound unless something is known of the customer and the caller may see it."""
    wanted = select(literal(root, Uuid).label("id")).subquery()
    visible = (
        select(CUSTOMERS.c.customer_id, TIMELINE.c.entry_id)
        .select_from(
            wanted.outerjoin(CUSTOMERS, CUSTOMERS.c.customer_id == wanted.c.id).outerjoin(
                TIMELINE, TIMELINE.c.customer_id.in_(members)
            )
        )
        .where(reach_filter(principal, "customer.read", owner=CUSTOMERS.c.owner_id))
        .limit(1)
    )
    row = session.execute(visible).first()
    if row is None or (row.customer_id is None and row.entry_id is None):
        raise NotFound(f"There is no customer with the id {root}.")
