"""Plan and log activities: what an activity regards must be there and visible, and names customer and deal."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from services.sales.accounts.queries import get_account
from services.sales.activities import use_cases
from services.sales.contacts.queries import get_contact
from services.sales.leads.queries import get_lead
from services.sales.opportunities.queries import get_opportunity
from services.sales.orders.queries import get_order
from services.sales.quotes.queries import get_quote
from shared.access import Principal
from shared.db.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    from services.sales.activities.model import Activity

__all__ = ["log_activity", "plan_activity"]

_READ: Mapping[str, Callable[[Session, Principal, uuid.UUID], Any]] = {
    "account": get_account,
    "contact": get_contact,
    "opportunity": get_opportunity,
    "lead": get_lead,
    "quote": get_quote,
    "order": get_order,
}
_NAMED = ("account", "contact", "opportunity", "lead")


def plan_activity(values: Mapping[str, Any], principal: Principal, uow: UnitOfWork) -> Activity:
    """Plan something to do. Raises NotFound for what `principal` does not see, ContactNotLive, DueInPast."""
    with uow:
        return use_cases.plan_activity(_with_customer(values, principal, uow), uow)


def log_activity(
    values: Mapping[str, Any], principal: Principal, done_by: uuid.UUID, uow: UnitOfWork
) -> Activity:
    """Keep what took place. Raises NotFound for what `principal` does not see, ContactNotLive."""
    with uow:
        return use_cases.log_activity(_with_customer(values, principal, uow), done_by, uow)


def _with_customer(values: Mapping[str, Any], principal: Principal, uow: UnitOfWork) -> dict[str, Any]:
    """`values` and whom they concern: named themselves, or through a deal, quote, order or contact."""
    regarding: Sequence[Mapping[str, Any]] = values.get("regarding") or ()
    found = [(item["type"], _READ[item["type"]](uow.session, principal, item["id"])) for item in regarding]
    concerned: dict[str, uuid.UUID | None] = {f"{noun}_id": None for noun in _NAMED}
    for noun, record in found:
        if noun == "contact":
            record.require_live()
        if noun in _NAMED:
            concerned[f"{noun}_id"] = concerned[f"{noun}_id"] or record.id
    for _, record in found:
        for name in ("account_id", "opportunity_id"):
            concerned[name] = concerned[name] or getattr(record, name, None)
    return {**values, **concerned}
