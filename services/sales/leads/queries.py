"""Read leads on offer."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from services.sales.leads.model import Lead
from services.sales.leads.repository import Leads
from shared.access import Principal, reach_filter
from shared.access.tables import PRINCIPALS
from shared.db.listing import Listing, Page, equals, one_of

__all__ = ["get_lead", "list_leads", "visible_leads"]

_LEADS = Listing(
    select(
        Lead.id,
        Lead.version,
        Lead.state,
        Lead.handover_no,
        Lead.accept_by,
        Lead.owner_id,
        Lead.owner_team_id,
        Lead.person,
        Lead.company,
        Lead.score,
        Lead.grade,
        Lead.temperature,
        Lead.campaign_id,
        Lead.attention,
        Lead.created_at,
        Lead.updated_at,
    ),
    key=Lead.id,
    filters={
        "state": equals(Lead.state),
        "owner_id": equals(Lead.owner_id),
        "owner_team_id": equals(Lead.owner_team_id),
        "temperature": equals(Lead.temperature),
        "campaign_id": equals(Lead.campaign_id),
        "needs_attention": lambda wanted: (func.jsonb_array_length(Lead.attention) > 0) == wanted,
        "ids": one_of(Lead.id),
    },
    sorts={"created_at": Lead.created_at, "score": func.coalesce(Lead.score, 0)},
)


def visible_leads(principal: Principal, permission: str = "lead.read") -> ColumnElement[bool]:
    """The leads that `principal` may use with `permission`; one that nobody owns waits in its team's queue."""
    mine = reach_filter(principal, permission, owner=Lead.owner_id)
    me = principal.user_id
    if principal.kind != "staff" or me is None or not principal.may(permission):
        return mine
    my_teams = select(func.unnest(PRINCIPALS.c.team_ids)).where(PRINCIPALS.c.id == me)
    queue = Lead.owner_id.is_(None) & or_(Lead.owner_team_id.is_(None), Lead.owner_team_id.in_(my_teams))
    return or_(mine, queue)


def list_leads(session: Session, principal: Principal, arguments: Mapping[str, Any]) -> Page:
    """A page of leads."""
    return _LEADS.page(session, arguments, visible_leads(principal))


def get_lead(session: Session, principal: Principal, lead_id: uuid.UUID) -> Lead:
    """One lead in full. Raises NotFound, also for what the caller may not see."""
    return Leads(session).get(lead_id, where=visible_leads(principal))
