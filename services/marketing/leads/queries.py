"""Read leads: list, detail with its explanation, doubles and handovers."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Numeric, cast, func, or_, select
from sqlalchemy.orm import Session

from services.marketing.addresses import email_key
from services.marketing.duplicates import CERTAIN, compare
from services.marketing.leads.model import Handover, Lead
from services.marketing.leads.repository import Leads
from shared.access import Principal, reach_filter
from shared.db.listing import Listing, Page, at_least, at_most, equals, one_of

__all__ = [
    "doubles_of",
    "get_lead",
    "handovers_of",
    "has_certain_double",
    "last_positive_sign",
    "list_leads",
    "visible_leads",
]

_BLOCKING_STATES = ("open", "recycled", "qualified")

_LISTED = (
    Lead.id,
    Lead.version,
    Lead.state,
    Lead.origin,
    Lead.source,
    Lead.given_name,
    Lead.family_name,
    Lead.email,
    Lead.phone,
    Lead.company_name,
    Lead.country,
    Lead.product_group,
    Lead.campaign_id,
    Lead.form_id,
    Lead.score_ref,
    Lead.score_ref_at,
    Lead.grade,
    Lead.temperature,
    Lead.owner_team_id,
    Lead.owner_id,
    Lead.handover_no,
    Lead.accept_by,
    Lead.merged_into_id,
    Lead.captured_at,
    Lead.erased_at,
    Lead.created_at,
    Lead.updated_at,
)


def _mailbox(text: str) -> ColumnElement[bool]:
    key = email_key(text)
    return Lead.email == text if key is None else Lead.email_key == key


def _matches(text: str) -> ColumnElement[bool]:
    """Part of the name or of the company, or the beginning of the mailbox."""
    names = func.concat_ws(" ", Lead.given_name, Lead.family_name)
    return or_(
        names.icontains(text, autoescape=True),
        Lead.company_name.icontains(text, autoescape=True),
        Lead.email_key.istartswith(text.lower(), autoescape=True),
    )


_LEADS = Listing(
    select(*_LISTED),
    key=Lead.id,
    filters={
        "state": equals(Lead.state),
        "temperature": equals(Lead.temperature),
        "grade": equals(Lead.grade),
        "source": equals(Lead.source),
        "origin": equals(Lead.origin),
        "owner_id": equals(Lead.owner_id),
        "owner_team_id": equals(Lead.owner_team_id),
        "campaign_id": equals(Lead.campaign_id),
        "form_id": equals(Lead.form_id),
        "erased": lambda yes: Lead.erased_at.is_not(None) if yes else Lead.erased_at.is_(None),
        "email": _mailbox,
        "captured_at_gte": at_least(Lead.captured_at),
        "captured_at_lte": at_most(Lead.captured_at),
        "needs_attention": lambda wanted: (func.jsonb_array_length(Lead.attention) > 0) == wanted,
        "ids": one_of(Lead.id),
        "q": _matches,
    },
    sorts={
        "captured_at": Lead.captured_at,
        "score": cast(func.coalesce(Lead.score_ref, 0.0), Numeric(19, 4)),
    },
    default_sort="-captured_at",
)


def visible_leads(principal: Principal, permission: str = "lead.read") -> ColumnElement[bool]:
    """The leads that `principal` may use with `permission`."""
    return reach_filter(principal, permission, owner=Lead.owner_id)


def list_leads(session: Session, principal: Principal, arguments: Mapping[str, Any]) -> Page:
    """A page of leads; `score` is that of the last time something happened."""
    return _LEADS.page(session, arguments, visible_leads(principal))


def get_lead(session: Session, principal: Principal, lead_id: uuid.UUID) -> Lead:
    """One lead in full. Raises NotFound, also for what the caller may not see."""
    return Leads(session).get(lead_id, where=visible_leads(principal))


def handovers_of(session: Session, lead_id: uuid.UUID) -> Sequence[Handover]:
    """Who had the lead, in order."""
    return Leads(session).handovers(lead_id)


def doubles_of(session: Session, lead: Lead) -> list[dict[str, Any]]:
    """Leads that may be the same person, the surest first: {lead_id, state, captured_at, level, score, signals}."""
    order = (CERTAIN, "probable", "possible")
    found = [
        {
            "lead_id": other.id,
            "state": other.state,
            "captured_at": other.captured_at,
            "level": likeness.level,
            "score": likeness.score,
            "signals": list(likeness.signals),
        }
        for other in Leads(session).candidates(lead)
        if (likeness := compare(lead.identity, other.identity)) is not None
    ]
    return sorted(found, key=lambda each: (order.index(each["level"]), -each["score"]))


def has_certain_double(session: Session, lead: Lead) -> bool:
    """Whether a lead that is still in play is certainly the same person."""
    return any(
        double["level"] == CERTAIN and double["state"] in _BLOCKING_STATES
        for double in doubles_of(session, lead)
    )


def last_positive_sign(session: Session, lead: Lead, weights: Mapping[str, float]) -> datetime | None:
    """When the person last did something that speaks for interest."""
    signs = [
        each.occurred_at
        for each in Leads(session).behaviours(lead.id)
        if not each.is_machine and weights.get(each.type, 0) > 0
    ]
    return max(signs, default=None)
