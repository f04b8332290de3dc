"""Read cases."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from services.support.cases.model import Case
from services.support.cases.repository import Cases
from shared.access import Principal, reach_filter
from shared.db.listing import Listing, Page, equals, one_of

__all__ = ["get_case", "list_cases", "visible_cases"]

_CASES = Listing(
    select(
        Case.id,
        Case.version,
        Case.number,
        Case.kind,
        Case.subject,
        Case.channel,
        Case.state,
        Case.waits_for,
        Case.priority,
        Case.account_id,
        Case.contact_id,
        Case.asset_id,
        Case.owner_id,
        Case.opened_at,
        Case.resolved_at,
        Case.created_at,
        Case.updated_at,
    ),
    key=Case.id,
    filters={
        "state": equals(Case.state),
        "priority": equals(Case.priority),
        "kind": equals(Case.kind),
        "account_id": equals(Case.account_id),
        "asset_id": equals(Case.asset_id),
        "owner_id": equals(Case.owner_id),
        "number": equals(Case.number),
        "ids": one_of(Case.id),
        "q": lambda text: Case.subject.icontains(text, autoescape=True),
    },
    sorts={"opened_at": Case.opened_at, "priority": Case.priority, "number": Case.number},
    default_sort="-opened_at",
)


def visible_cases(principal: Principal, permission: str = "case.read") -> ColumnElement[bool]:
    """The cases that `principal` may use with `permission`."""
    return reach_filter(
        principal, permission, owner=Case.owner_id, account=Case.account_id, contact=Case.contact_id
    )


def list_cases(session: Session, principal: Principal, arguments: Mapping[str, Any]) -> Page:
    """A page of cases."""
    return _CASES.page(session, arguments, visible_cases(principal))


def get_case(session: Session, principal: Principal, case_id: uuid.UUID) -> Case:
    """One case in full. Raises NotFound, also for what the caller may not see."""
    return Cases(session).get(case_id, where=visible_cases(principal))
